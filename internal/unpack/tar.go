package unpack

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"io"
	"strings"
	"unicode/utf8"
)

// tar reads the archive in r.
func (w *walk) tar(r io.Reader) error {
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return w.read(err)
		}
		if n >= w.o.Entries {
			return w.fault(ErrTooMuch, "it holds more than %d entries", w.o.Entries)
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		case tar.TypeLink, tar.TypeSymlink:
			w.report.skip(h.Name, "a link")
			continue
		case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
			w.report.skip(h.Name, "a device")
			continue
		default:
			w.fail(w.fault(ErrUnknown, "an entry of type %q", h.Typeflag))
			continue
		}
		if h.Size == 0 && strings.HasSuffix(h.Name, "/") {
			continue // QUIRK: a directory of the time before directories had a type
		}
		e := &Entry{}
		e.Dir, e.Name = split(unixName(h.Name))
		if err := w.out(e, t, h.Size); err != nil {
			return err
		}
	}
}

// gzip reads one file, or the tar in it.
func (w *walk) gzip() error {
	z, err := gzip.NewReader(io.NewSectionReader(w.r, 0, w.size))
	if err != nil {
		return w.read(err)
	}
	defer z.Close()
	if w.o.TarGz {
		// what lies between the files of the tar counts too, in a meter of its own
		b := bufio.NewReaderSize(&metered{w: w, m: &meter{}, r: z, declared: -1, whole: true}, 32<<10)
		if head, _ := b.Peek(Head); isTar(head) {
			w.report.Step = "tar.gz"
			if err := w.tar(b); err != nil {
				return err
			}
			// the check sum stands at the end
			_, err := io.Copy(io.Discard, b)
			return err
		}
		// from its beginning again
		if err := z.Reset(io.NewSectionReader(w.r, 0, w.size)); err != nil {
			return w.read(err)
		}
	}
	e := &Entry{}
	if e.Dir, e.Name = split(gzipName(z.Name)); e.Name == "" {
		e.Name = withoutGz(w.name)
	}
	return w.out(e, z, -1)
}

// gzipName is the name of a gzip header, which RFC 1952 section 2.3.1 makes ISO-8859-1.
//
// QUIRK: gzip writes the bytes of the file system, today UTF-8.
func gzipName(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return s
		}
		b = append(b, byte(r))
	}
	if utf8.Valid(b) {
		return string(b)
	}
	return s
}

// withoutGz is name without the ending that gzip adds.
func withoutGz(name string) string {
	low := strings.ToLower(name)
	switch {
	case strings.HasSuffix(low, ".gz") && len(name) > 3:
		return name[:len(name)-3]
	case strings.HasSuffix(low, ".tgz") && len(name) > 4:
		return name[:len(name)-4] + ".tar"
	}
	return name
}
