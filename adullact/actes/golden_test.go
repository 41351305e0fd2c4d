package actes

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// samples returns the folder of sample envelopes, within the one that VAGUEMESTRE_SAMPLES names.
func samples(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.Getenv("VAGUEMESTRE_SAMPLES"), "adullact")
	if _, err := os.Stat(dir); err != nil || os.Getenv("VAGUEMESTRE_SAMPLES") == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("VAGUEMESTRE_SAMPLES names no folder with adullact in it: the samples must be there in CI")
		}
		t.Skip("VAGUEMESTRE_SAMPLES names no folder with adullact in it")
	}
	return dir
}

// TestGolden compares every sample of ACTES with what an independent reading found.
func TestGolden(t *testing.T) {
	t.Parallel()
	dir := samples(t)
	text, err := os.ReadFile(filepath.Join(dir, "GOLDEN.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]map[string]any
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	exceptions := exceptions(t)
	n := 0
	compare := func(file string, want map[string]any, content []byte) {
		n++
		m, err := Decode(t.Context(), bytes.NewReader(content), &Options{Name: path.Base(file)})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			return
		}
		got := reading(m)
		for key := range union(want, got) {
			same := reflect.DeepEqual(want[key], got[key])
			_, listed := exceptions[file+" | "+key]
			switch {
			case !same && !listed:
				t.Errorf("%s: %s is %v, GOLDEN.json has %v", file, key, got[key], want[key])
			case !same:
				exceptions[file+" | "+key] = true
			}
		}
	}
	for file, want := range golden {
		root, _ := want["root"].(string)
		members, _ := want["members"].([]any)
		switch _, isActes := kinds[root]; {
		case isActes:
			content, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Error(err)
			}
			compare(file, want, content)
		case members != nil:
			for name, content := range unpacked(t, filepath.Join(dir, file)) {
				inner, _ := want[name].(map[string]any)
				root, _ := inner["root"].(string)
				if _, ok := kinds[root]; ok {
					compare(file+"!"+name, inner, content)
				}
			}
			if strings.HasSuffix(file, ".tar.gz") && strings.Contains(fmt.Sprint(want), "Enveloppe") {
				goldenArchive(t, filepath.Join(dir, file), members)
			}
		}
	}
	if n < 25 {
		t.Errorf("only %d messages were compared", n)
	}
	for line, used := range exceptions {
		if !used {
			t.Errorf("testdata/exceptions.txt: %s: there is no such difference any more", line)
		}
	}
}

// goldenArchive compares names and sizes, and expects archives that work in practice to
// have no deviation.
func goldenArchive(t *testing.T, file string, members []any) {
	f, err := os.Open(file)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	var got []any
	a, err := DecodeArchive(t.Context(), f, &Options{Name: filepath.Base(file)})
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	for _, f := range a.Files {
		got = append(got, []any{f.Name, float64(f.Size)})
		if f.Role == "" || f.SHA256 == "" || f.MediaType == "" {
			t.Errorf("%s: %+v", file, f)
		}
	}
	if !reflect.DeepEqual(got, members) {
		t.Errorf("%s: %v, GOLDEN.json has %v", file, got, members)
	}
	if a.Envelope == nil || len(a.Messages) != 1 || len(a.Deviations) != 0 {
		t.Errorf("%s: %+v", file, a)
	}
}

// reading gives m in the words of GOLDEN.json.
func reading(m *Message) map[string]any {
	r := map[string]any{"root": m.Root}
	put := func(key, v string) {
		if v != "" {
			r[key] = v
		}
	}
	attrs := map[string]any{}
	add := func(key, v string) {
		if v != "" {
			attrs[key] = v
		}
	}
	add("IDActe", m.IDActe)
	add("DateReception", m.DateReception)
	add("DateCourrierPref", m.DateCourrier)
	put("ClassificationDateVersionEnCours", m.DateEnCours)
	put("DateClassification", m.DateClassification)
	if a := m.Acte; a != nil {
		one := map[string]any{"Date": a.Date, "NumeroInterne": a.NumeroInterne, "CodeNatureActe": a.CodeNature}
		if m.Root == "Acte" {
			attrs = one
		} else {
			r["ActeRecu"] = one
		}
		put("ClassificationDateVersion", a.DateClassification)
		put("Objet", a.Objet)
		put("matiere", a.Matiere())
	}
	if a := m.Anomalie; a != nil {
		put("Nature", a.Nature)
		put("Detail", a.Detail)
	}
	if e := m.Envelope; e != nil {
		put("Destinataire", e.Destinataire)
		if e.Emetteur.Kind == "CL" {
			s := e.Emetteur
			r["IDCL"] = map[string]any{"SIREN": s.SIREN, "Departement": s.Departement, "Arrondissement": s.Arrondissement, "Nature": s.Nature}
		}
	}
	if c := m.Classification; c != nil {
		two := 0
		for _, x := range c.Matieres {
			two += len(x.Matieres)
		}
		r["matieres1"], r["matieres2"] = float64(len(c.Matieres)), float64(two)
		if two == 57 { // the national list: it has a label for each of them
			for _, x := range c.Matieres {
				for _, y := range x.Matieres {
					if MatiereOf(x.Code) == "" || MatiereOf(x.Code+"."+y.Code) == "" {
						r["matieres1"] = x.Code + "." + y.Code + " has no label"
					}
				}
			}
		}
		natures := []any{}
		for _, n := range c.Natures {
			natures = append(natures, []any{n.Code, n.Abrege, float64(len(n.Pieces))})
		}
		r["natures"] = natures
	}
	names := []any{}
	for _, f := range m.Files() {
		names = append(names, f.Nom)
	}
	r["NomFichier"], r["attrs"] = names, attrs
	return r
}

func exceptions(t *testing.T) map[string]bool {
	text, err := os.ReadFile("testdata/exceptions.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(line, " | ", 3)
		if len(parts) != 3 {
			t.Errorf("testdata/exceptions.txt: %q gives no reason", line)
			continue
		}
		list[parts[0]+" | "+parts[1]] = false
	}
	return list
}

func union(a, b map[string]any) map[string]bool {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return keys
}

// unpacked gives the files of a zip or tar.gz.
func unpacked(t *testing.T, file string) map[string][]byte {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	if z, err := zip.NewReader(bytes.NewReader(content), int64(len(content))); err == nil {
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				continue
			}
			files[f.Name], _ = io.ReadAll(r)
			r.Close()
		}
		return files
	}
	gz, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return nil
	}
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if err != nil {
			return files
		}
		files[h.Name], _ = io.ReadAll(r)
	}
}
