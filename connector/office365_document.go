package connector

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/vaguemestre/vaguemestre/router"
)

// file is an attachment whose size is known.
type file struct {
	router.Attachment
	inline bool
	size   int64
}

// document is JSON with the contents of files in it, written as often as needed, in memory
// that does not grow with them.
type document struct {
	texts [][]byte // one more than files
	files []file
	size  int64
}

// newDocument makes JSON of v, in which mark stands where the content of each file belongs.
func newDocument(v any, mark string, files []file) (*document, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	d := &document{files: files, size: int64(b.Len())}
	if mark == "" {
		d.texts = [][]byte{b.Bytes()}
		return d, nil
	}
	if d.texts = bytes.Split(b.Bytes(), []byte(mark)); len(d.texts) != len(files)+1 {
		return nil, errors.New("the message cannot be written as JSON")
	}
	for _, f := range files {
		d.size += int64(base64.StdEncoding.EncodedLen(int(f.size)) - len(mark))
	}
	return d, nil
}

// newMark is what no message holds by chance.
func newMark() string { return "content-" + rand.Text() }

// open returns the document from its beginning.
func (d *document) open() (io.ReadCloser, error) { return &documentReader{d: d}, nil }

// documentReader reads texts and files in turn. Close may be called while Read runs.
type documentReader struct {
	d    *document
	i    int // of the text, or the file behind it
	text []byte
	n    int64 // of the file
	in   []byte

	started bool
	mu      sync.Mutex
	rc      io.ReadCloser // the file that is read
	closed  bool
}

// errChanged is why a file of another length than was announced is not sent.
var errChanged = errors.New("has not as many bytes as were announced: it changed meanwhile")

const base64Block = 3 * 8 << 10

func (r *documentReader) Read(p []byte) (int, error) {
	if !r.started {
		r.started, r.text = true, r.d.texts[0]
	}
	for len(r.text) == 0 {
		if r.i == len(r.d.files) {
			return 0, io.EOF
		}
		if err := r.encode(); err != nil {
			return 0, &readError{fmt.Errorf("attachment %q %w", clean(r.d.files[r.i].Name, 80), err)}
		}
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}

// encode makes the next piece of the file, or, at its end, goes on to the text behind it.
func (r *documentReader) encode() error {
	f := r.d.files[r.i]
	rc, err := r.current(f)
	if err != nil {
		return err
	}
	if r.in == nil {
		r.in = make([]byte, base64Block)
	}
	n, err := io.ReadFull(rc, r.in)
	r.n += int64(n)
	switch {
	case r.n > f.size, err != nil && r.n < f.size && (err == io.EOF || err == io.ErrUnexpectedEOF):
		return errChanged
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		r.text = append(base64.StdEncoding.AppendEncode(nil, r.in[:n]), r.d.texts[r.i+1]...)
		r.i++
		r.n = 0
		return r.release()
	case err != nil:
		return fmt.Errorf("cannot be read: %w", err)
	}
	r.text = base64.StdEncoding.AppendEncode(r.text[:0:0], r.in)
	return nil
}

// current returns the open file.
func (r *documentReader) current(f file) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errors.New("closed")
	}
	if r.rc == nil {
		rc, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("cannot be opened: %w", err)
		}
		r.rc = rc
	}
	return r.rc, nil
}

func (r *documentReader) release() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rc != nil {
		r.rc.Close()
		r.rc = nil
	}
	return nil
}

func (r *documentReader) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	return r.release()
}
