package helios

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// golden is what GOLDEN.json says of a PES.
type golden struct {
	Root, Ns, Version, TypFic, NomFic       string
	DteStr, IdPost, IdColl, CodCol, CodColl string
	CodBud, LibelleColBud                   string
	PJ                                      []goldenPJ
	PES_DepenseAller, PES_RecetteAller      *goldenPart
	PES_DepenseRetour, PES_RecetteRetour    *goldenPart
	SignatureGlobale                        bool `json:"signature_globale"`
	Acquit                                  *struct {
		Domaines          []string
		Elements, Erreurs int
		Ok                bool
	}
}

type goldenPJ struct {
	IdUnique, NomPJ, TypePJ, Mime *string
	Decoded, Sha256               string
	DecodedLen                    int64 `json:"decoded_len"`
	RawLen                        int64 `json:"raw_len"`
}

type goldenPart struct {
	Bordereaux []struct {
		Exer, IdBord   string
		Lignes, Pieces int
		Signature      bool
	}
}

// Every PES among the samples reads as an independent reader read it; testdata/exceptions.txt
// lists where it does not and why, and a difference that is gone must leave that list.
func TestGolden(t *testing.T) {
	root := os.Getenv("VAGUEMESTRE_SAMPLES")
	if root == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("VAGUEMESTRE_SAMPLES is not set: the samples must be there in CI")
		}
		t.Skip("VAGUEMESTRE_SAMPLES is not set")
	}
	root = filepath.Join(root, "adullact")
	data, err := os.ReadFile(filepath.Join(root, "GOLDEN.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	listed := exceptions(t)
	n := 0
	for name, raw := range all {
		var g golden
		if json.Unmarshal(raw, &g) != nil || !strings.HasPrefix(g.Root, "PES") {
			continue
		}
		n++
		file, err := os.Open(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
			continue
		}
		f, err := Decode(context.Background(), file, nil)
		file.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, diff := range compare(&g, f) {
			line := name + ": " + diff
			if i := slices.Index(listed, line); i >= 0 {
				listed = slices.Delete(listed, i, i+1)
				continue
			}
			t.Error(line)
		}
	}
	if n < 24 {
		t.Errorf("%d samples, there were 24", n)
	}
	for _, line := range listed {
		t.Errorf("listed as an exception, and no longer one: %s", line)
	}
}

// exceptions are the lines of the list that are no comment.
func exceptions(t *testing.T) (all []string) {
	data, err := os.ReadFile("testdata/exceptions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	return all
}

func compare(g *golden, f *Flow) (diffs []string) {
	same := func(what string, want, got any) {
		if fmt.Sprint(want) != fmt.Sprint(got) {
			diffs = append(diffs, fmt.Sprintf("%s: want %v, got %v", what, want, got))
		}
	}
	same("root", g.Root, f.Root)
	same("ns", g.Ns, f.Namespace)
	same("Version", g.Version, f.Version)
	same("TypFic", g.TypFic, f.TypFic)
	same("NomFic", g.NomFic, f.NomFic)
	same("DteStr", g.DteStr, f.DteStr)
	same("IdPost", g.IdPost, f.IdPost)
	same("IdColl", g.IdColl, f.IdColl)
	same("CodCol", g.CodCol+g.CodColl, f.CodCol)
	same("CodBud", g.CodBud, f.CodBud)
	same("LibelleColBud", g.LibelleColBud, f.LibelleColBud)
	var bords []Bordereau
	bords = append(bords, f.Bordereaux...)
	for part, want := range map[string]*goldenPart{"PES_DepenseAller": g.PES_DepenseAller, "PES_RecetteAller": g.PES_RecetteAller,
		"PES_DepenseRetour": g.PES_DepenseRetour, "PES_RecetteRetour": g.PES_RecetteRetour} {
		if want == nil {
			continue
		}
		for i, w := range want.Bordereaux {
			k := slices.IndexFunc(bords, func(b Bordereau) bool { return b.Part == part })
			if k < 0 {
				diffs = append(diffs, fmt.Sprintf("%s: bordereau %d is missing", part, i))
				continue
			}
			b := bords[k]
			bords = slices.Delete(bords, k, k+1)
			same("bordereau", []any{w.Exer, w.IdBord, w.Pieces, w.Lignes, w.Signature}, []any{b.Exer, b.IdBord, b.PieceCount, b.LineCount, b.Signed})
			same("pieces", b.PieceCount, len(b.Pieces))
		}
	}
	same("more bordereaux", 0, len(bords))
	same("signature_globale", g.SignatureGlobale, slices.ContainsFunc(f.Signatures, func(s Signature) bool { return s.Place == "" }))
	same("documents", len(g.PJ), len(f.Files))
	for i, w := range g.PJ[:min(len(g.PJ), len(f.Files))] {
		p := f.Files[i]
		same("IdUnique", str(w.IdUnique), p.ID)
		same("NomPJ", str(w.NomPJ), p.Name)
		same("TypePJ", str(w.TypePJ), p.Type)
		same("MIMEType", str(w.Mime), p.Label)
		if w.Sha256 == "" {
			same("length", w.RawLen, p.Size)
			continue
		}
		same("decoded", "application/"+w.Decoded, p.MediaType)
		same("length", w.DecodedLen, p.Size)
		same("sha256", w.Sha256, p.SHA256)
	}
	if same("acquit", g.Acquit != nil, f.Acquit != nil); g.Acquit != nil && f.Acquit != nil {
		var domains []string
		errs := 0
		for _, e := range f.Acquit.Elements {
			domains = append(domains, e.Domaine)
			errs += len(e.Errors)
		}
		same("acquit", []any{g.Acquit.Domaines, g.Acquit.Elements, g.Acquit.Erreurs, g.Acquit.Ok}, []any{domains, len(f.Acquit.Elements), errs, f.Acquit.Accepted})
	}
	return diffs
}

func str(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
