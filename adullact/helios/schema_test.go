package helios

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// schemas are those of each namespace, within the samples.
var schemas = map[string]string{
	minefi + "pes_v2/Rev0/aller":     "Rev0/PES_Aller.xsd",
	minefi + "pes_v2/Rev0/retour/v2": "Rev0/PES_V2_Acquit_Autonome_V2.xsd",
	minefi + "pes_v2/Rev0/retour":    "RETOUR/Rev0/PES_Retour.xsd",
	minefi + "pes_v2/Rev0/aller/ack": "RETOUR/Rev0/PES_V2_Acquit_Retour.xsd",
}

// Asked of xmllint: what is valid by the schema has no deviation from it, and what is not has
// at least one.
func TestSchema(t *testing.T) {
	t.Parallel()
	root := os.Getenv("VAGUEMESTRE_SAMPLES")
	if root == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("VAGUEMESTRE_SAMPLES is not set: the samples must be there in CI")
		}
		t.Skip("VAGUEMESTRE_SAMPLES is not set")
	}
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("xmllint is missing (Debian: libxml2-utils): it must be there in CI")
		}
		t.Skip("xmllint is missing (Debian: libxml2-utils)")
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
	files := map[string][]string{} // by namespace
	for name, raw := range all {
		var g golden
		if json.Unmarshal(raw, &g) == nil && strings.HasPrefix(g.Root, "PES_") {
			files[g.Ns] = append(files[g.Ns], filepath.Join(root, filepath.FromSlash(name)))
		}
	}
	files[minefi+"pes_v2/Rev0/retour/v2"] = append(files[minefi+"pes_v2/Rev0/retour/v2"], "testdata/acquit_v2.xml", "testdata/acquit_ko.xml")
	files[minefi+"pes_v2/Rev0/aller/ack"] = []string{"testdata/acquit_retour.xml"}
	known, valid := 0, 0
	for space, names := range files {
		schema := filepath.Join(root, "megalis-parapheur-v5/src/test/resources/xsd/schemas_pes_v5.17/PES_V2", schemas[space])
		// It fails when one file does; what counts is what it says of each.
		out, _ := exec.CommandContext(t.Context(), lint, append([]string{"--nonet", "--noout", "--huge", "--schema", schema}, names...)...).CombinedOutput()
		for _, name := range names {
			known++
			ok := strings.Contains(string(out), name+" validates")
			if ok {
				valid++
			}
			file, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Decode(context.Background(), file, nil)
			file.Close()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			against := 0
			for _, d := range f.Deviations {
				// The schema takes any version, and does not look into documents or follow references.
				if d.Path == "Enveloppe/Parametres/Version" || strings.Contains(d.Reason, "is referred to") || strings.Contains(d.Reason, "not a gzip") {
					continue
				}
				against++
				if ok {
					t.Errorf("%s is valid, and ours says %v", name, d)
				}
			}
			if !ok && against == 0 {
				t.Errorf("%s is not valid, and ours says nothing", name)
			}
		}
	}
	if valid < 10 {
		t.Errorf("%d of %d are valid", valid, known)
	}
	t.Logf("%d of %d are valid", valid, known)
}
