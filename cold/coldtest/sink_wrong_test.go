package coldtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
)

// The directory sink keeps the contract, with and without sidecars.
func TestDirSink(t *testing.T) {
	for _, sidecar := range []string{"no sidecar", "sidecar"} {
		t.Run(sidecar, func(t *testing.T) {
			TestSink(t, func(t *testing.T) SinkHarness {
				up := t.TempDir()
				dir := filepath.Join(up, "in")
				t.Cleanup(func() {
					// Nothing is written beside the target.
					if all, err := os.ReadDir(up); err != nil || len(all) > 1 {
						t.Errorf("beside the target: %v, %v", all, err)
					}
				})
				s := &cold.DirSink{Path: dir, Sidecar: sidecar == "sidecar"}
				return SinkHarness{
					Sink:       func() cold.Sink { return s },
					Reopen:     func() { s = &cold.DirSink{Path: dir, Sidecar: s.Sidecar} },
					Stored:     func() ([]StoredFile, error) { return readDir(dir, s.Sidecar) },
					Concurrent: true,
				}
			})
		})
	}
}

// readDir is what a person sees in a directory; sidecars are not documents.
func readDir(dir string, sidecars bool) ([]StoredFile, error) {
	var out []StoredFile
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || p == ".":
			return err
		case strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() || sidecars && strings.HasSuffix(p, ".json"):
			return nil
		}
		data, err := os.ReadFile(filepath.Join(dir, p))
		group, _ := filepath.Split(p)
		out = append(out, StoredFile{Name: e.Name(), Group: group, Data: data})
		return err
	})
	return out, err
}

// memSink keeps documents in memory, and has one fault.
type memSink struct {
	fault string

	mu    sync.Mutex
	files []StoredFile
	lazy  []*cold.Document // of the fault "reads later"
	refs  map[string]string
}

