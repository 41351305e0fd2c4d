package cold_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/step"
)

func zipOf(files ...file) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		e, _ := w.Create(f.name)
		e.Write([]byte(f.data))
	}
	w.Close()
	return b.String()
}

func tarGz(files ...file) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.data))})
		w.Write([]byte(f.data))
	}
	w.Close()
	z.Close()
	return b.String()
}

// winmail makes a TNEF stream with files.
func winmail(files ...file) string {
	b := binary.LittleEndian.AppendUint32(nil, 0x223e9f78)
	b = append(b, 1, 0)
	attribute := func(tag uint32, data string) {
		b = append(b, 2)
		b = binary.LittleEndian.AppendUint32(b, tag)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(b, data...)
		var sum uint16
		for _, c := range []byte(data) {
			sum += uint16(c)
		}
		b = binary.LittleEndian.AppendUint16(b, sum)
	}
	for _, f := range files {
		attribute(0x00069002, strings.Repeat("\x00", 14))
		attribute(0x00018010, f.name+"\x00")
		attribute(0x0006800f, f.data)
	}
	return string(b)
}

// signed makes an opaque S/MIME file without certificates and signers.
func signed(data string) string {
	der := func(tag byte, parts ...string) string {
		s := strings.Join(parts, "")
		return string([]byte{tag, 0x84, byte(len(s) >> 24), byte(len(s) >> 16), byte(len(s) >> 8), byte(len(s))}) + s
	}
	oid := func(last byte) string { return "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" + string([]byte{last}) }
	return der(0x30, oid(2), der(0xa0, der(0x30, "\x02\x01\x01", "\x31\x00", der(0x30, oid(1), der(0xa0, der(0x04, data))), "\x31\x00")))
}

func allContainers(j *cold.Job) {
	j.Take = cold.Take{Attachments: true, Containers: cold.AllContainers()}
}

