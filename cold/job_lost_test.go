package cold_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// A decoder that knows a document and gives nothing has taken nothing over: the document
// itself is handed over, and an empty container does not go with its mail.
func TestJobDecoderThatGivesNothing(t *testing.T) {
	t.Parallel()
	j, m, s, _ := newJob(t)
	j.Decoders = []cold.Decoder{scripted(func(*cold.Document, func(string, string, io.Reader) error) error { return nil })}
	m.AddMail(mail("1", file{"empty.env", "E"}))
	run(t, j)
	if got := s.names(); !slices.Equal(got, []string{"empty.env=E"}) {
		t.Errorf("delivered %q", got)
	}
}

// A decoder whose scratch disk is full says nothing of the document: the run stops and the
// next one takes it apart.
func TestJobDecoderWithoutRoom(t *testing.T) {
	t.Parallel()
	full := true
	j, m, s, _ := newJob(t)
	j.Decoders = []cold.Decoder{scripted(func(d *cold.Document, out func(string, string, io.Reader) error) error {
		switch {
		case !strings.HasSuffix(d.Name, ".env"):
			return cold.ErrNotMine
		case full:
			return &vaguemestre.Error{Op: "test", Class: vaguemestre.ClassSink, Err: errors.New("no room")}
		}
		return out("a.pdf", "", strings.NewReader("a"))
	})}
	m.AddMail(mail("1", file{"x.env", "E"}))
	if _, err := j.Run(t.Context()); vaguemestre.ClassOf(err) != vaguemestre.ClassSink || len(s.names()) != 0 {
		t.Errorf("%v, delivered %q", err, s.names())
	}
	full = false
	run(t, j)
	if got := s.names(); !slices.Equal(got, []string{"a.pdf=a"}) {
		t.Errorf("delivered %q", got)
	}
}
