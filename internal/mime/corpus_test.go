package mime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// differences collects what differs from the expectations, and compares it with the
// listed exceptions: "id <tab> kind <tab> why ours is right or acceptable".
type differences struct {
	found  map[string][]string // id and kind: details
	listed map[string]string
}

func loadExceptions(t *testing.T) *differences {
	t.Helper()
	d := &differences{map[string][]string{}, map[string]string{}}
	readLines(t, filepath.Join("testdata", "exceptions.txt"), func(b []byte) {
		line := string(b)
		if line == "" || line[0] == '#' {
			return
		}
		f := strings.SplitN(line, "\t", 3)
		if len(f) != 3 || len(f[2]) < 20 {
			t.Fatalf("exceptions.txt: no reason given: %q", line)
		}
		d.listed[f[0]+"\t"+f[1]] = f[2]
	})
	return d
}

func (d *differences) add(id, kind, format string, args ...any) {
	k := id + "\t" + kind
	d.found[k] = append(d.found[k], fmt.Sprintf(format, args...))
}

// check fails on differences that are not listed and on listed ones that are gone.
// kinds are those that the calling test looks for.
func (d *differences) check(t *testing.T, kinds ...string) (listed int) {
	t.Helper()
	var keys []string
	for k := range d.found {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if d.listed[k] != "" {
			listed++
			continue
		}
		t.Errorf("%s\n\t%s", k, strings.Join(d.found[k], "\n\t"))
	}
	for k := range d.listed {
		if _, kind, _ := strings.Cut(k, "\t"); slices.Contains(kinds, kind) && d.found[k] == nil {
			t.Errorf("%s: listed in exceptions.txt and no longer different", k)
		}
	}
	return listed
}

// leaf is what the comparisons see of a part.
type leaf struct {
	Name   string
	Type   string
	Disp   string
	Size   int
	SHA    string // "" for an attached mail
	isMail bool
}

func (l leaf) String() string {
	return fmt.Sprintf("%q %s %s %d %s", l.Name, l.Type, l.Disp, l.Size, l.SHA)
}

// attachments lists what the oracle counts as such: with that disposition or a name, an
// attached mail, or a leaf that is neither text nor a message; nothing inside attached
// mails.
func attachments(t *testing.T, m *Message) []leaf {
	var ls []leaf
	inside := -1 // depth of the attached mail that we are in
	for p := range m.Parts() {
		if inside >= 0 && p.Depth > inside {
			continue
		}
		inside = -1
		kind, _, _ := strings.Cut(p.MediaType, "/")
		if p.Role == RoleMessage {
			inside = p.Depth
			ls = append(ls, leaf{Name: p.Name, Type: p.MediaType, Disp: p.Disposition, isMail: true})
			continue
		}
		if kind == "multipart" || p.Disposition != "attachment" && p.Name == "" && (kind == "text" || kind == "message") {
			continue
		}
		b := content(t, p)
		ls = append(ls, leaf{Name: p.Name, Type: p.MediaType, Disp: p.Disposition, Size: len(b), SHA: sum16([]byte(b))})
	}
	return ls
}

// shape writes all of a tree that must not depend on the line ends.
func shape(t *testing.T, m *Message) string {
	var s strings.Builder
	for p := range m.Parts() {
		fmt.Fprintf(&s, "%*s%s %s %q", p.Depth, "", p.Role, p.MediaType, p.Name)
		if len(p.Children) == 0 {
			b := toLF([]byte(content(t, p)))
			fmt.Fprintf(&s, " %d %s", len(b), sum16(b))
		}
		fmt.Fprintf(&s, " %q\n", p.Repairs)
	}
	return s.String()
}

// parseTimed parses b in memory and through a window, and compares the two.
func parseTimed(t *testing.T, diff *differences, id string, b []byte) (*Message, time.Duration) {
	t.Helper()
	start := time.Now()
	m, err := parseMem(t, b, nil)
	if limit := (*LimitError)(nil); errors.As(err, &limit) {
		diff.add(id, "limit", "%v", err)
		return m, 0
	}
	if err != nil {
		t.Errorf("%s: %v", id, err)
		return m, 0
	}
	for p := range m.Parts() {
		r := p.Open()
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%s: part %d: %v", id, p.Number, err)
		}
		r.Close()
	}
	took := time.Since(start)
	w, err := Parse(bytes.NewReader(b), int64(len(b)), nil)
	if err != nil {
		t.Errorf("%s: through a window: %v", id, err)
		return m, took
	}
	if a, b := shape(t, m), shape(t, w); a != b {
		t.Errorf("%s: in memory and through a window differ:\n%s\n%s", id, a, b)
	}
	return m, took
}

