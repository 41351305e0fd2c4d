package adullact

import (
	"encoding/json"
	"strings"
)

// readJSON reads one flat object, in its order. Lists are of file names until somebody knows
// better; what is nested deeper stays the text that it is.
func readJSON(data []byte) (*metadata, error) {
	d := json.NewDecoder(strings.NewReader(text(data)))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotMetadata
	}
	m := &metadata{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, errNotMetadata
		}
		name, _ := t.(string)
		var raw json.RawMessage // its depth is bounded by encoding/json
		if err := d.Decode(&raw); err != nil {
			return nil, errNotMetadata
		}
		var list []json.RawMessage
		if raw[0] == '[' && json.Unmarshal(raw, &list) == nil {
			for _, v := range list {
				if err := m.add(&m.fields, name, scalar(v), true, ""); err != nil {
					return nil, err
				}
			}
			continue
		}
		if err := m.add(&m.fields, name, scalar(raw), false, ""); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errNotMetadata
	}
	return m, nil
}

// scalar is a value as it was written, a string without its quotes.
func scalar(raw json.RawMessage) string {
	var s string
	if string(raw) == "null" || json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
