package cold_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// scripted is a decoder made of a function; the answer of out is given to it.
type scripted func(d *cold.Document, out func(name, group string, r io.Reader) error) error

func (f scripted) Decode(_ context.Context, d *cold.Document, out func(*cold.Document) error) error {
	return f(d, func(name, group string, r io.Reader) error {
		return out(&cold.Document{Name: name, Group: group, Open: func() (io.ReadSeekCloser, error) { return fakeSeek{r}, nil }})
	})
}

type fakeSeek struct{ io.Reader }

func (fakeSeek) Seek(int64, int) (int64, error) { return 0, errors.New("read it once") }
func (fakeSeek) Close() error                   { return nil }

// broken gives some bytes and then err.
func brokenAfter(text string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(text), errReader{err})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// "any other error means that d is damaged: what came out before is kept, and d itself
// is delivered with the reason", whatever the filters say of its name.
func TestJobDamagedContainer(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]scripted{
		"error": func(d *cold.Document, out func(string, string, io.Reader) error) error {
			out("a.pdf", "", strings.NewReader("a"))
			return errors.New("bad checksum")
		},
		"panic": func(d *cold.Document, out func(string, string, io.Reader) error) error {
			out("a.pdf", "", strings.NewReader("a"))
			panic("bad checksum")
		},
		"entry with an error": func(d *cold.Document, out func(string, string, io.Reader) error) error {
			out("a.pdf", "", strings.NewReader("a"))
			return out("b.pdf", "", brokenAfter("b", errors.New("bad checksum")))
		},
		"entry cut short": func(d *cold.Document, out func(string, string, io.Reader) error) error {
			out("a.pdf", "", strings.NewReader("a"))
			return out("b.pdf", "", brokenAfter("b", io.ErrUnexpectedEOF))
		},
		"goes on after an error": func(d *cold.Document, out func(string, string, io.Reader) error) error {
			out("a.pdf", "", strings.NewReader("a"))
			out("b.pdf", "", brokenAfter("b", errors.New("bad checksum")))
			return nil
		},
		"not mine after all": func(d *cold.Document, out func(string, string, io.Reader) error) error {
			out("a.pdf", "", strings.NewReader("a"))
			return cold.ErrNotMine
		},
	} {
		j, m, s, _ := newJob(t)
		j.Filters.Include = []cold.Filter{filter(t, "*.pdf")}
		j.Decoders = []cold.Decoder{scripted(func(d *cold.Document, out func(string, string, io.Reader) error) error {
			if !strings.HasSuffix(d.Name, ".zip") {
				return cold.ErrNotMine
			}
			return f(d, out)
		})}
		m.AddMail(mail("1", file{"x.zip", "ZIP"}))
		m.AddMail(mail("2", file{"c.pdf", "c"}))
		var reason string
		j.OnDecision = func(d cold.Decided) {
			if d.Name == "x.zip" {
				reason = d.Reason
			}
		}
		run(t, j)
		if got := s.names(); !slices.Equal(got, []string{"a.pdf=a", "c.pdf=c", "x.zip=ZIP"}) {
			t.Errorf("%s: the sink has %q", name, got)
		}
		if !strings.Contains(reason, "decoded") {
			t.Errorf("%s: reason %q", name, reason)
		}
	}
}

// A bomb ends in bounded space: documents and bytes are counted over all levels.
func TestJobDecoderBomb(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits cold.Limits
		bytes  int
	}{
		"documents": {cold.Limits{Parts: 40}, 10},
		"bytes":     {cold.Limits{ItemSize: 10_000}, 9_000},
		"depth":     {cold.Limits{Depth: 3, Parts: 200}, 10},
	} {
		j, m, s, _ := newJob(t)
		j.Limits = c.limits
		made, n := 0, 0
		j.Decoders = []cold.Decoder{scripted(func(d *cold.Document, out func(string, string, io.Reader) error) error {
			for range 5 { // each document holds five others, for ever
				n++
				if err := out(fmt.Sprintf("%d.zip", n), "", strings.NewReader(strconv.Itoa(n)+strings.Repeat("x", c.bytes))); err != nil {
					return err
				}
				made++
			}
			return nil
		})}
		m.AddMail(mail("1", file{"x.zip", "ZIP"}))
		run(t, j)
		if made == 0 || made > 200 || len(s.docs) > 200 || name == "bytes" && made > 4 {
			t.Errorf("%s: %d documents made, %d delivered", name, made, len(s.docs))
		}
	}
}