type oracleLine struct {
	ID          string `json:"id"`
	Attachments []struct {
		Name *string `json:"name"`
		Type string  `json:"type"`
		Disp *string `json:"disp"`
		Size *int    `json:"size"`
		SHA  string  `json:"sha256_16"`
	} `json:"attachments"`
}

// TestCorpus reads every sample mail in three forms and compares the attachments with
// those that Python's parser finds.
func TestCorpus(t *testing.T) {
	dir := samples(t)
	all := loadSamples(t, dir)
	oracle := map[string]oracleLine{}
	readLines(t, filepath.Join(dir, "ORACLE-python-email-3.11.jsonl"), func(b []byte) {
		var o oracleLine
		if err := json.Unmarshal(b, &o); err != nil {
			t.Fatal(err)
		}
		oracle[o.ID] = o
	})
	diff := loadExceptions(t)
	var messages, compared, expected, found, names, sizes int
	var slowest time.Duration
	for _, s := range all {
		messages++
		m, took := parseTimed(t, diff, s.ID, s.raw)
		lf, tookLF := parseTimed(t, diff, s.ID, toLF(s.raw))
		cr, tookCR := parseTimed(t, diff, s.ID, toCRLF(s.raw))
		slowest = max(slowest, took, tookLF, tookCR)
		if a, b := shape(t, lf), shape(t, cr); a != b {
			diff.add(s.ID, "twins", "LF:\n%s\tCRLF:\n%s", a, b)
		}
		o, ok := oracle[s.ID]
		if !ok {
			if !s.Dup {
				t.Errorf("%s: not in the oracle", s.ID)
			}
			continue
		}
		compared++
		ours := attachments(t, m)
		found += len(ours)
		expected += len(o.Attachments)
		used := make([]bool, len(ours))
		for _, a := range o.Attachments {
			want := leaf{Type: a.Type, SHA: a.SHA, isMail: a.Size == nil}
			if a.Name != nil {
				want.Name = *a.Name
			}
			if a.Size != nil {
				want.Size = *a.Size
			}
			best := -1
			for pass := 0; pass < 3 && best < 0; pass++ {
				for i, l := range ours {
					same := l.isMail == want.isMail && l.SHA == want.SHA && l.Size == want.Size
					if used[i] || l.isMail != want.isMail {
						continue
					}
					if pass == 0 && same && sameName(l.Name, want.Name) || pass == 1 && same || pass == 2 && sameName(l.Name, want.Name) && l.Name != "" {
						best = i
						break
					}
				}
			}
			if best < 0 {
				diff.add(s.ID, "missing", "oracle has %v; ours %v", want, ours)
				continue
			}
			used[best] = true
			l := ours[best]
			if sameName(l.Name, want.Name) {
				names++
			} else {
				diff.add(s.ID, "name", "oracle %q, ours %q", want.Name, l.Name)
			}
			if l.SHA == want.SHA && l.Size == want.Size {
				sizes++
			} else {
				diff.add(s.ID, "bytes", "%q: oracle %d bytes %s, ours %d bytes %s", l.Name, want.Size, want.SHA, l.Size, l.SHA)
			}
		}
		for i, l := range ours {
			if !used[i] {
				diff.add(s.ID, "more", "ours has %v", l)
			}
		}
	}
	if slowest > 2*time.Second {
		t.Errorf("slowest mail took %v", slowest)
	}
	listed := diff.check(t, "limit", "twins", "missing", "name", "bytes", "more")
	percent := func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
	t.Logf("%d messages in three forms, slowest %v", messages, slowest.Round(time.Millisecond))
	t.Logf("%d messages compared with Python's email 3.11: %d attachments there, %d here", compared, expected, found)
	t.Logf("names that agree: %d (%.1f %%); contents that agree: %d (%.1f %%); listed exceptions: %d",
		names, percent(names, expected), sizes, percent(sizes, expected), listed)
}

// sameName compares with the oracle, which leaves RFC 2047 words and folds as they are.
func sameName(ours, oracle string) bool {
	return ours == oracle || ours == unescape(oracle) || strings.Contains(oracle, "=?") && ours == decodeWords(oracle, "")
}

