package coldtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/cold"
)

// DecoderCase is one document for [TestDecoder] and what must come out of it.
type DecoderCase struct {
	Name      string // of the case and, if FileName is empty, of the document
	FileName  string
	MediaType string
	Data      []byte
	Fields    map[string]string

	NotMine bool              // the decoder must answer cold.ErrNotMine
	Damaged bool              // the decoder must answer another error; Want is what comes out before it
	Want    map[string][]byte // content by name, in any order; nil content is not compared
}

// TestDecoder proves that d keeps the contract of [cold.Decoder] on cases, at least
// one of which must be of its kind.
func TestDecoder(t *testing.T, d cold.Decoder, cases ...DecoderCase) {
	mine := 0
	for _, c := range cases {
		if !c.NotMine && !c.Damaged {
			mine++
		}
	}
	if mine == 0 {
		t.Fatal("coldtest: TestDecoder needs a case of the decoder's own kind")
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			// "Decode calls out for every document found in d, with Name, MediaType, Size,
			// Group, Fields and Open set"
			t.Run("all documents come out", func(t *testing.T) { decoderAll(t, d, c) })
			if c.NotMine {
				return
			}
			// "What out receives must stay readable until Decode returns."
			t.Run("documents stay readable", func(t *testing.T) { decoderReadable(t, d, c) })
			// "Open … may be called any number of times": the decoder must not use up what it is given
			t.Run("the same again", func(t *testing.T) { decoderAgain(t, d, c) })
			// an error of out ends the work: nobody can take more
			t.Run("an error of out is passed on", func(t *testing.T) { decoderOutFails(t, d, c) })
			t.Run("canceled", func(t *testing.T) { decoderCanceled(t, d, c) })
			if !c.Damaged {
				// "any other error means that d is damaged: what came out before is kept"
				t.Run("cut short", func(t *testing.T) { decoderCut(t, d, c) })
				t.Run("unreadable", func(t *testing.T) { decoderUnreadable(t, d, c) })
			}
		})
	}
	// "It returns ErrNotMine if d is not of its kind, and then out has not been called"
	t.Run("not mine", func(t *testing.T) {
		for _, data := range [][]byte{nil, {0}, []byte("hello"), bytes.Repeat([]byte{0xff}, 5000), []byte(strings.Repeat("<a>", 2000))} {
			out, err := decode(t, d, document("strange.bin", "application/octet-stream", data, nil))
			if !errors.Is(err, cold.ErrNotMine) {
				t.Errorf("Decode of %d strange bytes: error %v, want one that is cold.ErrNotMine", len(data), err)
			}
			if errors.Is(err, cold.ErrNotMine) && len(out) > 0 {
				t.Errorf("Decode answered ErrNotMine after %d documents", len(out))
			}
		}
	})
}

// decoded is one document that came out, copied while it was readable.
type decoded struct {
	name, group string
	size        int64
	data        []byte
}

func document(name, mediaType string, data []byte, fields map[string]string) *cold.Document {
	sum := sha256.Sum256(data)
	return &cold.Document{Name: name, MediaType: mediaType, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]),
		Path: []string{"test:1"}, Fields: fields, Open: func() (io.ReadSeekCloser, error) { return seekCloser{bytes.NewReader(data)}, nil }}
}

type seekCloser struct{ *bytes.Reader }

func (seekCloser) Close() error { return nil }

func (c DecoderCase) document() *cold.Document {
	name := c.FileName
	if name == "" {
		name = c.Name
	}
	return document(name, c.MediaType, c.Data, c.Fields)
}

// decode runs d with a bound in time and copies what comes out.
func decode(t *testing.T, d cold.Decoder, doc *cold.Document) (out []decoded, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	begun := time.Now()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("Decode panicked: %v", p)
			err = fmt.Errorf("panic: %v", p)
		}
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("Decode took %s", took)
		}
	}()
	err = d.Decode(ctx, doc, func(o *cold.Document) error {
		one := decoded{name: o.Name, group: o.Group, size: o.Size}
		if o.Open == nil {
			return errors.New("a document without Open")
		}
		r, err := o.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		one.data, err = io.ReadAll(r)
		out = append(out, one)
		return err
	})
	return out, err
}

