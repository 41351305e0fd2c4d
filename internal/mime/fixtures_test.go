package mime

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFixtures reads small mails as French mailers write them.
func TestFixtures(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"pes.eml": {
			`container ""`, `body ""`,
			`attachment "PESALR2_2026_0042.xml"`, `attachment "PESALR2_2026_0042.xml"`, `attachment "PESALR2_2026_0042.xml"`,
		},
		"noms.eml": {
			`container ""`, `body ""`,
			`attachment "Délibération n° 12 coût 100 €.pdf"`,
			`attachment "Procès-verbal de la séance du 12 février.pdf"`,
			`attachment "Récépissé de dépôt.pdf"`,
			`attachment "Bœuf 12 €.txt"`,
			`attachment "Œuvre à l’étude.pdf"`,
			`attachment "Facture du 12 mai.pdf"`,
		},
		"outlook.eml": {
			`container ""`, `container ""`, `container ""`, `body ""`, `body ""`,
			`inline "image001.png"`,
			`attachment "Compte rendu de la commission des finances et du patrimoine communal.pdf"`,
			`message ""`, `container ""`, `body ""`, `attachment "Thumbs.db"`,
		},
	} {
		m, err := parseMem(t, fixture(t, name), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for p := range m.Parts() {
			got = append(got, fmt.Sprintf("%s %q", p.Role, p.Name))
			if p.Role == RoleMessage && p.FileName("") != "Convocation à la réunion.eml" {
				t.Errorf("%s: the attached mail is called %q", name, p.FileName(""))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	m, err := parseMem(t, fixture(t, "noms.eml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	// 0x96 is nothing in ISO-8859-15: the mailer meant the dash of windows-1252.
	if got := m.Root.Header.Text("Subject"); got != "Délibérations du conseil municipal – coût 100 €" {
		t.Errorf("subject %q", got)
	}
}

// TestSignedBytes checks that an ISO-8859-1 document with mixed line ends and trailing
// blanks comes out byte for byte, however it was encoded: a signature over it must hold.
func TestSignedBytes(t *testing.T) {
	t.Parallel()
	want := fixture(t, "pes.xml")
	if bytes.IndexByte(want, 0xe9) < 0 || !bytes.Contains(want, []byte("-->\n")) {
		t.Fatal("the fixture lost its bytes")
	}
	m, err := parseMem(t, fixture(t, "pes.eml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for p := range m.Parts() {
		if p.Role != RoleAttachment {
			continue
		}
		n++
		if got := content(t, p); got != string(want) {
			t.Errorf("part %d (%s): %s", p.Number, p.Encoding, firstDifference(got, string(want)))
		}
	}
	if n != 3 {
		t.Errorf("%d attachments, want 3", n)
	}
}
