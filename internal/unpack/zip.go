package unpack

import (
	"archive/zip"
	"cmp"
	"compress/flate"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDirectory bounds what is read to find the entries of a zip, with names of 300 bytes
// on average: the reader makes its list of all before anybody can stop it.
const maxDirectory = 4 << 20

// firstOnly reads at most left bytes until it is opened.
type firstOnly struct {
	r    io.ReaderAt
	left int
	open bool
}

func (f *firstOnly) ReadAt(p []byte, off int64) (int, error) {
	if !f.open {
		if f.left -= len(p); f.left < 0 {
			return 0, errDirectory
		}
	}
	return f.r.ReadAt(p, off)
}

var errDirectory = errors.New("the directory is too large")

func (w *walk) zip() error {
	src := &firstOnly{r: w.r, left: maxDirectory}
	z, err := zip.NewReader(src, w.size)
	switch {
	case errors.Is(err, errDirectory):
		return w.fault(ErrTooMuch, "its directory has more than %d bytes", maxDirectory)
	case err != nil:
		return w.read(err)
	case len(z.File) > w.o.Entries:
		return w.fault(ErrTooMuch, "it holds %d entries, more than %d", len(z.File), w.o.Entries)
	case isDocument(z.File):
		return ErrNotMine
	}
	src.open = true
	if err := w.apart(z.File); err != nil {
		return err
	}
	for _, f := range z.File {
		if err := w.zipEntry(f); err != nil {
			return err
		}
	}
	return nil
}

// isDocument tells an office document, a book, a program or a signed bundle, which is one
// file to its user, by what its directory must hold (ECMA-376 part 2, OpenDocument part 2,
// ETSI EN 319 162-1, JAR, KMZ, iWork).
func isDocument(files []*zip.File) bool {
	for i, f := range files {
		switch f.Name {
		case "[Content_Types].xml", "META-INF/MANIFEST.MF", "META-INF/container.xml", "AndroidManifest.xml", "doc.kml", "Index/Document.iwa":
			return true
		case "mimetype":
			return i == 0
		}
		if strings.HasPrefix(f.Name, "META-INF/") && (strings.HasSuffix(f.Name, ".p7s") || strings.Contains(f.Name, "signatures")) {
			return true
		}
	}
	return false
}

// apart refuses entries that share bytes, as the bombs do whose files are all made of the
// same data (D. Fifield, A better zip bomb, USENIX WOOT 2019).
func (w *walk) apart(files []*zip.File) error {
	type span struct{ from, to int64 }
	spans := make([]span, 0, len(files))
	for _, f := range files {
		if f.CompressedSize64 == 0 {
			continue
		}
		from, err := f.DataOffset()
		if err != nil {
			w.fail(w.read(err)) // told again when the entry is opened
			continue
		}
		if f.CompressedSize64 > uint64(w.size-from) {
			continue // the same
		}
		spans = append(spans, span{from, from + int64(f.CompressedSize64)})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return w.fault(ErrBomb, "its entries overlap")
		}
	}
	return nil
}

func (w *walk) zipEntry(f *zip.File) error {
	e := &Entry{}
	e.Dir, e.Name = split(zipName(f))
	mode := f.Mode()
	switch {
	case (mode.IsDir() || strings.HasSuffix(f.Name, "/")) && f.UncompressedSize64 == 0:
		return nil
	case mode&fs.ModeSymlink != 0:
		w.report.skip(f.Name, "a link")
		return nil
	case mode.Type()&^fs.ModeDir != 0:
		w.report.skip(f.Name, "a device")
		return nil
	case f.Flags&0x1 != 0: // APPNOTE.TXT 4.4.4
		w.fail(w.fault(ErrEncrypted, "some of it needs a password; ask its sender for it"))
		return nil
	}
	raw, err := f.OpenRaw()
	if err != nil {
		w.fail(w.read(err))
		return nil
	}
	if f.UncompressedSize64 > 1<<62 {
		w.fail(w.fault(ErrDamaged, "an entry announces %d bytes", f.UncompressedSize64))
		return nil
	}
	var r io.Reader
	switch f.Method {
	case zip.Store:
		r = raw
	case zip.Deflate:
		if w.inflate == nil {
			w.inflate = flate.NewReader(raw)
		} else {
			w.inflate.(flate.Resetter).Reset(raw, nil)
		}
		r = w.inflate
	default:
		w.fail(w.fault(ErrUnknown, "method %d", f.Method))
		return nil
	}
	return w.out(e, &summed{r: r, want: f.CRC32}, int64(f.UncompressedSize64))
}

// summed compares what it gives with a CRC-32 in the end.
type summed struct {
	r         io.Reader
	sum, want uint32
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum = crc32.Update(s.sum, crc32.IEEETable, p[:n])
	if err == io.EOF && s.sum != s.want {
		err = zip.ErrChecksum
	}
	return n, err
}

// zipName gives the name in UTF-8.
func zipName(f *zip.File) string {
	if !f.NonUTF8 && utf8.ValidString(f.Name) {
		return f.Name
	}
	if s := unicodePath(f); s != "" {
		return s
	}
	if f.CreatorVersion>>8 == 3 { // APPNOTE.TXT 4.4.2: made on Unix
		return unixName(f.Name)
	}
	return dosName(f.Name)
}

// unicodePath is the name of the Info-ZIP extra field, if it belongs to this name
// (APPNOTE.TXT 4.6.9).
func unicodePath(f *zip.File) string {
	for b := f.Extra; len(b) >= 4; {
		id, n := int(b[0])|int(b[1])<<8, int(b[2])|int(b[3])<<8
		if b = b[4:]; n > len(b) {
			return ""
		}
		if v := b[:n]; id == 0x7075 && n > 5 && v[0] == 1 {
			sum := uint32(v[1]) | uint32(v[2])<<8 | uint32(v[3])<<16 | uint32(v[4])<<24
			if sum == crc32.ChecksumIEEE([]byte(f.Name)) && utf8.Valid(v[5:]) {
				return string(v[5:])
			}
		}
		b = b[n:]
	}
	return ""
}