// decisions runs j and gives what the ledger then has of every document, by "path › name".
func decisions(t *testing.T, j *cold.Job) map[string]string {
	t.Helper()
	items := map[string]bool{}
	j.OnDecision = func(d cold.Decided) { items[d.Item] = true }
	run(t, j)
	got := map[string]string{}
	for key := range items {
		e, err := j.Ledger.Explain(context.Background(), j.Name, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range e.Docs {
			got[strings.Join(d.Path[1:], " › ")] = string(d.Decision) + ": " + d.Reason + strings.Join(d.Repairs, "; ")
		}
	}
	return got
}

// Documents come out of containers in containers, each with the way it came; the containers
// are passed over, and filters see the inner names.
func TestContainersNested(t *testing.T) {
	t.Parallel()
	inner := string(mail("inner", file{"devis.pdf", "devis"}))
	for name, c := range map[string]struct {
		file file
		want []string
		path string
	}{
		"zip":         {file{"x.zip", zipOf(file{"a.pdf", "1"}, file{"b/c.pdf", "2"})}, []string{"a.pdf=1", "c.pdf=2"}, "zip:x.zip › b › c.pdf"},
		"zip in zip":  {file{"x.zip", zipOf(file{"y.zip", zipOf(file{"a.pdf", "1"})})}, []string{"a.pdf=1"}, "zip:x.zip › zip:y.zip › a.pdf"},
		"no name":     {file{"x.bin", zipOf(file{"a.pdf", "1"})}, []string{"a.pdf=1"}, "zip:x.bin › a.pdf"},
		"eml in zip":  {file{"x.zip", zipOf(file{"m.eml", inner})}, []string{"devis.pdf=devis"}, "zip:x.zip › message/rfc822:m.eml › devis.pdf"},
		"tar.gz":      {file{"x.tar.gz", tarGz(file{"a.pdf", "1"}, file{"b.pdf", "2"})}, []string{"a.pdf=1", "b.pdf=2"}, "tar.gz:x.tar.gz › a.pdf"},
		"winmail.dat": {file{"winmail.dat", winmail(file{"facture.pdf", "f"})}, []string{"facture.pdf=f"}, "tnef:winmail.dat › facture.pdf"},
		"p7m, file":   {file{"contrat.pdf.p7m", signed("%PDF")}, []string{"contrat.pdf=%PDF"}, "p7m:contrat.pdf.p7m › contrat.pdf"},
		"p7m, mail":   {file{"smime.p7m", signed(inner)}, []string{"devis.pdf=devis"}, "p7m:smime.p7m › devis.pdf"},
		"all": {file{"m.eml", string(mail("m", file{"winmail.dat", winmail(file{"smime.p7m", signed(string(mail("i", file{"z.zip",
			zipOf(file{"a.pdf", "deep"})})))})}))}, []string{"a.pdf=deep"},
			"message/rfc822:m.eml › tnef:winmail.dat › p7m:smime.p7m › zip:z.zip › a.pdf"},
		"office document": {file{"lettre.docx", zipOf(file{"[Content_Types].xml", "x"}, file{"a.pdf", "no"})}, []string{"lettre.docx=" + zipOf(file{"[Content_Types].xml", "x"}, file{"a.pdf", "no"})}, "lettre.docx"},
	} {
		j, m, s, _ := newJob(t)
		allContainers(j)
		j.Filters.Exclude = []cold.Filter{filter(t, "*.tmp"), filter(t, "*.zip"), filter(t, "*.gz"), filter(t, "*.dat"), filter(t, "*.p7m"), filter(t, "*.bin")}
		m.AddMail(mail("1", c.file, file{"y.zip", zipOf(file{"z.tmp", "t"})}))
		got := decisions(t, j)
		if have := s.names(); !slices.Equal(have, c.want) {
			t.Errorf("%s: the sink has %.200q", name, have)
		}
		if d := got[c.path]; !strings.HasPrefix(d, "delivered") {
			t.Errorf("%s: %s is %q of %q", name, c.path, d, slices.Sorted(maps.Keys(got)))
		}
		if d := got["zip:y.zip › z.tmp"]; !strings.HasPrefix(d, "refused") {
			t.Errorf("%s: the inner name was not filtered: %q", name, d)
		}
		if d := got["y.zip"]; !strings.HasPrefix(d, "passed: take: a container is taken apart") {
			t.Errorf("%s: the container is %q", name, d)
		}
	}
}

// Without Take.Containers, nothing is opened; each kind is opened only if it is named.
func TestContainersAreAsked(t *testing.T) {
	t.Parallel()
	files := []file{{"x.zip", zipOf(file{"a.pdf", "1"})}, {"x.tgz", tarGz(file{"b.pdf", "2"})}, {"winmail.dat", winmail(file{"c.pdf", "3"})}, {"d.pdf.p7m", signed("4")}}
	for _, c := range []struct {
		kinds []cold.Container
		want  string
	}{
		{nil, "d.pdf.p7m winmail.dat x.tgz x.zip"},
		{[]cold.Container{cold.ContainerZip}, "a.pdf d.pdf.p7m winmail.dat x.tgz"},
		{[]cold.Container{cold.ContainerTar}, "d.pdf.p7m winmail.dat x.tgz x.zip"},
		{[]cold.Container{cold.ContainerGzip}, "d.pdf.p7m winmail.dat x.tar x.zip"},
		{[]cold.Container{cold.ContainerGzip, cold.ContainerTar}, "b.pdf d.pdf.p7m winmail.dat x.zip"},
		{[]cold.Container{cold.ContainerTNEF}, "c.pdf d.pdf.p7m x.tgz x.zip"},
		{[]cold.Container{cold.ContainerP7M}, "d.pdf.p7m d.pdf winmail.dat x.tgz x.zip"},
	} {
		j, m, s, _ := newJob(t)
		j.Take.Containers = c.kinds // and the rest as by default
		m.AddMail(mail("1", files...))
		run(t, j)
		var names []string
		for _, n := range s.names() {
			name, _, _ := strings.Cut(n, "=")
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.kinds, got, c.want)
		}
	}
	j, _, _, _ := newJob(t)
	j.Take.Containers = []cold.Container{"rar"}
	if err := j.Check(); err == nil || !strings.Contains(err.Error(), `"rar"`) {
		t.Errorf("Check of an unknown kind: %v", err)
	}
}

