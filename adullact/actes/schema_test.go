package actes

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The two revisions of the schema, within the samples.
var schemas = []string{
	"megalis-parapheur-v5/src/test/resources/xsd/actesv1_1.xsd",           // 2004
	"sictiam-stela/acte-service/src/main/resources/schemas/actesv1_1.xsd", // 2018
}

// TestSchema asks xmllint: our own messages are valid by the schema of 2018, and a message
// that is valid by either has no deviation.
func TestSchema(t *testing.T) {
	t.Parallel()
	dir := samples(t)
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("xmllint is missing (Debian: libxml2-utils): it must be there in CI")
		}
		t.Skip("xmllint is missing (Debian: libxml2-utils)")
	}
	own, _ := filepath.Glob("testdata/messages/*.xml")
	files := slices.Clone(own)
	tmp := t.TempDir()
	err = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		messages := map[string][]byte{}
		switch {
		case strings.HasSuffix(p, ".tar.gz"):
			messages = unpacked(t, p)
		case strings.HasSuffix(p, ".xml"):
			text, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(dir, p)
			messages[strings.ReplaceAll(filepath.ToSlash(rel), "/", "-")] = text
		}
		for name, text := range messages {
			if strings.HasSuffix(name, ".xml") && strings.Contains(string(text), Namespace) {
				copied := filepath.Join(tmp, name)
				if err := os.WriteFile(copied, text, 0o600); err != nil {
					return err
				}
				files = append(files, copied)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	valid := map[string]bool{}
	for i, schema := range schemas {
		// It fails when one file does; what counts is what it says of each.
		out, _ := exec.CommandContext(t.Context(), lint, append([]string{"--nonet", "--noout", "--schema", filepath.Join(dir, schema)}, files...)...).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if file, ok := strings.CutSuffix(strings.TrimSpace(line), " validates"); ok {
				valid[file] = true
			}
		}
		for _, f := range own {
			if i == 1 && !valid[f] {
				t.Errorf("%s is not valid:\n%s", f, out)
			}
		}
	}
	// Valid by neither: natures with and without pieces in one list (a half-made example),
	// nature 999 of an anomaly, and an Acte in an ARActe.
	wrong := []string{"-examples-exemple_codes_matieres.xml", "-ANO_EACT--214400152--20180925-1.xml", "-fakeTdt-fixtures-ar-actes.xml"}
	for _, f := range files {
		if valid[f] == slices.ContainsFunc(wrong, func(w string) bool { return strings.HasSuffix(f, w) }) {
			t.Errorf("%s: valid by a schema: %v", f, valid[f])
		}
		r, err := os.Open(f)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decode(t.Context(), r, nil)
		r.Close()
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		for _, d := range m.Deviations {
			// The schema lets a level of the matter be left out, which makes its code ambiguous.
			if valid[f] && !strings.HasPrefix(d.Reason, "a level of the matter") {
				t.Errorf("%s is valid, and ours says %v", f, d)
			}
		}
	}
	t.Logf("%d messages, %d of them valid", len(files), len(valid))
}
