package adullact

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const flux = `<?xml version="1.0"?>
<flux>
  <data name="objet" value="March&#xE9; de l'&#xE9;cole"/>
  <data name="acte_nature" value="1"/>
  <data name="numero_de_lacte" value="0012"/>
  <files name="arrete"><file content="D&#xE9;lib/1.pdf"/></files>
  <files name="autre_document_attache"><file content="a.pdf"/><file content="B.PDF"/><file content="lost.pdf"/></files>
  <files name="annexe"><file content="a.pdf"/></files>
</flux>`

func decodeFS(t *testing.T, fsys fstest.MapFS) *Envelope {
	t.Helper()
	var set []Source
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range fsys {
			if !yield(n) {
				return
			}
		}
	}) {
		set = append(set, memory(name, fsys[name].Data))
	}
	e, err := Decode(context.Background(), set, &Options{Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func memory(name string, data []byte) Source {
	return Source{Name: name, Size: int64(len(data)), Open: func() (io.ReadSeekCloser, error) {
		return section{io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))}, nil
	}}
}

func file(e *Envelope, name string) *File {
	for _, f := range e.Files {
		if f.Name == name {
			return f
		}
	}
	return &File{}
}

// Names on disk are cleaned and differ in normalization and case from those in the metadata;
// two fields may name one file; a file may be missing. Nothing is dropped.
func TestFilesFindTheirRole(t *testing.T) {
	t.Parallel()
	e := decodeFS(t, fstest.MapFS{
		"metadata.xml":          {Data: []byte(flux)},
		"De\u0301lib-1.pdf":     {Data: []byte("d")}, // NFD, cleaned
		"a.pdf":                 {Data: []byte("a")},
		"b.pdf":                 {Data: []byte("b")}, // another case
		"extra.bin":             {Data: []byte("x")},
		"fichier_termine.txt":   {Data: []byte("Le transfert est terminé")},
		"half.pdf.part":         {Data: []byte("h")},
		"deep/../../passwd.pdf": {Data: []byte("p")},
	})
	if e.Kind != KindActes || e.Source != SourceMetadata || e.Title != "Marché de l'école" {
		t.Errorf("kind %q by %q, title %q", e.Kind, e.Source, e.Title)
	}
	if len(e.Files) != 8 {
		t.Errorf("%d files, want all 8", len(e.Files))
	}
	for name, role := range map[string]string{"metadata.xml": RoleMetadata, "De\u0301lib-1.pdf": "arrete", "a.pdf": "autre_document_attache",
		"b.pdf": "autre_document_attache", "extra.bin": "", "fichier_termine.txt": RoleMarker, "passwd.pdf": ""} {
		if f := file(e, name); f.Name == "" || f.Role != role {
			t.Errorf("%q: role %q, want %q", name, f.Role, role)
		}
	}
	if f := file(e, "b.pdf"); f.Index != 1 {
		t.Errorf("index %d, want 1", f.Index)
	}
	if f := file(e, "a.pdf"); !slices.Equal(f.Also, []string{"annexe"}) {
		t.Errorf("also %q", f.Also)
	}
	if ix := e.Index(); ix["numero_de_lacte"] != "0012" || ix["envelope_kind"] != "actes" || ix["arrete"] != "" {
		t.Errorf("index %q", ix)
	}
	told := ""
	for _, d := range e.Deviations {
		told += d.Path + ": " + d.Reason + "\n"
	}
	for _, want := range []string{"metadata/autre_document_attache: incomplete: 1 of its 3", "still being written"} {
		if !strings.Contains(told, want) {
			t.Errorf("deviations lack %q:\n%s", want, told)
		}
	}
}

// The three syntaxes say the same; scalars stay text.
func TestSyntaxesAgree(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"metadata.xml": `<flux><data name="objet" value="l'école: &#10;deux"/><data name="acte_nature" value="1"/><data name="numero_de_lacte" value="0012"/>` +
			`<data name="x" value="no"/><data name="vide" value=""/><files name="arrete"><file content="a.pdf"/></files></flux>`,
		"metadata.json": `{"objet":"l'\u00e9cole: \ndeux","acte_nature":1,"numero_de_lacte":"0012","x":"no","vide":null,"arrete":["a.pdf"]}`,
		"metadata.txt":  "---\nobjet: |\n  l'école: \n  deux\nacte_nature: 1\nnumero_de_lacte: 0012\nx: no\nvide: \narrete: \n  - a.pdf\n",
		"METADATA.TXT":  "objet: \"l'école: \\ndeux\"\nacte_nature: '1'\nnumero_de_lacte: '0012'\nx: 'no'\nvide: ''\narrete:\n    - a.pdf\n",
	} {
		e := decodeFS(t, fstest.MapFS{name: {Data: []byte(data)}, "a.pdf": {Data: []byte("a")}})
		if e.Kind != KindActes || file(e, "a.pdf").Role != "arrete" || file(e, name).Role != RoleMetadata {
			t.Errorf("%s: kind %q, role %q", name, e.Kind, file(e, "a.pdf").Role)
		}
		for field, want := range map[string]string{"objet": "l'école: \ndeux", "acte_nature": "1", "numero_de_lacte": "0012", "x": "no", "vide": ""} {
			if got, ok := e.Index()[field]; !ok || got != want {
				t.Errorf("%s: %s is %q, want %q", name, field, got, want)
			}
		}
	}
}

