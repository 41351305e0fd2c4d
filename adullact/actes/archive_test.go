package actes

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

const base = "034-999999999-20240415-2024_DEL_012-DE"

// entry is one of a tar.
type entry struct {
	name, content string
	flag          byte
	link          string
}

func tarred(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.flag == 0 {
			e.flag = tar.TypeReg
		}
		h := &tar.Header{Name: e.name, Typeflag: e.flag, Linkname: e.link, Size: int64(len(e.content)), Mode: 0o644}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t testing.TB, root string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/messages/" + root + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// transmission is an act on its way, whole and without fault.
func transmission(t testing.TB) []entry {
	return []entry{
		{name: "EACT--999999999--20240415-3.xml", content: read(t, "EnveloppeCLMISILL")},
		{name: base + "-1-1_0.xml", content: read(t, "Acte")},
		{name: "99_DE-" + base + "-1-1_1.pdf", content: "%PDF-1.4 délibération"},
		{name: "99_AU-" + base + "-1-1_2.pdf", content: "%PDF-1.4 annexe"},
		{name: "99_SE-" + base + "-1-1_3.p7s", content: "0\x03"},
	}
}

// outcome reads an archive and says what came out: "role name type media=content" each.
func outcome(t *testing.T, data []byte, o Options) (a *Archive, out []string, err error) {
	t.Helper()
	var got []payload.File
	o.Out = func(f *payload.File, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		if f.Size != int64(len(b)) || f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%+v: %d bytes came", f, len(b))
		}
		got = append(got, *f)
		if f.Role != RoleEnvelope && f.Role != RoleMessage {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s=%.40q", f.Role, f.Name, f.Type, f.MediaType, b)))
		} else {
			out = append(out, f.Role+" "+f.Name)
		}
		return nil
	}
	a, err = DecodeArchive(t.Context(), bytes.NewReader(data), &o)
	if err == nil && !slices.Equal(got, a.Files) {
		t.Errorf("Out got %+v, Files are %+v", got, a.Files)
	}
	return a, out, err
}

// Roles do not depend on the order, the name of the archive, upper case or the wrapping.
func TestArchive(t *testing.T) {
	t.Parallel()
	want := []string{
		"annexe 99_AU-" + base + "-1-1_2.pdf 99_AU application/pdf=" + `"%PDF-1.4 annexe"`,
		"document 99_DE-" + base + "-1-1_1.pdf 99_DE application/pdf=" + `"%PDF-1.4 délibération"`,
		"envelope EACT--999999999--20240415-3.xml", "message " + base + "-1-1_0.xml",
		"signature 99_SE-" + base + `-1-1_3.p7s 99_SE ="0\x03"`,
	}
	entries := transmission(t)
	backwards := slices.Clone(entries)
	slices.Reverse(backwards)
	dotted := slices.Clone(entries)
	for i := range dotted {
		dotted[i].name = "./" + dotted[i].name
	}
	folder := []entry{{name: "envoi/", flag: tar.TypeDir}}
	for _, e := range entries {
		e.name = "envoi/" + e.name
		folder = append(folder, e)
	}
	half := len(gzipped(t, tarred(t, entries...))) / 2
	raw := tarred(t, entries...)
	for _, c := range []struct {
		name, archive string
		data          []byte
		deviation     string
	}{
		{"envelope first", "SLO-EACT--999999999--20240415-3.tar.gz", gzipped(t, raw), ""},
		{"envelope last", "acte.tar.gz", gzipped(t, tarred(t, backwards...)), ""},
		{"dots", "", gzipped(t, tarred(t, dotted...)), ""},
		{"folder", "", gzipped(t, tarred(t, folder...)), "the files of the archive lie in a directory"},
		{"plain tar", "", raw, "the archive is not compressed"},
		{"padded", "", append(gzipped(t, raw), 0, 0, 0), "something stands after the archive"},
		{"line end", "", append(gzipped(t, raw), "\r\n"...), "something stands after the archive"},
		{"two members", "", append(gzipped(t, raw[:half]), gzipped(t, raw[half:])...), ""},
		{"another name", "SLO-EACT--999999999--20240415-4.tar.gz", gzipped(t, raw), "the archive is not named for its envelope"},
	} {
		a, out, err := outcome(t, c.data, Options{Name: c.archive})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		slices.Sort(out)
		if !slices.Equal(out, want) {
			t.Errorf("%s: %q", c.name, out)
		}
		var got []string
		for _, d := range a.Deviations {
			got = append(got, d.Reason)
		}
		if strings.Join(got, "|") != c.deviation || len(a.Messages) != 1 || a.Envelope == nil || len(a.Messages[0].Deviations)+len(a.Envelope.Deviations) != 0 {
			t.Errorf("%s: %q, %+v", c.name, got, a)
		}
		if f := a.Fields(); f["acte_unique_id"] != base || f["arrondissement"] != "1" || f["message"] != "Acte" || f["siren"] != "999999999" {
			t.Errorf("%s: %v", c.name, f)
		}
	}
}