func decoderAll(t *testing.T, d cold.Decoder, c DecoderCase) {
	before := bytes.Clone(c.Data)
	out, err := decode(t, d, c.document())
	if !bytes.Equal(before, c.Data) {
		t.Error("the decoder changed the bytes it was given")
	}
	switch {
	case c.NotMine:
		if !errors.Is(err, cold.ErrNotMine) || len(out) > 0 {
			t.Errorf("error %v with %d documents, want cold.ErrNotMine with none", err, len(out))
		}
		return
	case c.Damaged:
		if err == nil || errors.Is(err, cold.ErrNotMine) {
			t.Errorf("error %v, want one that tells of the damage", err)
		}
	case err != nil:
		t.Fatalf("Decode: %v", err)
	}
	var got, want []string
	for _, o := range out {
		got = append(got, o.name)
		if o.name == "" {
			t.Error("a document without a name came out")
		}
		if o.size >= 0 && o.size != int64(len(o.data)) {
			t.Errorf("%q: Size is %d, its content has %d bytes", o.name, o.size, len(o.data))
		}
		if w, ok := c.Want[o.name]; ok && w != nil && !bytes.Equal(w, o.data) {
			t.Errorf("%q: content differs: %d bytes, want %d", o.name, len(o.data), len(w))
		}
	}
	for name := range c.Want {
		want = append(want, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("came out %q, want %q", got, want)
	}
}

func decoderReadable(t *testing.T, d cold.Decoder, c DecoderCase) {
	type late struct {
		name  string
		first []byte
		open  func() (io.ReadSeekCloser, error)
	}
	var kept []late
	check := func() {
		for _, l := range kept {
			r, err := l.open()
			if err != nil {
				t.Errorf("%q: second Open: %v", l.name, err)
				continue
			}
			again, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(again, l.first) {
				t.Errorf("%q: read again gives %d bytes, error %v; first were %d bytes", l.name, len(again), err, len(l.first))
			}
			if _, err := r.Seek(0, io.SeekStart); err != nil {
				t.Errorf("%q: Seek to the start: %v", l.name, err)
			} else if third, err := io.ReadAll(r); err != nil || !bytes.Equal(third, l.first) {
				t.Errorf("%q: after Seek to the start: %d bytes, error %v; want %d", l.name, len(third), err, len(l.first))
			}
			r.Close()
		}
	}
	err := d.Decode(context.Background(), c.document(), func(o *cold.Document) error {
		r, err := o.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		kept = append(kept, late{o.Name, data, o.Open})
		check() // all of them, while Decode has not returned
		return err
	})
	if err != nil && !c.Damaged {
		t.Errorf("Decode: %v", err)
	}
}

func decoderAgain(t *testing.T, d cold.Decoder, c DecoderCase) {
	doc := c.document()
	first, _ := decode(t, d, doc)
	second, _ := decode(t, d, doc)
	if len(first) != len(second) {
		t.Fatalf("first %d documents, then %d", len(first), len(second))
	}
	for i := range first {
		if first[i].name != second[i].name || !bytes.Equal(first[i].data, second[i].data) || first[i].group != second[i].group {
			t.Errorf("document %d differs the second time: %q, %q", i, first[i].name, second[i].name)
		}
	}
}

func decoderOutFails(t *testing.T, d cold.Decoder, c DecoderCase) {
	if len(c.Want) == 0 {
		t.Skip("nothing comes out of this case")
	}
	mine := errors.New("the receiver is full")
	n := 0
	err := d.Decode(context.Background(), c.document(), func(*cold.Document) error { n++; return mine })
	if !errors.Is(err, mine) {
		t.Errorf("Decode returned %v, want the error of out", err)
	}
	if n != 1 {
		t.Errorf("out was called %d times, again after its error", n)
	}
}

func decoderCanceled(t *testing.T, d cold.Decoder, c DecoderCase) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	done := make(chan error, 1)
	go func() {
		done <- d.Decode(ctx, c.document(), func(*cold.Document) error { n++; cancel(); return ctx.Err() })
	}()
	select {
	case err := <-done:
		if err == nil && n > 0 {
			t.Error("Decode returned nil though ctx ended and out failed")
		}
	case <-time.After(5 * time.Second):
		t.Error("Decode did not return within 5 s after ctx ended")
	}
	cancel()
}

func decoderCut(t *testing.T, d cold.Decoder, c DecoderCase) {
	steps := max(len(c.Data)/50, 1)
	for n := 0; n < len(c.Data); n += steps {
		out, err := decode(t, d, document(c.Name, c.MediaType, c.Data[:n], c.Fields))
		if errors.Is(err, cold.ErrNotMine) && len(out) > 0 {
			t.Errorf("cut at %d: ErrNotMine after %d documents", n, len(out))
		}
		if err == nil && len(out) < len(c.Want) {
			t.Errorf("cut at %d of %d bytes: only %d of %d documents came out, and no error", n, len(c.Data), len(out), len(c.Want))
		}
	}
}

func decoderUnreadable(t *testing.T, d cold.Decoder, c DecoderCase) {
	broken := errors.New("disk error")
	doc := c.document()
	doc.Open = func() (io.ReadSeekCloser, error) { return nil, broken }
	if err := d.Decode(context.Background(), doc, func(*cold.Document) error { return nil }); err == nil || errors.Is(err, cold.ErrNotMine) {
		t.Errorf("a document that cannot be read: error %v, want the error of Open", err)
	}
}
