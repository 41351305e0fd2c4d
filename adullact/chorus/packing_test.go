package chorus

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

func tgz(files ...string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg})
		io.WriteString(w, files[i+1])
	}
	w.WriteHeader(&tar.Header{Name: "link", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink})
	w.WriteHeader(&tar.Header{Name: "d/", Typeflag: tar.TypeDir})
	w.Close()
	z.Close()
	return b.Bytes()
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// A flow is found in every packing whatever its name says, every member of an archive comes
// out, and what cannot be decoded is told and costs the others nothing.
func TestDecodeFlow(t *testing.T) {
	t.Parallel()
	const pdf = "%PDF-1.4\nBonjour"
	xml := pivotFixture(pivotInvoice("F-1", "", piece("01", "f.pdf", []byte(pdf))))
	facture := string(facturX("factur-x.xml", ciiFixture(""), true, true))
	members := []string{"d/a.xml", xml, "../b", xml, "c.pdf", facture, "plan.pdf", pdf, "sign.xml", "<Signature/>", "cut.xml", xml[:len(xml)-30], "a.txt", "Bonjour"}
	const all = "f.pdf a.xml* f.pdf b* factur-x.xml c.pdf* plan.pdf sign.xml f.pdf cut.xml* a.txt"
	for name, tt := range map[string]struct {
		content       []byte
		packing, outs string
		flows, told   int
	}{
		"xml":    {[]byte(xml), "xml", "f.pdf", 1, 0},
		"pdf":    {[]byte(facture), "pdf", "factur-x.xml", 1, 0},
		"xml.gz": {gzipped([]byte(xml)), "xml.gz", "f.pdf", 1, 0},
		"zip":    {zipped(members...), "zip", all, 4, 2},      // of plan.pdf, which is no whole PDF, and cut.xml
		"tar.gz": {tgz(members...), "tar.gz", all, 4, 3},      // and of the link
		"empty":  {zipped("a.txt", ""), "zip", "a.txt", 0, 0}, //
	} {
		var outs []string
		var g gathered
		lot, err := DecodeFlow(t.Context(), "FSO1113A_XXX999_XXX9991113000000000000001", iotest.HalfReader(bytes.NewReader(tt.content)), &Options{Out: g.out})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, f := range g.files {
			if f.Role == "fichier_facture" {
				f.Name += "*"
			}
			if f.Size != int64(len(g.texts[i])) || len(f.SHA256) != 64 {
				t.Errorf("%s: %+v", name, f)
			}
			outs = append(outs, f.Name)
		}
		if lot.Packing != tt.packing || strings.Join(outs, " ") != tt.outs || len(lot.Flows) != tt.flows || len(lot.Deviations) != tt.told || lot.Name.Format != "CPPFactureMixte" {
			t.Errorf("%s: %s, %d flows, %v, %v", name, lot.Packing, len(lot.Flows), outs, lot.Deviations)
		}
	}
}

// Archives that are damaged, or bombs, or of others, end with a typed error or a lot that
// tells; the failure of a source is no damage.
func TestDecodeFlowRefused(t *testing.T) {
	t.Parallel()
	xml := pivotFixture(pivotInvoice("F-1", ""))
	whole := tgz("a.xml", xml)
	lim := &Options{Limits: Limits{File: 16 << 20, Total: 32 << 20, Files: 100}}
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("%d.xml", i), "<a/>")
	}
	for name, tt := range map[string]struct {
		content []byte
		what    string
	}{
		"nothing":        {nil, "not a file of Chorus Pro"},
		"text":           {[]byte("Bonjour"), "not a file of Chorus Pro"},
		"cut tar.gz":     {whole[:len(whole)-30], "damaged"},
		"gzip of junk":   {[]byte("\x1f\x8bjunk"), "damaged"},
		"gzip of zeros":  {gzipped(make([]byte, 20<<20)), ""},
		"tar of zeros":   {tgz("a", string(make([]byte, 15<<20))), "bomb"},
		"tar too large":  {tgz("a", string(make([]byte, 17<<20))), ""},
		"zip of zeros":   {deflated(50 << 20), ""},
		"zip too large":  {zipped("a", strings.Repeat("ab\n", 1<<20), "b", strings.Repeat("a", 17<<20)), ""},
		"members":        {zipped(many...), "100 files"},
		"members of tar": {tgz(many...), "100 files"},
		"directory":      {manyEntries(60_000), ""},
		"no directory":   {zipped("a", "b")[:20], "cannot be read"},
	} {
		start := time.Now()
		lot, err := DecodeFlow(t.Context(), "", bytes.NewReader(tt.content), lim)
		if err != nil && (vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || !strings.Contains(err.Error(), tt.what)) || err == nil && len(lot.Deviations) == 0 || err == nil && tt.what != "" {
			t.Errorf("%s: %v, %v", name, err, lot.Deviations)
		}
		if took := time.Since(start); took > slow*5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	for _, content := range [][]byte{whole, zipped("a.xml", xml), []byte(xml)} {
		lost := errors.New("lost")
		_, err := DecodeFlow(t.Context(), "", io.MultiReader(bytes.NewReader(content[:len(content)/2]), iotest.ErrReader(lost)), nil)
		if vaguemestre.ClassOf(err) != vaguemestre.ClassSource || !errors.Is(err, lost) {
			t.Errorf("source: %v", err)
		}
	}
}

// Names of EDI flows are read with and without extension, AIFE's own among them.
func TestParseFlowName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]FlowName{
		"FSO1100A_XXX999_XXX9991101000000000000001":       {"FSO1100A", "XXX999", "1101", "000000000000001", "UBL Invoice", "E1"},
		"FSO1116A_JMRPOR_JMRPOR1116000000179.xml":         {"FSO1116A", "JMRPOR", "1116", "000000179", "CII 16B", "E2"},
		"d/FSO1117A_XXX999_XXX9991117000000000000001.tgz": {"FSO1117A", "XXX999", "1117", "000000000000001", "Factur-X", "E2"},
		"CSO1200A_XXX999_XXX999120000000000000000":        {"CSO1200A", "XXX999", "1200", "00000000000000", "", ""},
	} {
		if got, ok := ParseFlowName(name); !ok || got != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, name := range []string{"", "facture.xml", "FSO1100A_XXX999_XXX99911010000000000000011", "FSO1100_XXX999_XXX9991101000000000000001", "FSO1100A_XXX999_XXX9991101000000000000001.exe"} {
		if got, ok := ParseFlowName(name); ok || got != (FlowName{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
