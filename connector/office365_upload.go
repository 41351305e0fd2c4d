package connector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/vaguemestre/vaguemestre/internal/graph"
	"github.com/vaguemestre/vaguemestre/router"
)

// Upload sessions: learn.microsoft.com/graph/outlook-large-attachments.
const (
	rangeSize   = 12 * 320 << 10 // a multiple of 320 KiB, at most 4 MB
	maxSessions = 3              // for one attachment
	maxStalls   = 5              // ranges without progress in one session
)

// query makes url.Values of pairs.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q
}

// errSession says that a session is worth nothing any more.
var errSession = errors.New("the upload session has ended")

// errOrder says that a session expects another range, and not which.
var errOrder = errors.New("the upload session expects another range")

// upload adds a large file; i is how many attachments there were before.
func (d *delivery) upload(ctx context.Context, draft string, f file, i int) error {
	src := &window{a: f.Attachment, size: f.size}
	defer src.close()
	for n := 1; ; n++ {
		last, err := d.session(ctx, draft, f, src)
		if !errors.Is(err, errSession) {
			return err
		}
		// The last range may have been taken: then the session is gone and the file is there.
		if last {
			if got, err := d.attached(ctx, draft); err != nil || got != i {
				if err == nil && got == i+1 {
					return nil
				}
				if ctx.Err() != nil {
					return canceled(opSend, ctx.Err())
				}
				return errAgain
			}
		}
		if n == maxSessions {
			return &graph.Fault{Op: "upload attachment", Kind: graph.Transient, Err: err}
		}
	}
}

// session uploads f in one session. last tells whether its last range went out.
func (d *delivery) session(ctx context.Context, draft string, f file, src *window) (last bool, err error) {
	item := map[string]any{"attachmentType": "file", "name": fileName(f.Name), "contentType": f.Type(), "size": f.size, "isInline": f.inline}
	if f.ContentID != "" {
		item["contentId"] = f.ContentID
	}
	var s struct {
		URL string `json:"uploadUrl"`
		ranges
	}
	err = d.c.JSON(ctx, &graph.Request{Op: "begin upload", Method: http.MethodPost, Path: "/messages/" + graph.Seg(draft) + "/attachments/createUploadSession",
		JSON: map[string]any{"AttachmentItem": item}}, &s)
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			d.cancelUpload(ctx, s.URL)
		}
	}()
	at, stalls := int64(0), 0
	var guessed error // why it was guessed where the next range begins
	for {
		piece, err := src.at(ctx, at)
		if err != nil {
			return last, err
		}
		end := at + int64(len(piece))
		last = last || end == f.size
		next, done, err := d.put(ctx, s.URL, piece, at, f.size)
		if errors.Is(err, errOrder) && guessed == nil {
			// Ranges go in order, and this one is next: it was taken the first time, and the
			// answer was lost. If that is wrong the following one is refused too.
			next, err, guessed = end, nil, err
		} else if errors.Is(err, errOrder) {
			err = fmt.Errorf("%w: %v", errSession, guessed)
		} else {
			guessed = nil
		}
		if err != nil || done {
			return last, err
		}
		if next <= at {
			if stalls++; stalls > maxStalls {
				return last, errSession
			}
			src.renew() // the transport may still read the old piece
		}
		if next > f.size {
			return last, errSession
		}
		if next == f.size { // all was taken, and yet there was no 201
			if guessed != nil {
				return true, fmt.Errorf("%w: %v", errSession, guessed)
			}
			return true, errSession
		}
		at = next
	}
}

// put uploads one range and returns where the next one begins.
func (d *delivery) put(ctx context.Context, link string, piece []byte, at, size int64) (next int64, done bool, err error) {
	end := at + int64(len(piece))
	resp, err := d.c.Upload(ctx, &graph.Request{Op: "upload attachment", Method: http.MethodPut, Link: link,
		Header:      http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", at, end-1, size)}},
		ContentType: "application/octet-stream", Size: int64(len(piece)),
		Body:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(piece)), nil },
		Accept: []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusRequestedRangeNotSatisfiable}})
	if f := faultOf(err); f != nil && f.Status == http.StatusBadRequest && f.Kind == graph.Invalid {
		return 0, false, fmt.Errorf("%w: %v", errOrder, f)
	}
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil && ctx.Err() != nil {
		return 0, false, canceled(opSend, ctx.Err())
	}
	var r ranges
	_ = json.Unmarshal(body, &r)
	switch start, ok := r.first(); {
	case resp.StatusCode == http.StatusCreated:
		return size, true, nil
	case resp.StatusCode/100 == 2 && ok:
		return start, false, nil
	case resp.StatusCode/100 == 2:
		return end, end == size, nil
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		return 0, false, errSession // 401: what the address itself allows has ended; no token may go there
	case ok:
		return start, false, nil
	}
	return 0, false, errOrder
}

