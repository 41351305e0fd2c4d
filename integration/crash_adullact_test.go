//go:build crash

package integration

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

// The method is that of the crash tests of folders. Besides, whenever a run was killed, what
// the sink shows by then is looked at: a group is there with all its files, or not at all.

// envelopeFiles are n deposits of each form, by their path: directories, flat zips, bare
// messages, an archive as it was transmitted, and what is none of these.
func envelopeFiles(t *testing.T, n int) map[string][]byte {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("..", "adullact", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	pivot, archive := read("chorus/testdata/PivotS.xml"), read("actes/testdata/SLO-EACT--999999999--20240415-3.tar.gz")
	files := map[string][]byte{}
	for i := range n {
		act := map[string][]byte{
			"metadata.xml": fmt.Appendf(nil, `<flux><data name="objet" value="Marché %d"/><data name="acte_nature" value="1"/>`+
				`<data name="numero_de_lacte" value="%04d"/><files name="arrete"><file content="délib.pdf"/></files>`+
				`<files name="autre_document_attache"><file content="plan.pdf"/></files></flux>`, i, i),
			"délib.pdf": fmt.Appendf(nil, "%%PDF-1.4 délibération %d", i),
			"plan.pdf":  []byte("%PDF-1.4 plan"), // the same in every deposit
		}
		for name, data := range act {
			files[fmt.Sprintf("depot%d/%s", i, name)] = data
		}
		files[fmt.Sprintf("depot%d/thumbs.db", i)] = []byte("refused alone, but not among others")
		files[fmt.Sprintf("refus%d/thumbs.db", i)] = []byte("refused")
		files[fmt.Sprintf("flux%d/metadata.json", i)] = fmt.Appendf(nil, `{"objet":"PES %d","fichier_pes":["pes.xml"]}`, i)
		files[fmt.Sprintf("flux%d/pes.xml", i)] = pes(i)
		files[fmt.Sprintf("depot%d.zip", i)] = zipped(t, act)
		files[fmt.Sprintf("pes%d.xml", i)] = pes(100 + i)
		files[fmt.Sprintf("pivot%d.xml", i)] = bytes.ReplaceAll(pivot, []byte("F-2024-7"), fmt.Appendf(nil, "F-2024-%d", i))
		if i%2 == 0 {
			files[fmt.Sprintf("archive%d.tar.gz", i)] = archive
			files[fmt.Sprintf("autre%d/lettre.txt", i)] = fmt.Appendf(nil, "lettre %d", i)
			files[fmt.Sprintf("autre%d/plan.pdf", i)] = act["plan.pdf"]
			files[fmt.Sprintf("abime%d.zip", i)] = zipped(t, act)[:300]
		}
	}
	return files
}

// pes is a message with three attached documents, one of them twice.
func pes(i int) []byte {
	attached := func(name string, data string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(data))
		z.Close()
		return `<PJ><Contenu><Fichier MIMEType="application/pdf">` + base64.StdEncoding.EncodeToString(b.Bytes()) + `</Fichier></Contenu>` +
			`<IdUnique V="` + name + `"/><NomPJ V="` + name + `.pdf"/><TypePJ V="003"/></PJ>`
	}
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller">`+
		`<Enveloppe><Parametres><Version V="2"/><TypFic V="PESALR2"/><NomFic V="PESALR2_%[1]d"/></Parametres></Enveloppe><EnTetePES><DteStr V="2026-03-02"/><IdPost V="034000"/><IdColl V="21340000000017"/><CodCol V="123"/><CodBud V="00"/></EnTetePES>`+
		`<PES_DepenseAller><Bordereau><BlocBordereau><Exer V="2026"/><IdBord V="%[1]d"/><NbrPce V="1"/></BlocBordereau>`+
		`<Piece><BlocPiece><InfoPce><IdPce V="1"/><PJRef><Support V="01"/><IdUnique V="A"/></PJRef></InfoPce></BlocPiece></Piece></Bordereau></PES_DepenseAller>`+
		`<PES_PJ><EnTetePES_PJ><IdVer V="1"/></EnTetePES_PJ>%[2]s%[3]s%[4]s</PES_PJ></n:PES_Aller>`,
		i, attached("A", fmt.Sprint("%PDF-1.4 facture ", i)), attached("B", "%PDF-1.4 bon"), attached("C", "%PDF-1.4 bon"))
}

