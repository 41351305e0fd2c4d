package chorus

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

// makePDF builds a PDF: objects by number from 1, 1 being the catalog. Those in packed go
// into an object stream, and the cross-references into a stream.
func makePDF(objects []string, packed bool) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	n := len(objects)
	if !packed {
		at := make([]int, n)
		for i, o := range objects {
			at[i] = b.Len()
			fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
		}
		x := b.Len()
		fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", n+1)
		for _, p := range at {
			fmt.Fprintf(&b, "%010d 00000 n \n", p)
		}
		fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", n+1, x)
		return b.Bytes()
	}
	var index, body strings.Builder
	var rows bytes.Buffer
	row := func(kind byte, a, b int) {
		rows.Write([]byte{kind, byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a), byte(b)})
	}
	row(0, 0, 0)
	inside := 0
	at := map[int]int{}
	for i, o := range objects {
		if strings.Contains(o, "stream\n") {
			at[i] = b.Len()
			fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
			continue
		}
		fmt.Fprintf(&index, "%d %d ", i+1, body.Len())
		body.WriteString(o + "\n")
		inside++
	}
	k := 0
	for i := range objects {
		if p, ok := at[i]; ok {
			row(1, p, 0)
		} else {
			row(2, n+1, k)
			k++
		}
	}
	row(1, b.Len(), 0)
	fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", n+1, makeStream(fmt.Sprintf("/Type /ObjStm /N %d /First %d", inside, index.Len()), []byte(index.String()+body.String())))
	x := b.Len()
	row(1, x, 0)
	fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", n+2, makeStream(fmt.Sprintf("/Type /XRef /W [1 4 1] /Size %d /Root 1 0 R", n+3), rows.Bytes()))
	fmt.Fprintf(&b, "startxref\n%d\n%%%%EOF\n", x)
	return b.Bytes()
}

func makeStream(dict string, content []byte) string {
	var z bytes.Buffer
	w, _ := zlib.NewWriterLevel(&z, zlib.BestCompression)
	w.Write(content)
	w.Close()
	return fmt.Sprintf("<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", dict, z.Len(), z.String())
}

const pdfPages = "<< /Type /Pages /Kids [] /Count 0 >>"

// facturX is a PDF that holds xml under that name, by the tree of names or by /AF alone.
func facturX(name string, xml []byte, packed, tree bool) []byte {
	where := "/AF [3 0 R]"
	if tree {
		where = fmt.Sprintf("/Names << /EmbeddedFiles << /Names [(%s) 3 0 R] >> >>", name)
	}
	return makePDF([]string{
		"<< /Type /Catalog /Pages 2 0 R " + where + " >>", pdfPages,
		fmt.Sprintf("<< /Type /Filespec /F (%s) /UF (%s) /AFRelationship /Data /EF << /F 4 0 R >> >>", name, name),
		makeStream("/Type /EmbeddedFile /Subtype /text#2Fxml", xml),
	}, packed)
}

// The XML comes out of a PDF under each of its names, whether by the tree of names or by
// /AF, with and without object streams.
func TestPDF(t *testing.T) {
	t.Parallel()
	xml := ciiFixture("")
	for _, name := range []string{"factur-x.xml", "ZUGFeRD-invoice.xml", "zugferd-invoice.xml", "xrechnung.xml"} {
		for _, packed := range []bool{false, true} {
			for _, tree := range []bool{false, true} {
				pdf := facturX(name, append([]byte("\xef\xbb\xbf"), xml...), packed, tree)
				var got payload.File
				var text []byte
				flow, err := DecodePDF(t.Context(), bytes.NewReader(pdf), int64(len(pdf)), &Options{Out: func(f *payload.File, r io.Reader) (err error) {
					got = *f
					text, err = io.ReadAll(r)
					return err
				}})
				if err != nil {
					t.Errorf("%s, packed %t, tree %t: %v", name, packed, tree, err)
					continue
				}
				if got.Name != name || got.Role != "facturx" || got.Size != int64(len(text)) || !bytes.HasSuffix(text, xml) {
					t.Errorf("%s: out got %+v", name, got)
				}
				if len(flow.Invoices) != 1 || flow.Invoices[0].Number != "F-2024-7" || flow.Source != name {
					t.Errorf("%s: %+v", name, flow)
				}
			}
		}
	}
}

