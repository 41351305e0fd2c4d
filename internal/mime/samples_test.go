package mime

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// samples returns the folder of sample mails, named by VAGUEMESTRE_SAMPLES.
func samples(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("VAGUEMESTRE_SAMPLES")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("VAGUEMESTRE_SAMPLES is not set: the sample mails must be there in CI")
		}
		t.Skip("VAGUEMESTRE_SAMPLES is not set: the sample mails are not compared")
	}
	dir = filepath.Join(dir, "mail")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return dir
}

type sample struct {
	ID     string `json:"id"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
	Dup    bool   `json:"dup"`
	raw    []byte
}

func readLines(t *testing.T, path string, line func([]byte)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line(sc.Bytes())
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
}

var fromLine = regexp.MustCompile(`(?m)^From .*\d\d:\d\d.*$`)

// loadSamples reads every message of the manifest and checks its hash, which proves that
// mbox files are cut as their collector did.
func loadSamples(t *testing.T, dir string) []sample {
	t.Helper()
	var all []sample
	mboxes := map[string][][]byte{}
	readLines(t, filepath.Join(dir, "MANIFEST.jsonl"), func(b []byte) {
		var s sample
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		path, n, isMbox := strings.Cut(s.ID, "#")
		cut, ok := mboxes[path]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
			if err != nil {
				t.Fatal(err)
			}
			cut = [][]byte{raw}
			if isMbox {
				cut = splitMbox(raw)
			}
			mboxes[path] = cut
		}
		i := 0
		if isMbox {
			i, _ = strconv.Atoi(n)
		}
		if i >= len(cut) {
			t.Fatalf("%s: only %d messages", s.ID, len(cut))
		}
		s.raw = cut[i]
		if sum := sha256.Sum256(s.raw); hex.EncodeToString(sum[:]) != s.SHA256 || len(s.raw) != s.Bytes {
			t.Fatalf("%s: not the message of the manifest", s.ID)
		}
		all = append(all, s)
	})
	return all
}

func splitMbox(raw []byte) [][]byte {
	at := []int{0}
	for _, m := range fromLine.FindAllIndex(raw, -1) {
		if m[0] > 0 {
			at = append(at, m[0])
		}
	}
	var out [][]byte
	for i, b := range at {
		e := len(raw)
		if i+1 < len(at) {
			e = at[i+1]
		}
		out = append(out, raw[b:e])
	}
	return out
}

func toLF(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }

func toCRLF(b []byte) []byte { return bytes.ReplaceAll(toLF(b), []byte("\n"), []byte("\r\n")) }

func sum16(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}