func zipped(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names) // the same bytes every time
	for _, name := range names {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// newEnvelopes is a watched directory with files in it, whose job has launcher adullact.
func newEnvelopes(t *testing.T, bin, after string, files map[string][]byte) *deposit {
	t.Helper()
	d := &deposit{t: t, bin: bin, dir: t.TempDir()}
	d.done = filepath.Join(d.dir, "done")
	in := filepath.Join(d.dir, "in")
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	units := map[string]bool{}
	for _, name := range names {
		at = at.Add(time.Minute)
		file := filepath.Join(in, filepath.FromSlash(name))
		os.MkdirAll(filepath.Dir(file), 0o755)
		if err := os.WriteFile(file, files[name], 0o644); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(file, at, at)
		unit, _, _ := strings.Cut(name, "/")
		units[unit] = true
	}
	for unit := range units { // a deposit was complete when its directory changed last
		os.Chtimes(filepath.Join(in, unit), at, at)
	}
	d.config = filepath.Join(d.dir, "config.json")
	c := map[string]any{"jobs": []any{map[string]any{
		"name":     "crash",
		"launcher": map[string]any{"kind": "adullact", "settings": map[string]any{"path": in, "error_dir": "errors"}},
		"filters":  map[string]any{"include": []string{`/.*\.(?!db).*/`}},
		"after":    map[string]any{"do": after, "target": d.done},
		"sink":     map[string]any{"kind": "dir", "settings": map[string]any{"path": "out", "sidecar": true}},
	}}}
	b, _ := json.Marshal(c)
	if err := os.WriteFile(d.config, b, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(filepath.Join(d.dir, "out"), 0o755)
	s, err := (&adullact.Launcher{Path: in, ErrorDir: "errors"}).Connect(testContext(t), &cold.ConnectOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, err := s.List(testContext(t), "")
	if err != nil || len(page.Items) != len(units) {
		t.Fatalf("%d of %d deposits are listed, %v", len(page.Items), len(units), err)
	}
	for _, it := range page.Items {
		d.keys = append(d.keys, it.Key)
	}
	return d
}

// envelopeName ends in what is made of the item's key.
var envelopeName = regexp.MustCompile(`((?:depot|flux|pes|pivot|archive|autre|abime|refus)\d+(?:\.(?:zip|xml|tar\.gz))?)-[0-9a-f]{8}`)

func (d *deposit) envelopesEnd() []string {
	lines := d.end()
	for i := range lines {
		lines[i] = envelopeName.ReplaceAllString(lines[i], "$1")
	}
	slices.Sort(lines)
	return lines
}

// groups are the names of the files in each directory that the sink shows.
func (d *deposit) groups() map[string]string {
	d.t.Helper()
	out := filepath.Join(d.dir, "out")
	all := map[string]string{}
	list, err := os.ReadDir(out)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range list {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		var names []string
		err := fs.WalkDir(os.DirFS(filepath.Join(out, e.Name())), ".", func(p string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				names = append(names, p)
			}
			return err
		})
		if err != nil {
			d.t.Fatal(err)
		}
		all[envelopeName.ReplaceAllString(e.Name(), "$1")] = strings.Join(names, "\n")
	}
	return all
}

// noScratch gives the programs that are run a directory of their own for temporary files, and
// returns what fails the test when one is left there.
func noScratch(t *testing.T) func(where string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return func(where string) {
		t.Helper()
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(left) > 0 {
			t.Fatalf("%s: temporary files are left: %q, %v", where, left, err)
		}
	}
}

// allOrNone fails the test when a group that is shown lacks a file.
func (d *deposit) allOrNone(where string, want map[string]string) {
	d.t.Helper()
	for name, got := range d.groups() {
		if got != want[name] {
			d.t.Fatalf("%s: group %q shows\n%s\nand should hold\n%s", where, name, got, want[name])
		}
	}
}

// whole fails the test when the groups of a run that was left alone are not those of
// envelopeFiles: with them all others are compared.
func whole(t *testing.T, groups map[string]string) {
	t.Helper()
	for name, want := range map[string][]string{
		"depot0":          {"metadata.xml", "délib.pdf", "plan.pdf", "thumbs.db", "envelope.json"},
		"depot0.zip":      {"metadata.xml", "délib.pdf", "plan.pdf", "envelope.json"},
		"flux0":           {"metadata.json", "pes.xml", "A.pdf", "B.pdf", "C.pdf", "envelope.json"},
		"pes0.xml":        {"pes0.xml", "A.pdf", "B.pdf", "C.pdf", "envelope.json"},
		"pivot0.xml":      {"pivot0.xml", "FAC99999999900027F-2024-0.pdf", "PJ01FAC99999999900027F-2024-0.pdf", "envelope.json"},
		"archive0.tar.gz": {"archive0.tar.gz", "EACT--999999999--20240415-3.xml", "envelope.json"},
		"autre0":          {"lettre.txt", "plan.pdf"},
	} {
		for _, file := range want {
			for _, f := range []string{file, file + ".json"} { // its sidecar
				if !slices.Contains(strings.Split(groups[name], "\n"), f) {
					t.Errorf("group %q lacks %q; it holds\n%s", name, f, groups[name])
				}
			}
		}
	}
	if groups["refus0"] != "" {
		t.Errorf("the filter refuses all of a group, which holds\n%s", groups["refus0"])
	}
	if t.Failed() {
		t.FailNow()
	}
}

func TestCrashAdullactAtEveryStep(t *testing.T) {
	bin := program(t)
	clean := noScratch(t)
	files := envelopeFiles(t, 1)
	hit := map[string]bool{}
	kills := 0
	for _, after := range []string{"move", "delete", "leave"} {
		log := filepath.Join(t.TempDir(), "steps")
		calm := newEnvelopes(t, bin, after, files)
		calm.run("", log, 0)
		want, groups := calm.envelopesEnd(), calm.groups()
		whole(t, groups)
		calm.run("", "", 0)
		compare(t, after+": a second run", calm.envelopesEnd(), want)
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, l := range strings.Fields(string(b)) {
			count[l]++
			hit[l] = true
			if after != "move" && (strings.HasPrefix(l, "dir.") || strings.HasPrefix(l, "sink.")) {
				continue // up to the after-action they do the same
			}
			if count[l] > 2 && os.Getenv("VAGUEMESTRE_LONG") == "" && count[l]%5 != 0 {
				continue
			}
			at := fmt.Sprintf("%s:%d", l, count[l])
			d := newEnvelopes(t, bin, after, files)
			if !d.run(at, "", 0) {
				t.Fatalf("%s %s: the run was not killed", after, at)
			}
			kills++
			d.allOrNone(after+" "+at, groups)
			clean(after + " " + at)
			d.run("", "", 0)
			d.run("", "", 0) // what the first run after a crash leaves to the next
			compare(t, after+" "+at, d.envelopesEnd(), want)
		}
	}
	for _, st := range []step.Name{step.LedgerRecord, step.DirWrite, step.DirSync, step.DirRename, step.DirSyncDir, step.SinkPut, step.Settle,
		step.FolderAside, step.FolderPlace, step.FolderRemove} {
		for _, when := range []string{"before", "after"} {
			if !hit[string(st)+":"+when] {
				t.Errorf("step %s was never hit %s", st, when)
			}
		}
	}
	t.Logf("%d kills at %d steps: 0 lost, 0 duplicates, groups all or none", kills, len(hit))
}

func TestCrashAdullactAtRandom(t *testing.T) {
	bin := program(t)
	files := envelopeFiles(t, 4)
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	most := 45
	if os.Getenv("VAGUEMESTRE_LONG") != "" {
		most = 102
	}
	kills, scenes := 0, 0
	afters := []string{"move", "delete", "leave"}
	for i, after := range afters {
		newEnvelopes(t, bin, after, files).run("", "", 0) // the first run of a program takes longer
		calm := newEnvelopes(t, bin, after, files)
		begun := time.Now()
		calm.run("", "", 0)
		took := time.Since(begun)
		want, groups := calm.envelopesEnd(), calm.groups()
		whole(t, groups)
		for kills < most*(i+1)/len(afters) {
			scenes++
			d := newEnvelopes(t, bin, after, files)
			for range 10 {
				if !d.run("", "", time.Duration(random.Int64N(int64(took)))+time.Millisecond) {
					break
				}
				kills++
				d.allOrNone(fmt.Sprintf("%s %d after %d kills", after, scenes, kills), groups)
			}
			d.run("", "", 0)
			d.run("", "", 0)
			compare(t, fmt.Sprintf("%s %d after %d kills", after, scenes, kills), d.envelopesEnd(), want)
		}
	}
	t.Logf("%d kills over %d directories: 0 lost, 0 duplicates, groups all or none", kills, scenes)
}
