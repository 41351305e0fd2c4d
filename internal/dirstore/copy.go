package dirstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"syscall"

	"github.com/vaguemestre/vaguemestre"
)

// Bounds of the copying: a file up to copyBuffer is written at once; what comes in
// pieces of straight bytes or more is not copied together before.
const (
	copyBuffer = 1 << 20
	straight   = 256 << 10
)

// copier copies one file after the other and hashes what it writes. It is the writer
// that a source's WriteTo gets.
type copier struct {
	ctx  context.Context
	out  *os.File
	buf  []byte // what is not written yet
	sum  hash.Hash
	size int64
	err  error // ours, not the source's
}

// copy writes src to out. An error is the source's unless c.err is set.
func (c *copier) copy(ctx context.Context, out *os.File, src io.Reader) (size int64, sum string, err error) {
	if c.buf == nil {
		c.buf, c.sum = make([]byte, 0, copyBuffer), sha256.New()
	}
	c.ctx, c.out, c.buf, c.size, c.err = ctx, out, c.buf[:0], 0, nil
	defer func() { c.ctx, c.out = nil, nil }()
	c.sum.Reset()
	if w, ok := src.(io.WriterTo); ok {
		_, err = w.WriteTo(c)
	} else {
		_, err = c.ReadFrom(src)
	}
	if c.err == nil && err == nil {
		c.flush()
	}
	if c.err != nil {
		return 0, "", c.err
	}
	if err != nil {
		return 0, "", err
	}
	var b [sha256.Size]byte
	return c.size, hex.EncodeToString(c.sum.Sum(b[:0])), nil
}

// Write takes a piece of the content.
func (c *copier) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		if c.err == nil {
			c.err = c.ctx.Err()
		}
		if c.err != nil {
			return done, c.err
		}
		var n int
		if len(c.buf) == 0 && len(p) >= straight {
			n = min(len(p), copyBuffer)
			c.emit(p[:n])
		} else {
			n = min(len(p), copyBuffer-len(c.buf))
			c.buf = append(c.buf, p[:n]...)
			if len(c.buf) == copyBuffer {
				c.flush()
			}
		}
		p, done = p[n:], done+n
	}
	return done, c.err
}

// ReadFrom takes everything that r gives.
func (c *copier) ReadFrom(r io.Reader) (int64, error) {
	for total, empty := int64(0), 0; ; {
		if c.err == nil {
			c.err = c.ctx.Err()
		}
		if c.err != nil {
			return total, c.err
		}
		n, err := r.Read(c.buf[len(c.buf):copyBuffer])
		c.buf, total = c.buf[:len(c.buf)+n], total+int64(n)
		if len(c.buf) == copyBuffer {
			c.flush()
		}
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, err
		case n > 0:
			empty = 0
		default:
			if empty++; empty == 100 {
				return total, io.ErrNoProgress
			}
		}
	}
}

func (c *copier) flush() {
	if len(c.buf) > 0 {
		c.emit(c.buf)
	}
	c.buf = c.buf[:0]
}

func (c *copier) emit(p []byte) {
	if c.err != nil {
		return
	}
	c.sum.Write(p)
	c.size += int64(len(p))
	_, c.err = c.out.Write(p)
}

// sourceError sorts a failure to read a file: what the machine lacks is nobody's fault,
// anything else is the file's.
func sourceError(i int, err error) error {
	var no syscall.Errno
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case vaguemestre.ClassOf(err) != "":
		return err
	case errors.As(err, &no) && (no == syscall.EMFILE || no == syscall.ENFILE || no == syscall.ENOMEM || no == syscall.ENOSPC || no == syscall.EIO):
		return err
	}
	return &FileError{i, fmt.Errorf("it cannot be read: %w", err)}
}
