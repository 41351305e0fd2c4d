package chorus

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
)

// golden is what another reader found in a sample; only what concerns invoices is read.
type golden struct {
	Root     string
	NS       string
	Params   [][2]string
	Factures []struct {
		ID, IDCPRO, Cadre, Date, Debiteur, Fournisseur, RaisonSociale, TTC, Type *string
		PJ                                                                       []struct {
			Categorie, NomPJ, TypePJ, Inner, Mime, Origine, Raw, SHA256 *string
			InnerLen                                                    int64   `json:"inner_len"`
			InnerName                                                   *string `json:"inner_name"`
		}
	}
	IssuerAssignedID, ProcessCondition, ProcessConditionCode []string
	Members                                                  [][2]any
}

// Every sample of invoices and statuses agrees with what another reader found in it. What
// does not stands in testdata/exceptions.txt with its reason, and nothing else does.
func TestGolden(t *testing.T) {
	dir := os.Getenv("VAGUEMESTRE_SAMPLES")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("VAGUEMESTRE_SAMPLES is not set: the samples must be there in CI")
		}
		t.Skip("VAGUEMESTRE_SAMPLES is not set")
	}
	dir = filepath.Join(dir, "adullact")
	b, err := os.ReadFile(filepath.Join(dir, "GOLDEN.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	excepted := exceptions(t)
	n := 0
	report := func(path, diff string) {
		line := strings.TrimSpace(path) + ": " + diff
		if !excepted[line] {
			t.Error(line)
		}
		delete(excepted, line)
	}
	for path, raw := range all {
		content, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Error(err)
			continue
		}
		var archive golden
		if name := filepath.Base(path); strings.HasPrefix(name, "FSO") && json.Unmarshal(raw, &archive) == nil && len(archive.Members) > 0 {
			lot, err := DecodeFlow(context.Background(), name, bytes.NewReader(content), nil)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			var got [][2]any
			for _, m := range lot.Members {
				got = append(got, [2]any{m.Name, float64(m.Size)})
			}
			if !reflect.DeepEqual(got, archive.Members) {
				report(path, fmt.Sprintf("members are %v, not %v", got, archive.Members))
			}
			n++
			continue
		}
		want := map[string]json.RawMessage{"": raw}
		if strings.HasSuffix(path, ".zip") {
			clear(want)
			json.Unmarshal(raw, &want)
		}
		for member, raw := range want {
			var g golden
			if json.Unmarshal(raw, &g) != nil || !Root(g.Root) {
				continue
			}
			n++
			text := content
			if member != "" {
				z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
				if err != nil {
					t.Error(err)
					continue
				}
				text = unzipped(t, z, member)
			}
			flow, err := Decode(context.Background(), bytes.NewReader(text), nil)
			if err != nil {
				t.Errorf("%s %s: %v", path, member, err)
				continue
			}
			for _, diff := range differ(&g, flow) {
				report(path+" "+member, diff)
			}
		}
	}
	for line := range excepted {
		t.Errorf("no longer an exception: %s", line)
	}
	if n < 18 {
		t.Errorf("only %d samples of invoices and statuses", n)
	}
}

func exceptions(t *testing.T) map[string]bool {
	b, err := os.ReadFile("testdata/exceptions.txt")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			m[line] = true
		}
	}
	return m
}

