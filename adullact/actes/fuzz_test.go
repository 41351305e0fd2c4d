package actes

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"EACT--210600730--20180115-1.xml", "ANO_TACT--SPREF0441-214400152-20181012-9.xml", "SLO-EACT--999999999--20240415-3.tar.gz",
		"044-214400152----1-3_1.xml", "CO_DE-02A-210600730-20180115-2018-007 bis-AR-1-1_1.jpg", "034-999999999-20240415-2024_DEL_012-DE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := ParseName(s)
		if ok == (n == Name{}) || ok && strings.ContainsAny(s, "/\\\x00\n") {
			t.Errorf("%q: %+v, %v", s, n, ok)
		}
		if n.Kind == NameMessage {
			// The parts are all of it.
			name := strings.Join([]string{n.Departement, n.SIREN, n.Date, n.Numero, n.Nature, n.Code}, "-")
			if n.TypePJ != "" {
				name = n.TypePJ + "-" + name
			}
			if n.K != "" {
				name += "_" + n.K
			}
			if name += "." + n.Ext; name != s {
				t.Errorf("%q: %+v", s, n)
			}
		}
		if id, ok := ParseID(s); ok && strings.Join([]string{id.Departement, id.SIREN, id.Date, id.Numero, id.Nature}, "-") != s {
			t.Errorf("%q: %+v", s, id)
		}
	})
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/messages/*.xml")
	for _, p := range files {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(t.Context(), bytes.NewReader(data), &Options{Name: "034-999999999----1-2_1.xml"})
		if (m == nil) != (err != nil) || err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
			t.Fatalf("%+v, %v", m, err)
		}
		if err != nil {
			return
		}
		if _, err := json.Marshal(m); err != nil || m.Root == "" || len(m.Deviations) > maxDeviations+1 {
			t.Errorf("%+v, %v", m, err)
		}
		for k, v := range m.Fields() {
			if v == "" {
				t.Errorf("%s is there and empty", k)
			}
		}
	})
}

func FuzzDecodeArchive(f *testing.F) {
	raw := tarred(f, transmission(f)...)
	f.Add(raw)
	f.Add(gzipped(f, raw))
	f.Add(gzipped(f, tarred(f, entry{name: base + "-1-2_1.xml", content: read(f, "ARActe")})))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got []payload.File
		out := func(f *payload.File, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			if n != f.Size || err != nil {
				t.Errorf("%+v: %d bytes, %v", f, n, err)
			}
			if f.Name == "" || strings.ContainsAny(f.Name, "/\\\x00:") || f.Name == ".." || f.Name == "." {
				t.Errorf("the name %q", f.Name)
			}
			got = append(got, *f)
			return nil
		}
		a, err := DecodeArchive(t.Context(), bytes.NewReader(data), &Options{Out: out, Limits: Limits{Bytes: 4 << 20, Entry: 4 << 20}})
		switch {
		case err == nil && !reflect.DeepEqual(got, a.Files):
			t.Errorf("Out got %+v, Files are %+v", got, a.Files)
		case err != nil && (vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || len(got) > 0 || errors.Is(err, errChanged)):
			t.Errorf("%v after %d files", err, len(got))
		}
	})
}