// What cannot be an invoice ends with a typed error that holds nothing of the file, and no
// panic: no PDF, a cut one, one without XML, one whose XML is damaged, every cut and a
// byte changed anywhere.
func TestPDFRefused(t *testing.T) {
	t.Parallel()
	whole := facturX("factur-x.xml", ciiFixture(""), true, true)
	tests := map[string]struct {
		pdf  []byte
		want error
	}{
		"empty":            {nil, nil},
		"way too small":    {[]byte("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj"), nil},
		"no pdf":           {[]byte(strings.Repeat("secret text ", 200)), nil},
		"other attachment": {facturX("plan.xml", ciiFixture(""), false, true), ErrNoInvoice},
		"no attachment":    {makePDF([]string{"<< /Type /Catalog /Pages 2 0 R >>", pdfPages}, false), ErrNoInvoice},
		"xml of others":    {facturX("factur-x.xml", []byte("<secret/>"), false, true), ErrUnknown},
		"stream missing": {makePDF([]string{"<< /Type /Catalog /Pages 2 0 R /AF [3 0 R] >>", pdfPages,
			"<< /F (factur-x.xml) /EF << /F 9 0 R >> >>"}, false), nil},
		"tree that is a ring": {makePDF([]string{"<< /Type /Catalog /Pages 2 0 R /Names << /EmbeddedFiles 3 0 R >> >>", pdfPages,
			"<< /Kids [3 0 R 3 0 R 3 0 R 3 0 R] >>"}, false), ErrNoInvoice},
	}
	for name, tt := range tests {
		_, err := DecodePDF(t.Context(), bytes.NewReader(tt.pdf), int64(len(tt.pdf)), nil)
		var own *vaguemestre.Error
		if !errors.As(err, &own) || own.Class != vaguemestre.ClassPoison || tt.want != nil && !errors.Is(err, tt.want) || strings.Contains(fmt.Sprint(err), "secret text") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := 0; i < len(whole); i += 11 {
		for _, pdf := range [][]byte{whole[:i], append(append(bytes.Clone(whole[:i]), whole[i]^0x15), whole[i+1:]...)} {
			if _, err := DecodePDF(t.Context(), bytes.NewReader(pdf), int64(len(pdf)), nil); err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := DecodePDF(ctx, bytes.NewReader(whole), int64(len(whole)), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("canceled: %v", err)
	}
}

// pdfBombs are small files that want to become large or to take long.
func pdfBombs() map[string][]byte {
	catalog := "<< /Type /Catalog /Pages 2 0 R /AF [3 0 R] >>"
	spec := "<< /F (factur-x.xml) /EF << /F 4 0 R >> >>"
	zeros := func(n int) []byte { return bytes.Repeat([]byte("0 "), n/2) }
	m := map[string][]byte{
		"large xml":         makePDF([]string{catalog, pdfPages, spec, makeStream("/Type /EmbeddedFile", bytes.Repeat([]byte("<a>"), 7<<20))}, false),
		"depth of arrays":   makePDF([]string{strings.Repeat("[", 1<<20), pdfPages}, false),
		"depth of dicts":    makePDF([]string{strings.Repeat("<</A", 1<<19), pdfPages}, false),
		"ring of pages":     makePDF([]string{catalog, "<< /Type /Pages /Kids [2 0 R] /Count 1000000000 >>", spec, makeStream("", ciiFixture(""))}, false),
		"ring of lengths":   makePDF([]string{catalog, pdfPages, spec, "<< /Length 4 0 R >>\nstream\nx\nendstream"}, false),
		"ring of filters":   makePDF([]string{catalog, pdfPages, spec, makeStream("/Filter [/FlateDecode /FlateDecode /FlateDecode /FlateDecode]", zeros(10<<20))}, false),
		"no end of objects": []byte("%PDF-1.7\n" + strings.Repeat("1 0 obj\n<<", 50_000)),
		"no end of streams": []byte("%PDF-1.7\n" + strings.Repeat("1 0 obj\n<</Length 9>>stream\n", 50_000)),
		"trailers":          []byte("%PDF-1.7\n" + strings.Repeat("trailer << /Prev 9 /Root 1 0 R >>\nstartxref\n9\n%%EOF\n", 20_000)),
		"long line":         []byte("%PDF-1.7\n" + strings.Repeat("x", 4<<20) + "\nstartxref\n9\n%%EOF\n"),
		"references":        []byte("%PDF-1.7\nxref\n0 2000000000\n" + strings.Repeat("0000000000 00000 n \n", 50_000) + "trailer\n<< /Size 2000000000 /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"),
		"ring of xref":      []byte("%PDF-1.7\nxref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 2 /Root 1 0 R /Prev 9 >>\nstartxref\n9\n%%EOF\n"),
	}
	// many object streams, each of which unpacks to 15 MiB
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var rows bytes.Buffer
	rows.Write([]byte{0, 0, 0, 0, 0, 0})
	stm := makeStream("/Type /ObjStm /N 1 /First 6", append([]byte("901 0 "), bytes.Repeat([]byte("[1 2]"), 3<<19)...))
	for i := range 80 {
		p := b.Len()
		rows.Write([]byte{1, byte(p >> 24), byte(p >> 16), byte(p >> 8), byte(p), 0})
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, stm)
	}
	for i := range 80 {
		rows.Write([]byte{2, 0, 0, 0, byte(i + 1), 0})
	}
	x := b.Len()
	fmt.Fprintf(&b, "200 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n", makeStream("/Type /XRef /W [1 4 1] /Size 161 /Root 81 0 R", rows.Bytes()), x)
	m["object streams"] = b.Bytes()
	return m
}

// No PDF of a few megabytes takes more than seconds or more than 256 MiB.
func TestPDFBombs(t *testing.T) {
	for name, pdf := range pdfBombs() {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), slow*20*time.Second)
			defer cancel()
			peak := watch(t)
			start := time.Now()
			_, err := DecodePDF(ctx, bytes.NewReader(pdf), int64(len(pdf)), nil)
			took, mem := time.Since(start), peak()
			t.Logf("%d bytes: %v, %d MiB: %v", len(pdf), took.Round(time.Millisecond), mem>>20, err)
			if took > slow*5*time.Second {
				t.Errorf("took %v", took)
			}
			if mem > 256<<20 {
				t.Errorf("took %d MiB", mem>>20)
			}
		})
	}
}

