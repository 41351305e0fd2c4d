package cold

import "encoding/json"

// sidecar is the JSON file beside a document.
type sidecar struct {
	Name         string            `json:"name"`
	OriginalName string            `json:"original_name"` // the sender's, untouched
	MediaType    string            `json:"media_type"`
	Size         int64             `json:"size"`
	SHA256       string            `json:"sha256"`
	Key          string            `json:"key"`
	Path         []string          `json:"path"` // where it came from, outermost first
	Group        string            `json:"group,omitempty"`
	Fields       map[string]string `json:"fields,omitempty"`
	Repairs      []string          `json:"repairs,omitempty"`
	Reason       string            `json:"reason"` // the filter decision
}

func sidecarOf(d *Document, name string, size int64, sum string) ([]byte, error) {
	b, err := json.MarshalIndent(sidecar{Name: name, OriginalName: d.Name, MediaType: d.MediaType, Size: size, SHA256: sum,
		Key: d.Key, Path: d.Path, Group: d.Group, Fields: d.Fields, Repairs: d.Repairs, Reason: d.Reason}, "", "  ")
	return append(b, '\n'), err
}