// cancelUpload ends a session; nothing depends on it.
func (d *delivery) cancelUpload(ctx context.Context, link string) {
	if ctx.Err() != nil {
		return // the time that is left is for the draft, with which the session goes
	}
	short, cancel := lastWords(ctx)
	defer cancel()
	if resp, err := d.c.Upload(short, &graph.Request{Op: "end upload", Method: http.MethodDelete, Link: link, Accept: []int{404, 410}}); err == nil {
		resp.Body.Close()
	}
}

// ranges are what a session still expects: "0-", "2097152", "0-2097151".
//
// QUIRK: the member is written nextExpectedRanges and NextExpectedRanges
// (learn.microsoft.com/graph/outlook-large-attachments has both); encoding/json takes any case.
type ranges struct {
	Next []string `json:"nextExpectedRanges"`
}

// first is where the first of them begins.
func (r ranges) first() (int64, bool) {
	if len(r.Next) == 0 {
		return 0, false
	}
	start, _, _ := strings.Cut(strings.TrimSpace(r.Next[0]), "-")
	n, err := strconv.ParseInt(start, 10, 64)
	return n, err == nil && n >= 0
}

// window reads a file in ranges, in one buffer, and anew where it must go back.
type window struct {
	a    router.Attachment
	size int64

	rc   io.ReadCloser
	pos  int64 // of rc
	buf  []byte
	from int64 // of buf
}

// at returns the range that begins at start. It is valid until the next call.
func (s *window) at(ctx context.Context, start int64) ([]byte, error) {
	n := min(rangeSize, s.size-start)
	if len(s.buf) > 0 && s.from == start && int64(len(s.buf)) == n {
		return s.buf, nil
	}
	if err := s.read(ctx, start, n); err != nil {
		if ctx.Err() != nil {
			return nil, canceled(opSend, ctx.Err())
		}
		return nil, &readError{fmt.Errorf("attachment %q %w", clean(s.a.Name, 80), err)}
	}
	return s.buf, nil
}

func (s *window) read(ctx context.Context, start, n int64) (err error) {
	if s.rc != nil && s.pos > start {
		s.close()
	}
	if s.rc == nil {
		if s.rc, err = s.a.Open(); err != nil {
			return fmt.Errorf("cannot be opened: %w", err)
		}
		s.pos = 0
	}
	r := alive{s.rc, ctx.Err}
	if skip := start - s.pos; skip > 0 {
		if k, ok := s.rc.(io.Seeker); ok {
			_, err = k.Seek(start, io.SeekStart)
		} else {
			_, err = io.CopyN(io.Discard, r, skip)
		}
		if err != nil {
			return fmt.Errorf("cannot be read: %w", err)
		}
		s.pos = start
	}
	if int64(cap(s.buf)) < n {
		s.buf = make([]byte, n)
	}
	s.buf, s.from = s.buf[:n], start
	k, err := io.ReadFull(r, s.buf)
	s.pos += int64(k)
	if err == nil && s.pos == s.size {
		// What follows would be lost: it must be the end.
		var more [1]byte
		if k, rerr := io.ReadFull(r, more[:]); k > 0 {
			err = io.ErrUnexpectedEOF
		} else if rerr != io.EOF {
			err = rerr
		}
	}
	if err == nil {
		return nil
	}
	s.buf = s.buf[:0]
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errChanged
	}
	return fmt.Errorf("cannot be read: %w", err)
}

// renew gives up the buffer.
func (s *window) renew() { s.buf = nil }

func (s *window) close() {
	if s.rc != nil {
		s.rc.Close()
		s.rc = nil
	}
}
