package launcher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

// value asks for a message as MIME. A page of a proxy, which may come as a success, is none.
func (s *graphSession) value(ctx context.Context, id string) (*http.Response, error) {
	resp, err := s.client.Do(ctx, &graph.Request{Op: "read", Path: "/messages/" + graph.Seg(id) + "/$value"})
	if err != nil {
		return nil, err
	}
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind {
	case "text/html", "application/json":
		resp.Body.Close()
		return nil, &graph.Fault{Op: "read", Kind: graph.Garbage, Status: resp.StatusCode,
			Err: fmt.Errorf("the answer is %s and no mail: see whether a proxy is in the way", kind)}
	}
	return resp, nil
}

// errEmpty is why a message is put together: none has no bytes, and what is taken for whole
// may be deleted.
var errEmpty = &graph.Fault{Op: "read", Kind: graph.Invalid, Err: errors.New("the answer is empty")}

// mostMends is how often a body that broke off is asked for again.
const mostMends = 2

// streamed is the body of a message that is larger than what is read ahead. A reader does
// not notice when the line breaks, as long as Graph gives the same bytes again.
type streamed struct {
	s    *graphSession
	ctx  context.Context
	id   string
	head *bytes.Buffer // what was read ahead
	resp *http.Response

	read  int64     // bytes that were given
	sum   hash.Hash // of them
	mends int
	end   error
}

func (b *streamed) ending() error { return b.end }

func (b *streamed) close() { b.resp.Body.Close() }

func (b *streamed) Read(p []byte) (int, error) {
	if b.sum == nil {
		b.sum = sha256.New()
	}
	for b.end == nil {
		var n int
		var err error
		if b.head.Len() > 0 {
			n, _ = b.head.Read(p)
		} else {
			n, err = b.resp.Body.Read(p)
		}
		b.read += int64(n)
		b.sum.Write(p[:n])
		if err == io.EOF {
			b.end = io.EOF
		} else if err != nil && !b.mend() {
			b.close()
			if b.end = io.ErrUnexpectedEOF; b.s.shows(b.ctx, b.id) {
				// It is blamed, or every run would end at this message.
				b.end = errOffice("read", vaguemestre.ClassPoison,
					"the answer breaks off over this message, now after %d bytes, while graph answers otherwise: look at it with a mail program: %w", b.read, err)
			}
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.end
}

// mend asks for the message again and goes on where it broke off.
func (b *streamed) mend() bool {
	for b.mends < mostMends && b.ctx.Err() == nil {
		b.mends++
		b.close()
		resp, err := b.s.value(b.ctx, b.id)
		if err != nil {
			return false
		}
		b.resp = resp
		sum := sha256.New()
		n, err := io.CopyN(sum, resp.Body, b.read)
		if n < b.read && err != io.EOF {
			continue
		}
		// Exchange may write the MIME of a message anew: then there is nothing to go on with.
		return n == b.read && bytes.Equal(sum.Sum(nil), b.sum.Sum(nil))
	}
	return false
}

// shows tells whether Graph answers about a message that it does not bring.
func (s *graphSession) shows(ctx context.Context, id string) bool {
	_, err := s.parent(ctx, id)
	return err == nil
}
