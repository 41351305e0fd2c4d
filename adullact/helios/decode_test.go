package helios

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
)

var update = flag.Bool("update", false, "write testdata/*.json anew")

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeText(text string, o *Options) (*Flow, error) {
	return Decode(context.Background(), strings.NewReader(text), o)
}

// Each root reads as its JSON beside it says; -update writes that anew, to be read by a person.
func TestFixtures(t *testing.T) {
	t.Parallel()
	names, _ := filepath.Glob("testdata/*.xml")
	if len(names) < 7 {
		t.Fatalf("%d fixtures", len(names))
	}
	for _, name := range names {
		f, err := Decode(context.Background(), bytes.NewReader(fixture(t, filepath.Base(name))), &Options{Inner: true, Scratch: t.TempDir()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, _ := json.MarshalIndent(f, "", "  ")
		got = append(got, '\n')
		beside := strings.TrimSuffix(name, ".xml") + ".json"
		if *update {
			os.WriteFile(beside, got, 0o644)
		}
		if want, _ := os.ReadFile(beside); !bytes.Equal(got, want) {
			t.Errorf("%s is not what %s says:\n%s", name, beside, got)
		}
	}
}

// Names of third parties, and what else is theirs, come on request alone; addresses and
// accounts never.
func TestPersonal(t *testing.T) {
	t.Parallel()
	both := string(fixture(t, "aller.json")) + string(fixture(t, "retour.json"))
	names := []string{"PAPETERIE", "DUPOND", "CAMILLE", "Dupond", "SECRETE", "FR76"}
	for _, name := range names {
		if strings.Contains(both, name) {
			t.Errorf("%s is there unasked", name)
		}
	}
	asked := ""
	for _, name := range []string{"aller.xml", "retour.xml"} {
		f, err := Decode(context.Background(), bytes.NewReader(fixture(t, name)), &Options{Personal: true})
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(f)
		asked += string(b)
	}
	for i, name := range names {
		if strings.Contains(asked, name) != (i < 4) {
			t.Errorf("asked for, %s: %v", name, i >= 4)
		}
	}
	if !strings.Contains(asked, `"tiers":["PAPETERIE EXEMPLE","DUPOND CAMILLE"]`) {
		t.Error("names are not as they were written")
	}
}

// What is no PES is told apart from a PES that is broken, and gives nothing.
func TestNotPES(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", " ", "%PDF-1.4", "{}", "PK\x03\x04", "<Bordereau Id='12'/>", "<flux/>", "<PES/>", "<PES xmlns='urn:other'/>",
		"<PES_Facture/>", "<!DOCTYPE PES_Aller><PES_Aller/>", "<html><PES_Aller/></html>"} {
		f, err := decodeText(in, nil)
		if f != nil || !errors.Is(err, ErrNotPES) || vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || !strings.HasPrefix(err.Error(), "helios: decode: not a PES: ") {
			t.Errorf("%q: %v, %v", in, f, err)
		}
	}
}

// A PES that breaks off gives what was read before, whole documents included, and no more.
func TestBroken(t *testing.T) {
	t.Parallel()
	whole := fixture(t, "aller.xml")
	for n := bytes.Index(whole, []byte("<Enveloppe")); n < len(whole)-len("</n:PES_Aller>\n"); n += 13 {
		var given []string
		f, err := Decode(context.Background(), bytes.NewReader(whole[:n]), &Options{Out: func(f *File, r io.Reader) error {
			b, err := io.ReadAll(r)
			if err != nil || int64(len(b)) != f.Size {
				t.Errorf("cut at %d: %s: %v, %d of %d bytes", n, f.Name, err, len(b), f.Size)
			}
			given = append(given, f.ID)
			return nil
		}})
		if f == nil || f.Root != "PES_Aller" || vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || errors.Is(err, ErrNotPES) {
			t.Fatalf("cut at %d: %v, %v", n, f, err)
		}
		if want := bytes.Count(whole[:n], []byte("</PJ>")); len(f.Files) != want || len(given) > want {
			t.Errorf("cut at %d: %d files, %d given, %d are whole", n, len(f.Files), len(given), want)
		}
	}
}

// The schema is not asked, but what it would refuse is told, by path.
func TestDeviations(t *testing.T) {
	t.Parallel()
	whole := string(fixture(t, "aller.xml"))
	for _, c := range []struct{ old, new, path, reason string }{
		{`<CodCol V="123"/>`, `<CodCol V="000"/>`, "EnTetePES/CodCol", "not all 0"},
		{`<CodCol V="123"/>`, ``, "EnTetePES/CodCol", "missing"},
		{`<CodCol V="123"/>`, `<CodColl V="123"/>`, "EnTetePES/CodColl", "by this name"},
		{`<IdPost V="034000"/>`, `<IdPost V="34000"/>`, "EnTetePES/IdPost", `"34000"`},
		{`<IdPost V="034000"/>`, `<IdPost V="02C000"/>`, "EnTetePES/IdPost", `"02C000"`},
		{`<IdColl V="21340000000017"/>`, `<IdColl V="2134"/>`, "EnTetePES/IdColl", "SIRET"},
		{`<CodBud V="00"/>`, `<CodBud V="0a"/>`, "EnTetePES/CodBud", `"0a"`},
		{`<DteStr V="2026-03-02"/>`, `<DteStr V="02/03/2026"/>`, "EnTetePES/DteStr", "a date"},
		{`<Version V="2"/>`, `<Version V="1"/>`, "Enveloppe/Parametres/Version", `"1"`},
		{`<Version V="2"/>`, `<Version>2</Version>`, "Enveloppe/Parametres/Version", "text, not an attribute"},
		{`"PESALR2_21340000000017_260302_001"`, `""`, "Enveloppe/Parametres/NomFic", "missing or empty"},
		{`"PESALR2_21340000000017_260302_001"`, `"000"`, "Enveloppe/Parametres/NomFic", "not all 0"},
		{`"PESALR2"`, `"` + strings.Repeat("T", 5000) + `"`, "Enveloppe/Parametres/TypFic", "too long"},
		{`<Sigle V="Mondaine"/><Adresse V="compta.mondaine.fr"/>`, ``, "Enveloppe/Emetteur", "missing"},
		{`<IdBord V="17"/>`, `<IdBord V="12345678"/>`, "PES_DepenseAller", "at most 7 digits"},
		{`<TypPce V="02"/>`, `<TypPce V="02"/>stray`, "PES_DepenseAller/Bordereau/Piece/BlocPiece/InfoPce", "holds text"},
		{`<NbrPce V="2"/>`, `<NbrPce V="3"/>`, "PES_DepenseAller", "it holds 2"},
		{`<MtBordHT V="1200.30"/>`, `<MtBordHT V="1 200,30"/>`, "PES_DepenseAller/Bordereau/BlocBordereau/MtBordHT", "not an amount"},
		{`Rev0/aller"`, `Rev9/aller"`, "", "namespace"},
		{`V="SENTBEFORE"`, `V="ELSEWHERE"`, "PES_PJ", `"ELSEWHERE" is referred to and not in this file`},
		{`<PJRef><Support V="01"/><IdUnique V="ASAP7"/></PJRef>`, ``, "PES_PJ", `"ASAP7" is referred to by no piece`},
		{`<IdUnique V="FAC101"/><NomPJ`, `<IdUnique V="OTHER"/><NomPJ`, "PES_PJ", `"FAC101" is referred to by no piece`},
		{`<IdUnique V="RAW"/>`, `<IdUnique V="FAC101"/>`, "PES_PJ/PJ/IdUnique", "more than one"},
		{`<IdUnique V="RAW"/>`, ``, "PES_PJ/PJ", "no IdUnique"},
		{`<NomPJ V="vide.pdf"/>`, ``, "PES_PJ/PJ", "no NomPJ"},
		{`<Description V="pi` + "\xe8" + `ce RAW"/>`, ``, "PES_PJ/PJ", "no Description"},
		{`PES_PJ>`, `PES_PX>`, "", ""},
		{`encoding="ISO-8859-1"`, `encoding="x-klingon"`, "", "charset"},
	} {
		if !strings.Contains(whole, c.old) {
			t.Fatalf("the fixture has no %s", c.old)
		}
		before, err := decodeText(whole, nil)
		after, err2 := decodeText(strings.ReplaceAll(whole, c.old, c.new), nil)
		if err != nil || err2 != nil {
			t.Errorf("%s: %v, %v", c.new, err, err2)
			continue
		}
		had := func(f *Flow) bool {
			for _, d := range f.Deviations {
				if c.reason != "" && d.Path == c.path && strings.Contains(d.Reason, c.reason) {
					return true
				}
			}
			return false
		}
		if had(before) || had(after) != (c.reason != "") {
			t.Errorf("%s: before %v, after %+v", c.new, had(before), after.Deviations)
		}
	}
}

// One answer that is not yes refuses the whole, and no answer is no yes.
func TestAccepted(t *testing.T) {
	t.Parallel()
	for states, want := range map[string]bool{"": false, "1": true, "true": true, "1 1": true, "0": false, "false": false, "1 0": false, "0 1": false, "1 2": false, "1 x": false} {
		var b strings.Builder
		b.WriteString(`<PES_ACQUIT xmlns="` + minefi + `pes_v2/Rev0/retour/v2"><ACQUIT>`)
		for _, s := range strings.Fields(states) {
			b.WriteString(`<ElementACQUIT><EtatAck V="` + s + `"/></ElementACQUIT>`)
		}
		f, err := decodeText(b.String()+"</ACQUIT></PES_ACQUIT>", nil)
		if err != nil || f.Acquit == nil || f.Acquit.Accepted != want || f.Acquit.Version != 2 {
			t.Errorf("%q: %+v, %v", states, f.Acquit, err)
		}
		if f, err := decodeText(b.String(), nil); err == nil || f.Acquit.Accepted {
			t.Errorf("%q, cut: %+v, %v", states, f.Acquit, err)
		}
	}
}

// Amounts are added exactly, and what cannot be is not.
func TestSum(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Amount{"": "", "3032": "3032.00", "0.1 0.2": "0.30", "-0.05": "-0.05", "10 -10": "0.00", "0.1234": "0.1234", ".5": "0.50",
		"99999999999999.99 0.01": "100000000000000.00", "1 x": "", "1,5": "", "123456789012345": "", "0.12345": "", "0.120000": "0.12",
		strings.Repeat("99999999999999 ", 1000): ""} {
		var s sum
		for _, a := range strings.Fields(in) {
			s.add(Amount(a))
		}
		if got := s.amount(); got != want {
			t.Errorf("%.60q: %q, not %q", in, got, want)
		}
	}
}

// An ended context, a reader that fails and an Out that fails each end the work, and say so.
func TestEnds(t *testing.T) {
	t.Parallel()
	whole := fixture(t, "aller.xml")
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	_, err := Decode(ctx, bytes.NewReader(whole), &Options{Out: func(f *File, r io.Reader) error {
		cancel()
		n++
		if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
			t.Errorf("content goes on: %v", err)
		}
		return nil
	}})
	if n != 1 || vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("canceled: %d documents, %v", n, err)
	}
	if f, err := Decode(ctx, bytes.NewReader(whole), nil); f != nil || vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("canceled before: %v, %v", f, err)
	}
	broken := io.MultiReader(bytes.NewReader(whole[:2000]), failing{io.ErrClosedPipe})
	if f, err := Decode(context.Background(), broken, nil); f == nil || vaguemestre.ClassOf(err) != vaguemestre.ClassSource || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: %v, %v", f, err)
	}
	full := errors.New("disk full")
	if f, err := Decode(context.Background(), bytes.NewReader(whole), &Options{Out: func(*File, io.Reader) error { return full }}); f == nil || err != full {
		t.Errorf("an Out that fails: %v, %v", f, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