func (s *memSink) Put(ctx context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	if s.fault != "no lock" {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	if s.refs == nil {
		s.refs = map[string]string{}
	}
	if s.fault == "fails on nothing" && len(docs) == 0 {
		return nil, errors.New("nothing to do")
	}
	if s.fault == "only the first hundred" && len(docs) > 100 {
		out, err := s.put(ctx, docs[:100])
		return append(out, make([]cold.Stored, len(docs)-100)...), err
	}
	return s.put(ctx, docs)
}

func (s *memSink) put(ctx context.Context, docs []*cold.Document) ([]cold.Stored, error) {
	var files []StoredFile
	refs := map[string]string{}
	out := make([]cold.Stored, len(docs))
	for i, d := range docs {
		if ref, ok := s.refs[d.Key]; ok && s.fault != "stores again" {
			out[i].Ref = ref
			continue
		}
		if s.fault == "key first" {
			s.refs[d.Key] = "ref " + d.Key
		}
		if s.fault == "reads later" {
			s.lazy = append(s.lazy, d)
			continue
		}
		data, err := s.read(ctx, d)
		if err != nil {
			switch s.fault {
			case "hides errors":
				continue
			case "keeps half":
				s.files = append(s.files, StoredFile{Name: d.Name, Group: d.Group, Data: data})
			}
			return nil, err
		}
		f := StoredFile{Name: d.Name, Group: d.Group, Data: data}
		switch s.fault {
		case "line ends":
			f.Data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
		case "to utf-8":
			f.Data = bytes.ToValidUTF8(data, []byte("?"))
		case "no groups":
			f.Group = ""
		case "one group":
			f.Group = "all"
		case "cuts at 1 MiB":
			f.Data = data[:min(len(data), 1<<20)]
		case "changes the document":
			d.Name = filepath.Base(d.Name)
		case "refuses paths":
			if strings.ContainsAny(d.Name, `/\`) {
				return nil, errors.New("a path")
			}
		}
		out[i].Ref = "ref " + d.Key
		if s.fault == "one by one" || s.fault == "group one by one" && d.Group != "" {
			s.files = append(s.files, f)
			s.refs[d.Key] = out[i].Ref
			continue
		}
		files = append(files, f)
		refs[d.Key] = out[i].Ref
	}
	for _, f := range files {
		same := func(o StoredFile) bool {
			switch s.fault {
			case "replaces":
				return o.Name == f.Name && o.Group == f.Group
			case "replaces without case":
				return strings.EqualFold(o.Name, f.Name) && o.Group == f.Group
			case "by content":
				return bytes.Equal(o.Data, f.Data)
			case "drops empty":
				return len(f.Data) == 0
			}
			return false
		}
		if s.fault == "drops empty" && len(f.Data) == 0 {
			continue
		}
		s.files = slices.DeleteFunc(s.files, same)
		s.files = append(s.files, f)
	}
	for k, r := range refs {
		s.refs[k] = r
	}
	switch s.fault {
	case "too few answers":
		out = out[:len(out)/2]
	case "answers backwards":
		slices.Reverse(out)
	case "refs count":
		for i := range out {
			out[i].Ref = fmt.Sprint("ref ", i)
		}
	}
	return out, nil
}

func (s *memSink) read(ctx context.Context, d *cold.Document) ([]byte, error) {
	if err := ctx.Err(); err != nil && s.fault != "ignores context" {
		return nil, err
	}
	r, err := d.Open()
	if err != nil {
		return nil, err
	}
	if s.fault != "does not close" {
		defer r.Close()
	}
	var out []byte
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil && s.fault != "ignores context" {
			return out, err
		}
		n, err := r.Read(buf)
		out = append(out, buf[:n]...)
		if s.fault == "half is seen" && len(out) > 0 {
			s.files = append(slices.DeleteFunc(s.files, func(f StoredFile) bool { return f.Group == "partial" }), StoredFile{Name: d.Name, Group: "partial", Data: out})
		}
		if err == io.EOF {
			if s.fault == "half is seen" {
				s.files = slices.DeleteFunc(s.files, func(f StoredFile) bool { return f.Group == "partial" })
			}
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

func memSinkHarness(fault string) func(t *testing.T) SinkHarness {
	return func(t *testing.T) SinkHarness {
		s := &memSink{fault: fault}
		return SinkHarness{
			Sink: func() cold.Sink { return s },
			Reopen: func() {
				if fault == "forgets" {
					s.refs = nil
				}
			},
			Stored: func() ([]StoredFile, error) {
				lazy := s.lazy
				s.lazy = nil // the content may ask again what is stored
				for _, d := range lazy {
					data, err := s.read(context.Background(), d)
					if err != nil {
						return nil, err
					}
					s.files = append(s.files, StoredFile{Name: d.Name, Group: d.Group, Data: data})
				}
				return s.files, nil
			},
			Concurrent: true,
		}
	}
}

func TestSinkSuite(t *testing.T) { TestSink(t, memSinkHarness("")) }

// wrongSinks names faults, and cases that must notice them.
var wrongSinks = map[string][]string{
	"line ends":              {"bytes"},
	"to utf-8":               {"bytes"},
	"fails on nothing":       {"no documents"},
	"too few answers":        {"answers in order", "bytes"},
	"refs count":             {"answers in order"},
	"answers backwards":      {"answers in order"},
	"only the first hundred": {"many"},
	"stores again":           {"repeat", "repeat in part", "repeat after a restart"},
	"forgets":                {"repeat after a restart"},
	"key first":              {"repeat after an error", "group or nothing"},
	"no groups":              {"group"},
	"one group":              {"group"},
	"one by one":             {"group appears together", "group or nothing"},
	"group one by one":       {"group appears together", "group or nothing"},
	"replaces":               {"same name"},
	"replaces without case":  {"same name"},
	"by content":             {"same content"},
	"refuses paths":          {"hostile names"},
	"drops empty":            {"empty document"},
	"cuts at 1 MiB":          {"large document"},
	"hides errors":           {"open fails", "read fails", "group or nothing"},
	"keeps half":             {"read fails", "group or nothing"},
	"half is seen":           {"never half"},
	"does not close":         {"closes"},
	"reads later":            {"done on return"},
	"changes the document":   {"documents unchanged"},
	"ignores context":        {"context ends"},
}

// Every wrong sink must fail the cases that check what it does wrong. They run in a
// process of their own, since a failed subtest fails the test.
func TestSinkSuiteFailsOnWrongOnes(t *testing.T) {
	const env = "VAGUEMESTRE_WRONG_SINKS"
	if os.Getenv(env) != "" {
		for fault := range wrongSinks {
			t.Run(fault, func(t *testing.T) { TestSink(t, memSinkHarness(fault)) })
		}
		return
	}
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSinkSuiteFailsOnWrongOnes$", "-test.v")
	cmd.Env = append(os.Environ(), env+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("the run with wrong sinks ended with %v:\n%s", err, out)
	}
	failed := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*--- FAIL: TestSinkSuiteFailsOnWrongOnes/(\S+)`).FindAllSubmatch(out, -1) {
		failed[string(m[1])] = true
	}
	noticed := map[string]bool{}
	for fault, cases := range wrongSinks {
		for _, c := range cases {
			noticed[c] = true
			if !failed[strings.ReplaceAll(fault+"/"+c, " ", "_")] {
				t.Errorf("a sink with the fault %q passed the case %q", fault, c)
			}
		}
	}
	for _, c := range sinkCases {
		if !noticed[c.name] && c.name != "context ended" && c.name != "concurrent" {
			t.Errorf("no wrong sink fails the case %q", c.name)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// Each case quotes a sentence that stands in the comments of package cold.
func TestSinkQuotes(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile(filepath.Join("..", "document.go"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(src), "//", " ")), " ")
	for _, c := range sinkCases {
		if !strings.Contains(text, c.quote) {
			t.Errorf("case %q: document.go does not say %q", c.name, c.quote)
		}
	}
}