// Without metadata Pastell's own names tell the kind and the roles.
func TestPastellNames(t *testing.T) {
	t.Parallel()
	e := decodeFS(t, fstest.MapFS{"qJO7qzV.yml_fichier_pes_0": {Data: []byte("<a/>")}, "qJO7qzV.yml_visuel_pdf_1": {Data: []byte("%PDF-")}})
	if e.Kind != KindHelios || e.Source != SourceNames || file(e, "qJO7qzV.yml_visuel_pdf_1").Role != "visuel_pdf" || file(e, "qJO7qzV.yml_visuel_pdf_1").Index != 1 {
		t.Errorf("kind %q by %q", e.Kind, e.Source)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]Kind{"chorus_fact": KindChorus, "facture-cpp": KindChorus, "acte_nature": KindActes, "ls-pes": KindHelios,
		"helios": KindHelios, "actes-automatique": KindActes, "document": KindUnknown, "": KindUnknown} {
		e := decodeFS(t, fstest.MapFS{"manifest.xml": {Data: []byte(`<flux type="` + typ + `"><data name="objet" value="x"/></flux>`)}, "x": {Data: []byte("x")}})
		if e.Kind != want {
			t.Errorf("type %q: kind %q, want %q", typ, e.Kind, want)
		}
	}
	e := decodeFS(t, fstest.MapFS{"metadata.json": {Data: []byte(`{"chorus_fact":["f.xml"]}`)}, "f.xml": {Data: []byte("<x/>")}})
	if e.Kind != KindChorus || file(e, "f.xml").Role != "chorus_fact" {
		t.Errorf("key chorus_fact: kind %q", e.Kind)
	}
}

// What is not ours is unknown, keeps every file and is no error.
func TestUnknownKeepsAll(t *testing.T) {
	t.Parallel()
	e := decodeFS(t, fstest.MapFS{"package.json": {Data: []byte(`{"name":"x"}`)}, "notes.txt": {Data: []byte("a: b")}, "metadata.json": {Data: []byte(`[1`)}})
	if e.Kind != KindUnknown || e.Source != "" || len(e.Files) != 3 {
		t.Errorf("kind %q by %q, %d files", e.Kind, e.Source, len(e.Files))
	}
}

// Metadata made to hurt end soon: in an error of class poison or as a file like any other.
func TestHostileMetadata(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("<data name='a' value='b'/>", maxFields+1)
	for name, data := range map[string]string{
		"metadata.xml":  "<flux>" + many + "</flux>",
		"manifest.xml":  `<!DOCTYPE f [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><flux><data name="x" value="&b;"/></flux>`,
		"metadata.json": `{"a":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + "}",
		"metadata.txt":  "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\narrete: *b\n",
		"metadata.yml":  "arrete: \"" + strings.Repeat("x\n", 100_000),
	} {
		e := decodeFS(t, fstest.MapFS{name: {Data: []byte(data)}, "../../etc/passwd": {Data: []byte("x")}})
		if len(e.Files) != 2 || len(e.Index()) > 10 {
			t.Errorf("%s: %d files, %d fields", name, len(e.Files), len(e.Index()))
		}
		for _, f := range e.Files {
			if strings.ContainsAny(f.Name, `/\`) {
				t.Errorf("%s: name %q is a path", name, f.Name)
			}
		}
	}
	set := make([]Source, maxFiles+1)
	if _, err := Decode(context.Background(), set, nil); !blames(err) {
		t.Errorf("%d files: error %v, want one of class poison", len(set), err)
	}
}

// A zip is what it holds; Close leaves nothing in the scratch directory.
func TestZip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := Decode(context.Background(), []Source{memory("x.zip", zipped(t))}, &Options{Scratch: dir})
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind != KindActes || len(e.Files) != 2 || file(e, "a.pdf").Role != "autre_document_attache" {
		t.Errorf("kind %q, %d files", e.Kind, len(e.Files))
	}
	r, err := file(e, "a.pdf").Open()
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(r); string(b) != "a" {
		t.Errorf("content %q", b)
	}
	r.Close()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files stay", len(left))
	}
}

// A scratch directory that fails is told: the archive is not taken for one of others.
func TestScratchFails(t *testing.T) {
	t.Parallel()
	if _, err := Decode(context.Background(), []Source{memory("x.zip", zipped(t))}, &Options{Scratch: "/nowhere/at/all"}); err == nil || blames(err) {
		t.Errorf("error %v, want one that does not blame the archive", err)
	}
}

func zipped(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range [][2]string{{"metadata.xml", flux}, {"a.pdf", "a"}} {
		w, err := z.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, f[1])
	}
	z.Close()
	return b.Bytes()
}

func FuzzMetadata(f *testing.F) {
	f.Add("metadata.xml", []byte(flux))
	f.Add("metadata.json", []byte(`{"a":["b"],"c":"d"}`))
	f.Add("metadata.txt", []byte("---\na: 'b''c'\nd: \n  - e\nf: |\n  g\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		m, err := parseMetadata(name, data)
		if err != nil {
			return
		}
		if m.values > maxFields || len(m.fields) > maxFields {
			t.Errorf("%d values", m.values)
		}
	})
}