// Documents of an envelope belong together, however deep they lie, and envelopes of one
// name do not mix.
func TestJobGroups(t *testing.T) {
	t.Parallel()
	j, m, s, _ := newJob(t)
	j.Decoders = []cold.Decoder{scripted(func(d *cold.Document, out func(string, string, io.Reader) error) error {
		switch {
		case strings.HasSuffix(d.Name, ".env"):
			out("a.xml", "acte", strings.NewReader(d.SHA256))
			return out("b.zip", "acte", strings.NewReader("zip"+d.SHA256))
		case strings.HasSuffix(d.Name, ".zip"):
			return out("c.pdf", "", strings.NewReader("pdf"+d.SHA256))
		}
		return cold.ErrNotMine
	})}
	m.AddMail(mail("1", file{"1.env", "1"}, file{"2.env", "2"}, file{"alone.pdf", "x"}))
	m.AddMail(mail("2", file{"1.env", "1"}))
	groups := map[string][]string{}
	s.fail = func(docs []*cold.Document) error {
		for _, d := range docs {
			groups[d.Group] = append(groups[d.Group], d.Name)
		}
		return nil
	}
	run(t, j)
	if len(groups) != 4 || len(groups[""]) != 1 {
		t.Fatalf("%v, want three envelopes and one alone", groups)
	}
	for g, names := range groups {
		if g != "" && (!slices.Equal(names, []string{"a.xml", "c.pdf"}) || !strings.HasPrefix(g, "acte-")) {
			t.Errorf("group %q has %q", g, names)
		}
	}
}

// A repair is told once, decoders or not.
func TestJobRepairsOnce(t *testing.T) {
	t.Parallel()
	j, m, _, _ := newJob(t)
	j.Decoders = []cold.Decoder{splitter{}}
	m.AddMail(bytes.Replace(mail("1", file{"a.pdf", "some data"}), []byte("c29t"), []byte("c2*9t"), 1))
	var repairs []string
	j.OnDecision = func(d cold.Decided) { repairs = d.Repairs }
	run(t, j)
	if len(repairs) != 1 {
		t.Errorf("%q", repairs)
	}
}

// The rules of a job are the same in the next process: a decoder's address is none.
func TestJobRulesAreStable(t *testing.T) {
	t.Parallel()
	type deep struct {
		scriptedPointer
		P *int
	}
	j, m, s, _ := newJob(t)
	s.skip = func(*cold.Document) string { return "no" }
	k := m.AddMail(mail("1", file{"a.pdf", "1"}))
	for range 3 {
		j.Decoders = []cold.Decoder{&deep{P: new(int)}, scripted(func(*cold.Document, func(string, string, io.Reader) error) error { return cold.ErrNotMine })}
		run(t, j)
	}
	if n := m.Opened(k); n != 1 {
		t.Errorf("a held mail was opened %d times under the same rules", n)
	}
}

type scriptedPointer struct{}

func (*scriptedPointer) Decode(context.Context, *cold.Document, func(*cold.Document) error) error {
	return cold.ErrNotMine
}

// A full scratch directory is nobody's fault.
func TestJobScratchMissing(t *testing.T) {
	t.Parallel()
	j, m, s, l := newJob(t)
	scratch := j.Scratch
	j.Scratch += "/missing"
	k := m.Add("a.bin", "", make([]byte, 2<<20))
	for range 4 {
		if _, err := j.Run(context.Background()); vaguemestre.ClassOf(err) != vaguemestre.ClassSink {
			t.Fatalf("error %v, want class sink", err)
		}
	}
	if e, _ := l.Explain(context.Background(), "test", k); e != nil && e.Attempts > 0 {
		t.Errorf("%d attempts", e.Attempts)
	}
	j.Scratch = scratch
	if run(t, j); len(s.docs) != 1 {
		t.Error("not delivered")
	}
}
