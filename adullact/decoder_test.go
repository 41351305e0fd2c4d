package adullact_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
	"github.com/vaguemestre/vaguemestre/settings"
)

const manifest = `<flux type="actes-automatique"><data name="objet" value="x"/><files name="arrete"><file content="a.pdf"/></files></flux>`

func deposit(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range [][2]string{{"manifest.xml", manifest}, {"a.pdf", "%PDF-1.4 a"}} {
		w, err := z.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, f[1])
	}
	z.Close()
	return b.Bytes()
}

func TestDecoder(t *testing.T) {
	t.Parallel()
	coldtest.TestDecoder(t, &adullact.Decoder{Scratch: t.TempDir()},
		coldtest.DecoderCase{Name: "deposit.zip", Data: deposit(t), Want: map[string][]byte{"manifest.xml": []byte(manifest), "a.pdf": nil, "envelope.json": nil}},
		coldtest.DecoderCase{Name: "act.xml", Data: []byte(manifest), Want: map[string][]byte{"act.xml": []byte(manifest), "envelope.json": nil}},
		coldtest.DecoderCase{Name: "other.xml", Data: []byte("<html/>"), NotMine: true},
		coldtest.DecoderCase{Name: "inner", Data: deposit(t), Fields: map[string]string{"envelope_kind": "actes"}, NotMine: true},
	)
}

func TestKinds(t *testing.T) {
	t.Parallel()
	launchers, decoders, err := adullact.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := decoders.Lookup("adullact"); !ok {
		t.Error("no decoder of kind adullact")
	}
	l, err := launchers.Open(settings.Instance{Name: "d", Kind: "adullact", Settings: []byte(`{"path":"/srv/depot","error_dir":"erreurs"}`)}, nil)
	if err != nil || l.(*adullact.Launcher).StableFor != 5*time.Second {
		t.Errorf("%v, error %v", l, err)
	}
}

// A decoder sees the files of a directory together: they get one set of fields, and what is
// found beside them joins them.
func TestDecodeGroup(t *testing.T) {
	t.Parallel()
	doc := func(name, text string) *cold.Document {
		return &cold.Document{Name: name, Size: int64(len(text)), Group: "d", Open: func() (io.ReadSeekCloser, error) {
			return nopClose{bytes.NewReader([]byte(text))}, nil
		}}
	}
	docs := []*cold.Document{doc("manifest.xml", manifest), doc("a.pdf", "%PDF-"), doc("other", "o")}
	var got map[string]any
	n := 0
	err := (&adullact.Decoder{}).DecodeGroup(context.Background(), docs, func(d *cold.Document) error {
		n++
		r, err := d.Open()
		if err != nil {
			return err
		}
		if d.Name != "envelope.json" || d.Group != "d" {
			t.Errorf("came out: %q in %q", d.Name, d.Group)
		}
		return json.NewDecoder(r).Decode(&got)
	})
	if err != nil || n != 1 || got["kind"] != "actes" || len(got["files"].([]any)) != 3 {
		t.Errorf("error %v, %d out, %v", err, n, got)
	}
	if docs[1].Fields["file_role"] != "arrete" || docs[2].Fields["envelope_kind"] != "actes" || docs[2].Fields["objet"] != "x" {
		t.Errorf("fields %q, %q", docs[1].Fields, docs[2].Fields)
	}
}

type nopClose struct{ *bytes.Reader }

func (nopClose) Close() error { return nil }