func unzipped(t *testing.T, z *zip.Reader, name string) []byte {
	t.Helper()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func differ(g *golden, f *Flow) (diffs []string) {
	is := func(what string, want, got any) {
		if p, ok := want.(*string); ok {
			want = ""
			if p != nil {
				want = *p
			}
		}
		if !reflect.DeepEqual(want, got) {
			diffs = append(diffs, fmt.Sprintf("%s is %q, not %q", what, got, want))
		}
	}
	is("root", g.Root, f.Root)
	for i, p := range g.Params {
		if i < len(f.Parameters) {
			is("parameter", p, [2]string{f.Parameters[i].Code, f.Parameters[i].Value})
		}
	}
	is("count of parameters", len(g.Params), len(f.Parameters))
	is("count of invoices", len(g.Factures), len(f.Invoices))
	for i := range min(len(g.Factures), len(f.Invoices)) {
		want, got := &g.Factures[i], &f.Invoices[i]
		is("Id", want.ID, got.Number)
		is("IdCPRO", want.IDCPRO, got.IDCPRO)
		is("Cadre", want.Cadre, got.Cadre)
		is("Date", want.Date, got.Date)
		is("Type", want.Type, got.Type)
		is("Debiteur", want.Debiteur, got.Recipient.SIRET)
		is("Fournisseur", want.Fournisseur, got.Supplier.ID)
		is("RaisonSociale", want.RaisonSociale, got.Supplier.Name)
		is("TTC", want.TTC, string(got.Amounts.TTC))
		is("count of attachments", len(want.PJ), len(got.Files))
		for k := range min(len(want.PJ), len(got.Files)) {
			want, got := &want.PJ[k], &got.Files[k]
			is("NomPJ", want.NomPJ, got.Name)
			is("TypePJ", want.TypePJ, got.Type)
			is("Categorie", want.Categorie, got.Category)
			is("mime", want.Mime, got.Label)
			is("inner_name", want.InnerName, got.Inner)
			is("inner_len", want.InnerLen, got.Size)
			is("sha256", want.SHA256, got.SHA256)
			is("origine", want.Origine, got.Origin)
			is("inner", want.Inner, strings.TrimPrefix(got.MediaType, "application/"))
		}
	}
	if len(g.IssuerAssignedID) > 0 {
		var ids, codes, labels []string
		for _, s := range f.Statuses {
			ids, codes, labels = append(ids, s.Invoice), append(codes, s.Code), append(labels, s.Label)
		}
		is("IssuerAssignedID", g.IssuerAssignedID, ids)
		is("ProcessConditionCode", g.ProcessConditionCode, codes)
		is("ProcessCondition", g.ProcessCondition, labels)
	}
	return diffs
}

// What the golden file does not cover, UBL, CII, Factur-X and packings, agrees with values
// that were read from the samples with another XML reader (testdata/samples.json).
func TestSamples(t *testing.T) {
	dir := os.Getenv("VAGUEMESTRE_SAMPLES")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("VAGUEMESTRE_SAMPLES is not set: the samples must be there in CI")
		}
		t.Skip("VAGUEMESTRE_SAMPLES is not set")
	}
	b, err := os.ReadFile("testdata/samples.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]map[string]any
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	for path, flows := range want {
		t.Run(path, func(t *testing.T) {
			f, err := os.Open(filepath.Join(dir, "adullact", path))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			lot, err := DecodeFlow(context.Background(), filepath.Base(path), f, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []map[string]any
			for _, fl := range lot.Flows {
				for i := range fl.Invoices {
					got = append(got, summary(&fl.Invoices[i]))
				}
			}
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(flows)
			if string(a) != string(b) {
				t.Errorf("read\n%s\nwant\n%s", a, b)
			}
		})
	}
}

// summary is an invoice in the words of testdata/samples.json.
func summary(inv *Invoice) map[string]any {
	var vat, files []any
	for _, l := range inv.VATLines {
		vat = append(vat, fmt.Sprintf("%s|%s|%s", l.Rate, l.Base, l.Amount))
	}
	for _, f := range inv.Files {
		files = append(files, f.SHA256)
	}
	sort.Slice(files, func(i, j int) bool { return files[i].(string) < files[j].(string) })
	return map[string]any{
		"number": inv.Number, "type": inv.Type, "date": inv.Date, "due": inv.Due, "currency": inv.Currency, "cadre": inv.Cadre,
		"supplier": inv.Supplier.ID, "recipient": inv.Recipient.SIRET, "service": inv.Recipient.Service,
		"engagement": inv.Engagement, "marche": inv.Marche, "origin": inv.Origin,
		"ht": string(inv.Amounts.HT), "tva": string(inv.Amounts.TVA), "ttc": string(inv.Amounts.TTC), "net": string(inv.Amounts.NetAPayer),
		"vat": vat, "files": files,
	}
}
