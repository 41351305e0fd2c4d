package tnef

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// samples returns the folder of sample mails, named by VAGUEMESTRE_SAMPLES.
func samples(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("VAGUEMESTRE_SAMPLES")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("VAGUEMESTRE_SAMPLES is not set: the samples must be there in CI")
		}
		t.Skip("VAGUEMESTRE_SAMPLES is not set: the samples are not compared")
	}
	return filepath.Join(dir, "mail")
}

// unlisted are the files that a list leaves out and that are there: the lists of the
// first source were made without the body, or with a reader that needs a title; those of
// the second do not look into attached messages.
var unlisted = map[string][]string{
	"christmas.tnef":              {"body.rtf", "kitten-playing-with-a-christmas-tree.jpg"},
	"long-filename.tnef":          {"allproductsmar2000.dat"},
	"missing-filenames.tnef":      {"TechlibDEC99-JAN00.doc", "TechlibDEC99.doc", "TechlibNOV99.doc", "generpts.src"},
	"unicode-mapi-attr-name.tnef": {"body.html"},
	"unicode-mapi-attr.tnef":      {"body.html"},
	"winmail.tnef":                {"body.rtf"},
}

// named are the files that a list calls untitled and that have a name all the same: that
// of an attached message is its subject.
var named = map[string][]string{
	"christmas.tnef": {"Build_a_train_table", "Christmas_Celebration!"},
	"winmail.tnef":   {"Picture_(Device_Independent_Bitmap)"},
}

// listed names what a stream holds, the files of attached messages too.
func listed(t *testing.T, data []byte, contents map[string][]byte) ([]string, error) {
	var names []string
	err := Read(bytes.NewReader(data), int64(len(data)), func(f *File) error {
		data, err := io.ReadAll(f.Open())
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		name := strings.ReplaceAll(f.Name, " ", "_")
		names = append(names, name)
		contents[name] = data
		if f.Role == RoleMessage {
			inner, err := listed(t, data, contents)
			names = append(names, inner...)
			return err
		}
		return nil
	})
	return names, err
}

// Every sample holds what its list names, and what comes out is, byte for byte, what the
// source of the samples extracted.
func TestSamples(t *testing.T) {
	t.Parallel()
	dir := samples(t)
	n, compared := 0, 0
	for _, pattern := range []string{"tnef/tests/files/datafiles/*.tnef", "mimekit/UnitTests/TestData/tnef/*.tnef"} {
		paths, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, path := range paths {
			n++
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			list, err := os.ReadFile(strings.TrimSuffix(path, ".tnef") + ".list")
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(path)
			stem := strings.TrimSuffix(name, ".tnef")
			want := slices.Clone(unlisted[name])
			for _, l := range strings.FieldsFunc(string(list), func(r rune) bool { return r == '\n' || r == '\r' }) {
				l = strings.ReplaceAll(strings.TrimPrefix(l, stem+"-"), " ", "_")
				if l == "Untitled_Attachment" && named[name] != nil {
					want = append(want, named[name]...)
				} else {
					want = append(want, l)
				}
			}
			contents := map[string][]byte{}
			got, err := listed(t, data, contents)
			if got, want := set(got), set(want); !slices.Equal(got, want) {
				t.Errorf("%s:\n got %q\nwant %q (%v)", path, got, want, err)
			}
			if (err != nil) != (name == "panic.tnef") { // that one is damaged, after its last file
				t.Errorf("%s: %v", path, err)
			}
			if strings.Contains(path, "mimekit") {
				continue
			}
			for name, content := range contents {
				base := name
				if strings.HasPrefix(name, "body.") {
					base = stem + "-" + name
				}
				b, err := os.ReadFile(filepath.Join(dir, "tnef/tests/files/baselines", base+".baseline"))
				if err != nil {
					continue
				}
				if stem == "MAPI_OBJECT" && name == "Untitled_Attachment" {
					b = b[16:] // the baseline has the identifier of the interface before the object
				}
				if compared++; !bytes.Equal(b, content) {
					t.Errorf("%s: %s: %d bytes, its baseline has %d", path, name, len(content), len(b))
				}
			}
		}
	}
	t.Logf("%d samples, %d contents compared", n, compared)
	if n < 34 || compared < 29 {
		t.Errorf("only %d samples, %d contents compared", n, compared)
	}
}

func set(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
