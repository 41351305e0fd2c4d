package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxDocument = 4 << 20 // bytes of one settings document
	maxNesting  = 64      // objects and lists within one another
	maxMapKey   = 200     // bytes of a key of a map
	maxIssues   = 100     // told of one document
)

// tree is a JSON value that keeps what package encoding/json loses: the order of keys.
type tree struct {
	kind    byte   // one of { [ " 0 t n: object, list, text, number, bool, null
	text    string // of a text and a number
	yes     bool   // of a bool
	members []member
	elems   []*tree
	raw     []byte
}

type member struct {
	key   string
	value *tree
}

// parse reads one JSON document (RFC 8259). Keys that stand twice are issues; the first one counts.
func parse(data []byte) (*tree, Issues) {
	// QUIRK: editors on Windows write a byte order mark, which RFC 8259 section 8.1 lets a parser ignore.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(data) > maxDocument {
		return nil, Issues{issue("", CodeSyntax,
			fmt.Sprintf("%d bytes are too many for settings: at most %d", len(data), maxDocument),
			fmt.Sprintf("%d octets sont de trop pour des paramètres : %d au plus", len(data), maxDocument))}
	}
	if !utf8.Valid(data) {
		return nil, Issues{issue("", CodeSyntax, "not UTF-8: save the file in that encoding", "texte qui n'est pas en UTF-8 : enregistrez le fichier dans cet encodage")}
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		where := len(data)
		var se *json.SyntaxError
		if errors.As(err, &se) {
			where = int(se.Offset)
		}
		line, column := position(data, where)
		return nil, Issues{issue("", CodeSyntax,
			fmt.Sprintf("not JSON at line %d, column %d: check quotes, commas and brackets there", line, column),
			fmt.Sprintf("JSON incorrect à la ligne %d, colonne %d : vérifiez-y guillemets, virgules et crochets", line, column))}
	}
	p := parser{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	t := p.value("", 0)
	if p.deep {
		return nil, Issues{issue("", CodeSyntax,
			fmt.Sprintf("more than %d objects and lists within one another", maxNesting),
			fmt.Sprintf("plus de %d objets et listes imbriqués", maxNesting))}
	}
	return t, p.issues
}

// position tells line and column, from 1, of the last byte before offset.
func position(data []byte, offset int) (line, column int) {
	before := string(data[:max(0, min(offset, len(data))-1)])
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// parser walks a document that is known to be JSON.
type parser struct {
	data   []byte
	dec    *json.Decoder
	issues Issues
	deep   bool
}

func (p *parser) value(path string, depth int) *tree {
	start := int(p.dec.InputOffset())
	for start < len(p.data) && strings.IndexByte(" \t\r\n,:", p.data[start]) >= 0 {
		start++
	}
	t := &tree{kind: 'n'}
	tok, err := p.dec.Token()
	if err != nil {
		return t
	}
	switch tok := tok.(type) {
	case string:
		t.kind, t.text = '"', tok
	case json.Number:
		t.kind, t.text = '0', string(tok)
	case bool:
		t.kind, t.yes = 't', tok
	case json.Delim:
		t.kind = byte(tok)
		if depth >= maxNesting {
			p.deep = true
			return t
		}
		seen := map[string]bool{}
		for p.dec.More() && !p.deep {
			if t.kind == '[' {
				t.elems = append(t.elems, p.value(index(path, len(t.elems)), depth+1))
				continue
			}
			name, _ := p.dec.Token()
			key, _ := name.(string)
			at := member{key, p.value(child(path, key), depth+1)}
			if seen[key] {
				p.add(issueDuplicateKey(child(path, key), key))
				continue
			}
			seen[key] = true
			t.members = append(t.members, at)
		}
		if !p.deep {
			p.dec.Token() // the closing bracket
		}
	}
	t.raw = p.data[start:p.dec.InputOffset()]
	return t
}

func (p *parser) add(i Issue) {
	if len(p.issues) < maxIssues {
		p.issues = append(p.issues, i)
	}
}

// child is the path of a key, which a stranger may have written.
func child(path, key string) string {
	switch {
	case len(key) > maxMapKey:
		return path + "[" + quote(key) + "]"
	case keyForm.MatchString(key):
		return join(path, key)
	}
	return path + "[" + strconv.Quote(key) + "]"
}

// index is the path of an element.
func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// marshal writes a JSON string without escaping <, > and &.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