// TestCorpusMime4j compares the decoded leaves that come with mime4j's test mails.
func TestCorpusMime4j(t *testing.T) {
	dir := samples(t)
	diff := loadExceptions(t)
	files, err := filepath.Glob(filepath.Join(dir, "james-mime4j", "core", "src", "test", "resources", "*", "*_decoded_*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no decoded leaves: %v", err)
	}
	agree, total := 0, 0
	for _, f := range files {
		base, path, _ := strings.Cut(filepath.Base(f), "_decoded_")
		path = strings.TrimSuffix(path, filepath.Ext(path))
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(f), base+".msg"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		total++
		id := filepath.Base(filepath.Dir(f)) + "/" + filepath.Base(f)
		m, err := parseMem(t, raw, nil)
		if err != nil {
			diff.add(id, "mime4j", "%v", err)
			continue
		}
		p := m.Root
		for _, n := range strings.Split(path, "_")[1:] {
			i := 0
			fmt.Sscan(n, &i)
			if p == nil || i > len(p.Children) {
				p = nil
				break
			}
			p = p.Children[i-1]
		}
		if p == nil {
			diff.add(id, "mime4j", "no such part; ours: %s", outline(m.Root))
			continue
		}
		got := content(t, p)
		if got == string(want) {
			agree++
			continue
		}
		diff.add(id, "mime4j", "%d bytes wanted, %d here: %s", len(want), len(got), firstDifference(got, string(want)))
	}
	listed := diff.check(t, "mime4j")
	t.Logf("decoded leaves of mime4j: %d of %d agree (%.1f %%), listed exceptions: %d", agree, total, 100*float64(agree)/float64(total), listed)
}

func firstDifference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	cut := func(s string) string { return s[max(0, min(len(s), i)-8):min(len(s), i+24)] }
	return fmt.Sprintf("at %d ours %q, theirs %q", i, cut(a), cut(b))
}

// offsets is MimeKit's description of a part.
type offsets struct {
	MimeType  string    `json:"mimeType"`
	Begin     int64     `json:"beginOffset"`
	HeaderEnd int64     `json:"headersEndOffset"`
	End       int64     `json:"endOffset"`
	Children  []offsets `json:"children"`
	Message   *offsets  `json:"message"`
	Body      *offsets  `json:"body"`
}

// TestCorpusMimeKit compares where parts begin and end with MimeKit's findings.
func TestCorpusMimeKit(t *testing.T) {
	dir := filepath.Join(samples(t), "mimekit", "UnitTests", "TestData", "mbox")
	diff := loadExceptions(t)
	agree, total := 0, 0
	for _, name := range []string{"content-length", "issue1189"} {
		raw, err := os.ReadFile(filepath.Join(dir, name+".mbox.txt"))
		if err != nil {
			t.Fatal(err)
		}
		for form, b := range map[string][]byte{"unix": toLF(raw), "dos": toCRLF(raw)} {
			js, err := os.ReadFile(filepath.Join(dir, name+"."+form+"-offsets.json"))
			if err != nil {
				t.Fatal(err)
			}
			var msgs []offsets
			if err := json.Unmarshal(bytes.TrimPrefix(js, []byte("\xef\xbb\xbf")), &msgs); err != nil {
				t.Fatal(err)
			}
			for i, o := range msgs {
				m, err := parseMem(t, b[o.Begin:o.End], nil)
				if err != nil {
					t.Fatal(err)
				}
				id := fmt.Sprintf("%s.%s#%d", name, form, i)
				var walk func(p *Part, w *offsets)
				walk = func(p *Part, w *offsets) {
					total++
					start, end := p.Start+o.Begin, p.End+o.Begin
					if p.MediaType == strings.ToLower(w.MimeType) && start == w.HeaderEnd && end == w.End {
						agree++
					} else {
						diff.add(id, "mimekit", "part %d: %s %d-%d, MimeKit %s %d-%d", p.Number, p.MediaType, start, end, w.MimeType, w.HeaderEnd, w.End)
					}
					sub := w.Children
					if w.Message != nil && w.Message.Body != nil {
						sub = []offsets{*w.Message.Body}
					}
					if len(sub) != len(p.Children) {
						diff.add(id, "mimekit", "part %d: %d children, MimeKit %d", p.Number, len(p.Children), len(sub))
						return
					}
					for i := range sub {
						walk(p.Children[i], &sub[i])
					}
				}
				if o.Body != nil {
					walk(m.Root, o.Body)
				}
			}
		}
	}
	listed := diff.check(t, "mimekit")
	t.Logf("offsets of MimeKit: %d of %d parts agree (%.1f %%), listed exceptions: %d", agree, total, 100*float64(agree)/float64(max(total, 1)), listed)
}