// A mail in an archive is treated as Nested says.
func TestContainersNestedMails(t *testing.T) {
	t.Parallel()
	inner := string(mail("inner", file{"a.pdf", "1"}))
	for nested, want := range map[cold.Nested][]string{
		cold.NestedExpand: {"a.pdf=1"}, cold.NestedKeep: {"m.eml=" + inner}, cold.NestedBoth: {"a.pdf=1", "m.eml=" + inner}, cold.NestedNone: nil,
	} {
		j, m, s, _ := newJob(t)
		allContainers(j)
		j.Take.Nested = nested
		m.AddMail(mail("1", file{"x.zip", zipOf(file{"m.eml", inner})}))
		run(t, j)
		if got := s.names(); !slices.Equal(got, want) {
			t.Errorf("%s: the sink has %q", nested, got)
		}
	}
}

// A container that cannot be opened is handed over with the reason, whatever the filters
// say; what came out of a damaged one is kept, nothing of a bomb or beyond a limit.
func TestContainersKept(t *testing.T) {
	t.Parallel()
	bomb := zipOf(file{"zeros.pdf", strings.Repeat("\x00", 12<<20)})
	damaged := []byte(zipOf(file{"a.pdf", "sound"}, file{"b.pdf", "broken"}))
	damaged[bytes.Index(damaged, []byte("b.pdf"))+5+4] ^= 1
	locked := []byte(zipOf(file{"a.pdf", "sound"}))
	for i := range locked {
		if bytes.HasPrefix(locked[i:], []byte("PK\x01\x02")) {
			locked[i+8] |= 1
		}
	}
	deep := zipOf(file{"a.pdf", "1"})
	for i := range 6 {
		deep = zipOf(file{fmt.Sprintf("z%d.zip", i), deep})
	}
	var many []file
	for i := range 60 {
		many = append(many, file{fmt.Sprintf("%d.pdf", i), "x"})
	}
	for name, c := range map[string]struct {
		data  string
		why   string
		names []string
	}{
		"bomb":      {bomb, "a bomb", []string{"x.zip"}},
		"damaged":   {string(damaged), "damaged", []string{"a.pdf", "x.zip"}},
		"cut":       {deep[:len(deep)/2], "damaged", []string{"x.zip"}},
		"encrypted": {string(locked), "encrypted", []string{"x.zip"}},
		"many":      {zipOf(many...), "beyond a limit", []string{"x.zip"}},
		"deep":      {deep, "it lies in 5 containers", []string{"z1.zip"}},
	} {
		j, m, s, _ := newJob(t)
		allContainers(j)
		j.Limits.Parts = 50
		j.Filters.Include = []cold.Filter{filter(t, "*.pdf")}
		m.AddMail(mail("1", file{"x.zip", c.data}, file{"other.pdf", "o"}))
		got := decisions(t, j)
		var names []string
		for _, n := range s.names() {
			if n, _, _ = strings.Cut(n, "="); n != "other.pdf" {
				names = append(names, n)
			}
		}
		if !slices.Equal(names, c.names) || len(s.docs) != len(c.names)+1 {
			t.Errorf("%s: the sink has %q, want %q", name, names, c.names)
		}
		if !strings.Contains(fmt.Sprint(got), c.why) {
			t.Errorf("%s: no reason says %q: %q", name, c.why, got)
		}
	}
}

// All containers of an item share its bounds: many small bombs are no way around them.
func TestContainersShareBounds(t *testing.T) {
	t.Parallel()
	j, m, s, _ := newJob(t)
	allContainers(j)
	j.Limits.ItemSize = 1 << 20
	var files []file
	for i := range 40 {
		files = append(files, file{fmt.Sprintf("%d.zip", i), zipOf(file{"a.pdf", strings.Repeat(fmt.Sprint(i), 300<<10)})})
	}
	m.AddMail(mail("1", files...))
	run(t, j)
	var sum int
	for _, d := range s.docs {
		sum += len(d)
	}
	if len(s.docs) != 40 || sum < 1<<20 || sum > 5<<20 {
		t.Errorf("%d documents of %d bytes", len(s.docs), sum)
	}
}