// What does not fit together is told, and every file comes out all the same.
func TestArchiveDeviations(t *testing.T) {
	t.Parallel()
	edit := func(f func([]entry) []entry) []entry { return f(transmission(t)) }
	for _, c := range []struct {
		name    string
		entries []entry
		want    string
	}{
		{"no envelope", edit(func(e []entry) []entry { return e[1:] }), "the archive has no envelope"},
		{"missing", edit(func(e []entry) []entry { return e[:4] }), `it names "99_SE-` + base + `-1-1_3.p7s", which is not in the archive`},
		{"no message", edit(func(e []entry) []entry { return e[:1] }), `it names "` + base + `-1-1_0.xml", which is not in the archive`},
		{"unnamed", edit(func(e []entry) []entry { return append(e, entry{name: "message_body.html", content: "<html></html>"}) }), "no message names it"},
		{"twice", edit(func(e []entry) []entry { return append(e, entry{name: strings.ToUpper(e[2].name), content: "other"}) }), "the archive holds two files of this name"},
		{"two envelopes", edit(func(e []entry) []entry { return append(e, entry{name: "second.xml", content: e[0].content}) }), "the archive holds more than one envelope|the envelope does not name this message"},
		{"damaged message", edit(func(e []entry) []entry { e[1].content = e[1].content[:300]; return e[:2] }),
			"actes: the message is damaged, ask its sender for another: it ends within the document at byte 298 in Acte|the envelope says that it is a message, and it cannot be read as one"},
		{"message of another kind", edit(func(e []entry) []entry { e[1].content = "<a/>"; return e[:2] }), "the envelope says that it is a message, and it cannot be read as one"},
		{"unnamed message", edit(func(e []entry) []entry { return append(e, entry{name: "x.xml", content: read(t, "Annulation")}) }), "the envelope does not name this message"},
		{"the other way", []entry{{name: "EACT--PREF034-999999999-20240416-12.xml", content: strings.ReplaceAll(read(t, "EnveloppeMISILLCL"), "999999999", "999999998")},
			{name: base + "-1-2_1.xml", content: read(t, "Annulation")}},
			`it names "034-999999998-20240415-2024_DEL_012-DE-1-2_1.xml", which is not in the archive` +
				"|the envelope does not name this message|it goes the other way than its envelope|it has another SIREN than its envelope"},
		{"acknowledgement", []entry{{name: "EACT--PREF034-999999999-20240416-12.xml", content: read(t, "EnveloppeMISILLCL")}, {name: base + "-1-2_1.xml", content: read(t, "ARActe")}}, ""},
		{"anomaly alone", []entry{{name: "ANO_EACT--999999999--20240415-3.xml", content: read(t, "AnomalieEnveloppe")}}, ""},
		{"only a name", []entry{{name: "EACT--999999999--20240415-3.xml", content: "damaged"}}, "no message names it|the archive has no envelope"},
	} {
		data := gzipped(t, tarred(t, c.entries...))
		a, out, err := outcome(t, data, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, d := range a.Deviations {
			got = append(got, d.Reason)
		}
		if c.name == "unnamed" && a.Files[5].MediaType != "text/html" {
			t.Errorf("%+v", a.Files[5])
		}
		if s := strings.Join(got, "|"); s != c.want || len(out) != len(c.entries) {
			t.Errorf("%s: %s, want %s; %q", c.name, s, c.want, out)
		}
	}
}

// The answer of the prefecture, as it comes.
func TestAcknowledgement(t *testing.T) {
	t.Parallel()
	const name = "SLO-EACT--PREF034-999999999-20240416-12.tar.gz"
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	a, out, err := outcome(t, data, Options{Name: name})
	if err != nil || len(a.Deviations) != 0 || !slices.Equal(out, []string{"message " + base + "-1-2_1.xml", "envelope EACT--PREF034-999999999-20240416-12.xml"}) {
		t.Fatalf("%+v, %q, %v", a, out, err)
	}
	if f := a.Fields(); f["date_ar"] != "2024-04-16" || f["acte_unique_id"] != base || f["siren"] != "999999999" {
		t.Errorf("%v", f)
	}
}

// An annex may itself be a message of ACTES: what the act names is a document.
func TestMessageAsAnnex(t *testing.T) {
	t.Parallel()
	e := transmission(t)
	e[3].content = read(t, "ARActe")
	a, out, err := outcome(t, gzipped(t, tarred(t, e...)), Options{})
	if err != nil || len(a.Messages) != 1 || len(a.Deviations) != 0 || !strings.HasPrefix(out[3], "annexe ") {
		t.Errorf("%+v, %q, %v", a, out, err)
	}
}

// Signatures that the XML holds come out as files, under names that lead nowhere.
func TestSignaturesInside(t *testing.T) {
	t.Parallel()
	sig := "</NomFichier><Signature>" + base64.StdEncoding.EncodeToString([]byte{0x30, 3, 2, 1, 1}) + "</Signature>"
	e := []entry{{name: base + "-1-1_0.xml", content: act("</NomFichier>", sig)}}
	_, out, err := outcome(t, gzipped(t, tarred(t, e...)), Options{})
	if want := `signature 034-999999999-20240415-N1-DE-1-1_1.pdf.p7s  application/pkcs7-signature="0\x03\x02\x01\x01"`; err != nil || len(out) != 2 || out[1] != want {
		t.Errorf("%q, %v", out, err)
	}
	e[0].content = act("</NomFichier>", sig, "034-999999999-20240415-N1-DE-1-1_1.pdf", "../../etc/passwd")
	if _, out, err = outcome(t, gzipped(t, tarred(t, e...)), Options{}); err != nil || len(out) != 2 || !strings.HasPrefix(out[1], "signature signature-1.p7s ") {
		t.Errorf("%q, %v", out, err)
	}
}

// block is the header of an entry, which archive/tar would not write.
func block(name string, flag byte, size int64) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x0000000000000\x00        ", size))
	b[156] = flag
	copy(b[257:], "ustar\x0000")
	seal(b)
	return b
}

