package actes

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// tarball walks over the entries of a tar.gz, within limits.
type tarball struct {
	in    *input
	tar   *tar.Reader
	guard *guard
	lim   Limits
	n     int // entries so far, of any kind

	notes []string // what is wrong with it and was got over
}

// openTarball begins to read r.
func openTarball(ctx context.Context, r io.Reader, lim Limits) (*tarball, error) {
	t := &tarball{in: &input{ctx: ctx, r: r, left: -1}, lim: lim}
	b := bufio.NewReaderSize(t.in, 64<<10)
	head, err := b.Peek(512)
	if err != nil && err != io.EOF {
		return nil, classed(err)
	}
	t.guard = &guard{t: t}
	switch {
	case len(head) > 2 && head[0] == 0x1f && head[1] == 0x8b: // RFC 1952, section 2.3.1
		gz, err := gzip.NewReader(b)
		if err != nil {
			return nil, t.broken(err)
		}
		gz.Multistream(false)
		t.guard.r = &members{gz: gz, b: b, t: t}
	case len(head) == 512 && string(head[257:262]) == "ustar":
		t.note("the archive is not compressed")
		t.guard.r = b
	default:
		return nil, poison("%w: it is not a tar.gz", ErrNotActes)
	}
	t.tar = tar.NewReader(t.guard)
	return t, nil
}

// next gives the name and size of the next file; its content is read from t.tar. io.EOF
// comes at the end of a whole archive.
func (t *tarball) next() (name string, size int64, err error) {
	for {
		h, err := t.tar.Next()
		switch {
		case err == io.EOF:
			return "", 0, t.end()
		case errors.Is(err, tar.ErrHeader) && t.n == 0:
			return "", 0, poison("%w: it is not a tar.gz", ErrNotActes)
		case err != nil:
			return "", 0, t.broken(err)
		}
		if t.n++; t.n > t.lim.Entries {
			return "", 0, poison("the archive has more than %d entries: raise Limits.Entries if it is to be read", t.lim.Entries)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		name, err := plainName(h.Name)
		if err != nil {
			return "", 0, err
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if h.Typeflag != tar.TypeReg || sparse(h) || name == "." {
			return "", 0, poison("the archive holds %q, which is a link or no regular file: it is not unpacked; ask its sender for one of plain files", cut(h.Name))
		}
		if h.Size < 0 || h.Size > t.lim.Entry {
			return "", 0, poison("the archive holds a file of more than %d bytes: raise Limits.Entry if it is to be read", t.lim.Entry)
		}
		if strings.ContainsAny(strings.TrimPrefix(h.Name, "./"), "/") {
			t.note("the files of the archive lie in a directory")
		}
		return name, h.Size, nil
	}
}

// end reads to the end of the stream, where the checksum is.
func (t *tarball) end() error {
	if _, err := io.Copy(io.Discard, t.guard); err != nil {
		return t.broken(err)
	}
	return io.EOF
}

// members is the text of a gzip file: one member after the other, up to what is none.
type members struct {
	gz *gzip.Reader
	b  *bufio.Reader
	t  *tarball
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.gz.Read(p)
		switch {
		case n > 0 && err == io.EOF:
			return n, nil
		case err != io.EOF:
			return n, err
		}
		switch head, err := m.b.Peek(2); {
		case err != nil && err != io.EOF:
			return 0, err
		case len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b:
			if err := m.gz.Reset(m.b); err != nil {
				return 0, err
			}
			m.gz.Multistream(false)
			continue
		case len(head) > 0: // QUIRK: archives that were padded, or got a line end in a mail
			m.t.note("something stands after the archive")
		}
		return 0, io.EOF
	}
}

// broken gives class poison to what the data is to blame for.
func (t *tarball) broken(err error) error {
	if e := t.in.failed; e != nil {
		return classed(e)
	}
	if t.in.ctx.Err() != nil {
		return classed(t.in.ctx.Err())
	}
	if t.guard.err != nil {
		return t.guard.err
	}
	return poison("the archive is damaged, ask its sender for another: %w", err)
}

func (t *tarball) note(s string) {
	for _, n := range t.notes {
		if n == s {
			return
		}
	}
	t.notes = append(t.notes, s)
}

// guard is the stream of the tar, out of which no bomb gets.
type guard struct {
	t   *tarball
	r   io.Reader
	out int64
	err error
}

// freeRatio is how many bytes may come before the ratio counts.
const freeRatio = 10 << 20

func (g *guard) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	if err := g.t.in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := g.r.Read(p)
	g.out += int64(n)
	switch {
	case g.out > g.t.lim.Bytes:
		g.err = poison("the archive holds more than %d bytes: raise Limits.Bytes if it is to be read", g.t.lim.Bytes)
	case g.out > freeRatio && g.out/g.t.lim.Ratio > g.t.in.read:
		g.err = poison("the archive unpacks to more than %d times its size, which is what bombs do", g.t.lim.Ratio)
	}
	if g.err != nil {
		return 0, g.err
	}
	return n, err
}

func sparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// plainName is the last part of an entry's name. A name that leads elsewhere makes the
// archive suspect as a whole.
func plainName(name string) (string, error) {
	refused := func(why string) (string, error) {
		return "", poison("the archive holds the name %q, which %s: it is not unpacked; ask its sender for a flat one", cut(name), why)
	}
	parts := strings.Split(strings.TrimSuffix(name, "/"), "/")
	last := parts[len(parts)-1]
	switch {
	case len(name) > 255:
		return refused("is too long")
	case strings.HasPrefix(name, "/"), strings.Contains(name, "\\"), strings.Contains(name, ":"):
		return refused("is a path")
	case strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return refused("has control characters")
	}
	for _, p := range parts {
		if p == ".." {
			return refused("leads out of it")
		}
	}
	if last == "" || last == "." && len(parts) > 1 {
		return refused("is empty")
	}
	return last, nil
}

var errChanged = fmt.Errorf("the archive changed while it was read")
