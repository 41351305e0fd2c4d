package adullact

import (
	"encoding/json"

	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

type reported struct {
	Kind       Kind                `json:"kind"`
	Type       string              `json:"type"`
	Source     string              `json:"source,omitempty"`
	Title      string              `json:"title,omitempty"`
	Fields     map[string]string   `json:"fields"`
	Files      []reportedFile      `json:"files"`
	Pieces     []Piece             `json:"pieces"`
	Deviations []payload.Deviation `json:"deviations"`
}

type reportedFile struct {
	Role      string   `json:"role"`
	Index     int      `json:"index,omitempty"`
	Also      []string `json:"also,omitempty"`
	Name      string   `json:"name"`
	Original  string   `json:"name_original,omitempty"`
	Size      int64    `json:"size"`
	SHA256    string   `json:"sha256"`
	MediaType string   `json:"media_type,omitempty"`
	ID        string   `json:"id,omitempty"`
	From      string   `json:"from,omitempty"`
	Pieces    []string `json:"pieces,omitempty"`
}

// MarshalJSON describes the envelope: kind, type, title, fields, files, pieces and
// deviations. It is what envelope.json holds.
func (e *Envelope) MarshalJSON() ([]byte, error) {
	r := reported{Kind: e.Kind, Type: e.Type, Source: e.Source, Title: e.Title, Fields: e.Index(),
		Files: []reportedFile{}, Pieces: e.Pieces, Deviations: e.Deviations}
	for _, f := range e.Files {
		r.Files = append(r.Files, reportedFile{f.Role, f.Index, f.Also, f.Name, f.NameOriginal, f.Size, f.SHA256, f.MediaType, f.ID, f.From, f.Pieces})
	}
	if r.Pieces == nil {
		r.Pieces = []Piece{}
	}
	if r.Deviations == nil {
		r.Deviations = []payload.Deviation{}
	}
	return json.MarshalIndent(r, "", "  ")
}