// Entries of one name are two documents, a path leads nowhere, and what is not a file is
// told.
func TestContainersHostileNames(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{{Name: "../../etc/passwd", Size: 1}, {Name: "/abs/a.pdf", Size: 1}, {Name: `C:\win\a.pdf`, Size: 1}, {Name: "a.pdf", Size: 1},
		{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, {Name: "d", Typeflag: tar.TypeChar}} {
		h.Mode, h.Format = 0o600, tar.FormatGNU
		w.WriteHeader(&h)
		if h.Size > 0 {
			w.Write([]byte("x"))
		}
	}
	w.Close()
	j, m, s, _ := newJob(t)
	allContainers(j)
	m.AddMail(mail("1", file{"x.tar", b.String()}))
	got := decisions(t, j)
	if names := s.names(); !slices.Equal(names, []string{"a.pdf=x", "a.pdf=x", "a.pdf=x", "passwd=x"}) {
		t.Errorf("the sink has %q", names)
	}
	for _, p := range []string{"tar:x.tar › ../../etc › passwd", "tar:x.tar › /abs › a.pdf", `tar:x.tar › C:\win › a.pdf`, "tar:x.tar › a.pdf"} {
		if !strings.HasPrefix(got[p], "delivered") {
			t.Errorf("%s: %q", p, got)
		}
	}
	if d := got["x.tar"]; !strings.Contains(d, `"l" is a link`) || !strings.Contains(d, `"d" is a device`) {
		t.Errorf("the archive: %q", d)
	}
}

// A file that was dropped into a folder is opened as an attachment is; what a decoder knows
// and what belongs to a group is not.
func TestContainersAndDecoders(t *testing.T) {
	t.Parallel()
	j, m, s, _ := newJob(t)
	allContainers(j)
	j.Decoders = []cold.Decoder{scripted(func(d *cold.Document, out func(string, string, io.Reader) error) error {
		if d.Name != "envelope.zip" {
			return cold.ErrNotMine
		}
		return out("piece.zip", "envelope", strings.NewReader(zipOf(file{"hidden.pdf", "h"})))
	})}
	m.AddMail(mail("1", file{"x.zip", zipOf(file{"envelope.zip", zipOf(file{"no.pdf", "n"})}, file{"a.pdf", "1"})}))
	run(t, j)
	if got := s.names(); len(got) != 2 || got[0] != "a.pdf=1" || !strings.HasPrefix(got[1], "piece.zip=") {
		t.Errorf("the sink has %.100q", got)
	}
}

// The same documents come under the same keys after a crash at any step: none is lost and
// none comes twice.
func TestCrashContainers(t *testing.T) {
	fill := func(j *cold.Job, add func([]byte)) {
		allContainers(j)
		inner := string(mail("inner", file{"devis.pdf", "devis"}))
		add(mail("1", file{"x.zip", zipOf(file{"a.pdf", "1"}, file{"a.pdf", "1"}, file{"a.pdf", "2"}, file{"y.zip", zipOf(file{"b.pdf", "3"})}, file{"m.eml", inner})}))
		add(mail("2", file{"winmail.dat", winmail(file{"f.pdf", "f"})}, file{"smime.p7m", signed(inner)}, file{"bad.zip", "PK\x03\x04junk"}))
	}
	j, m, s, _ := newJob(t)
	fill(j, func(b []byte) { m.AddMail(b) })
	run(t, j)
	run(t, j)
	want := slices.Sorted(maps.Keys(s.docs))
	if len(want) != 9 {
		t.Fatalf("%d documents: %q", len(want), s.names())
	}
	hits := 0
	for _, st := range []step.Name{step.SinkPut, step.Settle} {
		for _, after := range []bool{false, true} {
			for nth := 1; nth < 10; nth++ {
				j, m, s, l := newJob(t)
				j.After = cold.MoveTo("x")
				fill(j, func(b []byte) { m.AddMail(b) })
				n := 0
				step.Set(func(name step.Name, a bool) {
					if name == st && a == after {
						if n++; n == nth {
							panic("crash")
						}
					}
				})
				die(j)
				step.Set(nil)
				l.Crash()
				for range 3 {
					run(t, j)
				}
				if len(s.docs) != len(want) || len(m.Contents("x")) != 2 {
					t.Errorf("%s after=%v, time %d: %d documents, %d mails moved", st, after, nth, len(s.docs), len(m.Contents("x")))
				}
				if n < nth {
					break
				}
				hits++
			}
		}
	}
	if hits < 4 {
		t.Errorf("only %d crashes", hits)
	}
}