// watch measures how far the heap grows until the function that it returns is called.
func watch(t *testing.T) func() uint64 {
	t.Helper()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	done, peak := make(chan bool), make(chan uint64)
	go func() {
		var top uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			top = max(top, m.HeapAlloc)
			select {
			case <-done:
				peak <- top
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 {
		done <- true
		return max(<-peak, before.HeapAlloc) - before.HeapAlloc
	}
}

// The samples, cut and changed at places without number, never panic and never hang.
func TestPDFSamplesDamaged(t *testing.T) {
	dir := os.Getenv("VAGUEMESTRE_SAMPLES")
	if dir == "" && os.Getenv("CI") == "true" {
		t.Fatal("VAGUEMESTRE_SAMPLES is not set: the samples must be there in CI")
	}
	if dir == "" || testing.Short() {
		t.Skip("VAGUEMESTRE_SAMPLES is not set, or -short")
	}
	list, _ := filepath.Glob(filepath.Join(dir, "adullact/facturix-chorus-aife/ferd/*.pdf"))
	if len(list) == 0 {
		t.Fatal("the samples have no Factur-X")
	}
	for _, p := range list {
		whole, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < 20; i++ {
			at := len(whole) * i / 20
			for _, pdf := range [][]byte{whole[:at], append(append(bytes.Clone(whole[:at]), "<< [ (("...), whole[at+20:]...)} {
				ctx, cancel := context.WithTimeout(t.Context(), slow*5*time.Second)
				if _, err := DecodePDF(ctx, bytes.NewReader(pdf), int64(len(pdf)), nil); err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassPoison {
					t.Errorf("%s at %d: %v", filepath.Base(p), at, err)
				}
				cancel()
			}
		}
	}
}
