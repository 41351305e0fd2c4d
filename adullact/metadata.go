package adullact

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// Bounds of a metadata file.
const (
	maxMetadata = 4 << 20
	maxFields   = 20_000 // and values
)

var errNotMetadata = errors.New("not a metadata file")

// metadata is what a metadata file says.
type metadata struct {
	typ    string // of flow
	root   string // "flux" of XML
	fields []Field
	params []Field
	values int
}

// add adds a value to a field, which is made if it is new.
func (m *metadata) add(list *[]Field, name, value string, isFile bool, original string) error {
	if m.values++; m.values > maxFields {
		return poison("its metadata holds more than %d values", maxFields)
	}
	if n := len(*list); n > 0 && isFile && (*list)[n-1].Name == name && (*list)[n-1].IsFile {
		f := &(*list)[n-1]
		f.Values, f.original = append(f.Values, value), append(f.original, original)
		return nil
	}
	f := Field{Name: name, Values: []string{value}, IsFile: isFile}
	if isFile {
		f.original = []string{original}
	}
	*list = append(*list, f)
	return nil
}

// read reads a metadata file in the syntax that its name's end tells.
func (s Source) metadata() (*metadata, error) {
	r, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxMetadata+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxMetadata {
		return nil, errNotMetadata
	}
	return parseMetadata(s.base(), data)
}

func parseMetadata(name string, data []byte) (*metadata, error) {
	name = strings.ToLower(name)
	switch {
	case strings.HasSuffix(name, ".xml"):
		return readFlux(data)
	case strings.HasSuffix(name, ".json"):
		return readJSON(data)
	case strings.HasSuffix(name, ".txt"), strings.HasSuffix(name, ".yml"), strings.HasSuffix(name, ".yaml"):
		return readYAML(data)
	}
	return nil, errNotMetadata
}

// readFlux reads metadata.xml and manifest.xml: one grammar.
func readFlux(data []byte) (*metadata, error) {
	m := &metadata{}
	s := xmlscan.New(bytes.NewReader(data), nil)
	files := ""
	for s.Next() {
		if s.Kind() != xmlscan.Start {
			continue
		}
		var err error
		switch {
		case s.Depth() == 1:
			if s.Local() != "flux" {
				return nil, errNotMetadata
			}
			m.root, m.typ = "flux", s.Attr("type")
		case s.Local() == "data":
			err = m.add(&m.fields, s.Attr("name"), s.Attr("value"), false, "")
		case s.Local() == "param":
			err = m.add(&m.params, s.Attr("name"), s.Attr("value"), false, "")
		case s.Local() == "files":
			files = s.Attr("name")
		case s.Local() == "file":
			err = m.add(&m.fields, files, s.Attr("content"), true, s.Attr("name_original"))
		}
		if err != nil {
			return nil, err
		}
	}
	if m.root == "" {
		return nil, errNotMetadata
	}
	return m, s.Err()
}

// text makes what a stranger wrote UTF-8.
func text(b []byte) string {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if utf8.Valid(b) {
		return string(b)
	}
	r := make([]rune, len(b)) // QUIRK: older connectors damage UTF-8; Latin-1 loses nothing
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}