func seal(b []byte) {
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
}

// sparseGNU claims 8 GB and holds nothing.
func sparseGNU() []byte {
	b := block(base+"-1-1_1.pdf", tar.TypeGNUSparse, 0)
	copy(b[257:], "ustar  \x00")
	copy(b[386:], "00000000000\x0000000000000\x00") // one part of no bytes at 0
	copy(b[483:], "77777777777\x00")
	seal(b)
	return append(b, make([]byte, 1024)...)
}

// sparsePAX makes 1 MB of nothing, in the way of PAX.
func sparsePAX() []byte {
	var records string
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=x.pdf", "GNU.sparse.realsize=1048576"} {
		n := len(r) + 4
		records += fmt.Sprintf("%d %s\n", n, r)
	}
	pad := func(s string) []byte { return append([]byte(s), make([]byte, (512-len(s)%512)%512)...) }
	b := append(block("x", tar.TypeXHeader, int64(len(records))), pad(records)...)
	b = append(b, block("x.pdf", tar.TypeReg, 512)...)
	b = append(b, pad("0\n")...)
	return append(b, make([]byte, 1024)...)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// bomb is a tar.gz with an entry of n zero bytes.
func bomb(t *testing.T, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: base + "-1-1_1.pdf", Size: n, Mode: 0o644})); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, zeros{}, n); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Tricks and bombs end soon, as poison, before anything came out.
func TestArchiveRefused(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, tarred(t, transmission(t)...))
	flipped := slices.Clone(whole)
	flipped[len(flipped)-6] ^= 1 // in the checksum
	with := func(e entry) []byte { return gzipped(t, tarred(t, append(transmission(t), e)...)) }
	many := make([]entry, 101)
	for i := range many {
		many[i] = entry{name: fmt.Sprint(i)}
	}
	var messages []entry
	for i := range 300 {
		messages = append(messages, entry{name: fmt.Sprintf("%d.xml", i), content: act("</Acte>", strings.Repeat("<Annexes><Annexe/></Annexes>", 100)+"</Acte>")})
	}
	for name, data := range map[string][]byte{
		"cut": whole[:len(whole)-20], "cut short": whole[:12], "checksum": flipped, "header": append([]byte{0x1f, 0x8b, 9}, make([]byte, 30)...),
		"parent": with(entry{name: "../evil.pdf"}), "parent within": with(entry{name: "a/../../evil.pdf"}), "absolute": with(entry{name: "/etc/passwd"}),
		"drive": with(entry{name: "C:evil.pdf"}), "backslash": with(entry{name: `..\evil.pdf`}), "control": with(entry{name: "a\nb.pdf"}),
		"long name": with(entry{name: strings.Repeat("x", 300)}), "dot": with(entry{name: "a/."}), "two slashes": with(entry{name: "a//", flag: tar.TypeDir}),
		"symlink": with(entry{name: "l.pdf", flag: tar.TypeSymlink, link: "/etc/passwd"}), "hard link": with(entry{name: "l.pdf", flag: tar.TypeLink, link: base + "-1-1_0.xml"}),
		"device": with(entry{name: "d.pdf", flag: tar.TypeChar}), "fifo": with(entry{name: "f.pdf", flag: tar.TypeFifo}),
		"sparse": gzipped(t, sparseGNU()), "sparse, the newer way": gzipped(t, sparsePAX()),
		"headers without end": gzipped(t, bytes.Repeat(append(block("x", tar.TypeXHeader, 1<<19), []byte("524288 comment="+strings.Repeat("x", 1<<19-16)+"\n")...), 24)),
		"bomb":                bomb(t, 12<<20), "lying size": bomb(t, 4096)[:60], "entries": gzipped(t, tarred(t, many...)), "large": bomb(t, 1<<20),
	} {
		o := Options{}
		switch name {
		case "large":
			o.Limits.Entry = 1<<20 - 1
		case "entries":
			o.Limits.Entries = 100
		}
		began := time.Now()
		_, out, err := outcome(t, data, o)
		if errors.Is(err, ErrNotActes) || vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || !strings.HasPrefix(err.Error(), "actes: ") || len(err.Error()) > 500 || len(out) != 0 {
			t.Errorf("%s: %v, %q", name, err, out)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
	for name, data := range map[string][]byte{
		"empty": {}, "text": []byte("hello"), "gzip of text": gzipped(t, []byte(strings.Repeat("hello\n", 1000))), "gzip of nothing": gzipped(t, nil),
		"empty tar": gzipped(t, tarred(t)), "other files": gzipped(t, tarred(t, entry{name: "a.pdf", content: "%PDF-1.4"}, entry{name: "b.xml", content: "<b/>"})),
	} {
		if _, out, err := outcome(t, data, Options{}); !errors.Is(err, ErrNotActes) || len(out) != 0 {
			t.Errorf("%s: %v, %q", name, err, out)
		}
	}
	// The limits hold for all messages together: 101 files in each.
	a, _, err := outcome(t, gzipped(t, tarred(t, messages...)), Options{})
	if err != nil || len(a.Messages) != 198 || len(a.Deviations) != maxDeviations+1 {
		t.Errorf("%d messages, %d deviations, %v", len(a.Messages), len(a.Deviations), err)
	}
	for i := range messages {
		messages[i].content = act()
	}
	a, _, err = outcome(t, gzipped(t, tarred(t, messages...)), Options{Limits: Limits{XML: int64(len(act())) + 10}})
	if err != nil || len(a.Messages) != 4 {
		t.Errorf("%d messages, %v", len(a.Messages), err)
	}
}

// A large document costs no more memory than a small one.
func TestArchiveMemory(t *testing.T) {
	const size = 12 << 20
	var b bytes.Buffer
	gz, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(gz)
	for name, n := range map[string]int64{base + "-1-1_1.pdf": size, base + "-1-1_2.xml": size} {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: n, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, io.MultiReader(strings.NewReader("<budget>"), io.LimitReader(zeros{}, n-8))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var got int64
	_, err = DecodeArchive(t.Context(), bytes.NewReader(b.Bytes()), &Options{Out: func(_ *payload.File, r io.Reader) error {
		n, err := io.Copy(io.Discard, r)
		got += n
		return err
	}})
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err != nil || got != 2*size || used > 4<<20 {
		t.Errorf("%d bytes came, %d kB were allocated, %v", got, used>>10, err)
	}
}

func TestArchiveReader(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, tarred(t, transmission(t)...))
	// It begins where the reader stands.
	r := bytes.NewReader(append([]byte("before"), whole...))
	if _, err := r.Seek(6, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	n := 0
	count := func(*payload.File, io.Reader) error { n++; return nil }
	if _, err := DecodeArchive(t.Context(), r, &Options{Out: count}); err != nil || n != 5 {
		t.Errorf("%d files, %v", n, err)
	}
	enough := errors.New("enough")
	n = 0
	_, err := DecodeArchive(t.Context(), bytes.NewReader(whole), &Options{Out: func(*payload.File, io.Reader) error { n++; return enough }})
	if err != enough || n != 1 {
		t.Errorf("%d files, %v", n, err)
	}
	_, err = DecodeArchive(t.Context(), brokenReader{iotest.ErrReader(io.ErrClosedPipe)}, nil)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassSource || !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	_, err = DecodeArchive(t.Context(), brokenReader{io.MultiReader(bytes.NewReader(whole[:600]), iotest.ErrReader(io.ErrClosedPipe))}, nil)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassSource || !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = DecodeArchive(ctx, bytes.NewReader(whole), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Error(err)
	}
	// The second pass finds another archive.
	other := transmission(t)
	other[2].name = "other.pdf"
	if _, err = DecodeArchive(t.Context(), &changing{parts: [][]byte{whole, gzipped(t, tarred(t, other...))}}, &Options{Out: count}); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
		t.Error(err)
	}
}

type brokenReader struct{ io.Reader }

func (brokenReader) Seek(int64, int) (int64, error) { return 0, nil }

// changing holds another content after each Seek.
type changing struct {
	parts [][]byte
	bytes.Reader
}

func (c *changing) Seek(int64, int) (int64, error) {
	if len(c.parts) > 0 {
		c.Reset(c.parts[0])
		c.parts = c.parts[1:]
	}
	return 0, nil
}
