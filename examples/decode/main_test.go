package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func deposit(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"manifest.xml": `<flux type="facture-cpp"><data name="no_facture" value="F1"/><files name="facture_pj_01"><file content="f.pdf"/></files></flux>`,
		"f.pdf": "%PDF-1.4"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func call(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// The JSON has what a program needs, empty lists included.
func TestJSON(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := call(deposit(t), "-json")
	var got struct {
		Kind, Type string
		Fields     map[string]string
		Files      []struct {
			Role, Name, SHA256 string
			Size               int64
		}
		Pieces, Deviations []any
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, stderr)
	}
	if got.Kind != "chorus" || got.Type != "facture-cpp" || got.Fields["no_facture"] != "F1" || len(got.Files) != 2 ||
		got.Files[0].Role != "facture_pj_01" || got.Files[0].Size != 8 || len(got.Files[0].SHA256) != 64 || got.Pieces == nil || got.Deviations == nil {
		t.Errorf("%s", stdout)
	}
}

// -out writes the files as they are, and only into a directory of their own.
func TestOut(t *testing.T) {
	t.Parallel()
	in, out := deposit(t), filepath.Join(t.TempDir(), "new")
	if code, stdout, stderr := call("-out", out, in); code != 0 || stdout == "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if b, err := os.ReadFile(filepath.Join(out, "f.pdf")); err != nil || string(b) != "%PDF-1.4" {
		t.Errorf("%q, %v", b, err)
	}
	if code, _, stderr := call(in, "-out", out); code != 1 || stderr == "" {
		t.Errorf("a directory that is not empty: exit %d", code)
	}
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"a", "b"}, {"-what"}, {"-json", "a", "b"}} {
		if code, _, stderr := call(args...); code != 2 || stderr == "" {
			t.Errorf("%q: exit %d, %q", args, code, stderr)
		}
	}
	if code, _, _ := call(filepath.Join(t.TempDir(), "none")); code != 1 {
		t.Errorf("a path that is not there: exit %d", code)
	}
}

func TestSafeNames(t *testing.T) {
	t.Parallel()
	taken := map[string]bool{}
	for _, c := range [][2]string{{"../../etc/passwd", "_.._etc_passwd"}, {"a.pdf", "a.pdf"}, {"A.PDF", "2-A.PDF"}, {"", "document"}, {"..", "2-document"},
		{"nul.txt", "_nul.txt"}, {"a\x00b", "a_b"}, {`C:\x`, "C__x"}} {
		if got := unique(safe(c[0]), taken); got != c[1] {
			t.Errorf("%q is written as %q, want %q", c[0], got, c[1])
		}
	}
}
