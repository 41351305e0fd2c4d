package routertest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
)

// delivered is a received mail taken apart with the standard library only, so that the suite
// does not judge this module by itself.
type delivered struct {
	header mail.Header
	text   []string // decoded text/* parts that are no attachments
	files  []File
	ids    map[string][]byte // contents by Content-ID, with its brackets
}

func read(raw []byte) (*delivered, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	d := &delivered{header: m.Header, ids: map[string][]byte{}}
	get := func(name string) string { return m.Header.Get(name) }
	return d, d.part(get, m.Body, 0)
}

func (d *delivered) part(get func(string) string, body io.Reader, depth int) error {
	if depth > 10 {
		return errors.New("nested too deep")
	}
	mt, params, err := mime.ParseMediaType(orElse(get("Content-Type"), "text/plain"))
	if err != nil {
		return fmt.Errorf("content type %q: %w", get("Content-Type"), err)
	}
	if strings.HasPrefix(mt, "multipart/") {
		mr := multipart.NewReader(body, params["boundary"])
		for {
			p, err := mr.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return fmt.Errorf("multipart: %w", err)
			}
			if err := d.part(p.Header.Get, p, depth+1); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(get("Content-Transfer-Encoding")) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("%s part: %w", mt, err)
	}
	if id := get("Content-Id"); id != "" {
		d.ids[id] = data
	}
	disposition, dp, _ := mime.ParseMediaType(get("Content-Disposition"))
	name := decode(orElse(dp["filename"], params["name"]))
	if strings.HasPrefix(mt, "text/") && disposition != "attachment" && name == "" {
		d.text = append(d.text, string(data))
		return nil
	}
	d.files = append(d.files, File{name, data})
	return nil
}

// addresses returns the bare addresses of a header, none if it is absent.
func (d *delivered) addresses(name string) ([]*mail.Address, error) {
	if d.header.Get(name) == "" {
		return nil, nil
	}
	return d.header.AddressList(name)
}

func (d *delivered) file(name string) ([]byte, bool) {
	for _, f := range d.files {
		if f.Name == name {
			return f.Data, true
		}
	}
	return nil, false
}

// decode reads RFC 2047 words.
func decode(s string) string {
	if out, err := new(mime.WordDecoder).DecodeHeader(s); err == nil {
		return out
	}
	return s
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
