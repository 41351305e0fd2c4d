package unpack

import (
	"archive/zip"
	"bytes"
	"hash/crc32"
	"strings"
	"testing"
)

// Each way to write a sound zip is read.
func TestZip(t *testing.T) {
	t.Parallel()
	descriptor := stored("d.txt", "described")
	descriptor.descriptor, descriptor.flags = true, 8
	packed := []byte(strings.Repeat("a", 1000))
	deflate := rawEntry{name: "z.txt", method: 8, crc: crc32.ChecksumIEEE(packed), size: 1000, data: deflatedOf(packed)}
	deflate.packed = uint32(len(deflate.data))
	big := stored("big.txt", "zip64")
	big.extra = le(nil, uint16(1), uint16(16), uint64(5), uint64(5))
	big.packed, big.size = 1<<32-1, 1<<32-1
	dir := stored("dir/", "")
	dirWithData := stored("dir/", "not lost")
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"two":             {zipped(made{"a", "1"}, made{"b/c", "2"}), "|a b|c"},
		"empty":           {zipped(), ""},
		"data descriptor": {rawZip([]rawEntry{descriptor}, nil), "|d.txt"},
		"deflate":         {rawZip([]rawEntry{deflate}, nil), "|z.txt"},
		"zip64":           {rawZip([]rawEntry{big}, nil), "|big.txt"},
		"directory":       {rawZip([]rawEntry{dir, stored("dir/a", "1")}, nil), "dir|a"},
		"directory, full": {rawZip([]rawEntry{dirWithData}, nil), "|dir"},
		"comment":         {append(zipped(made{"a", "1"})[:len(zipped(made{"a", "1"}))-2], "\x05\x00hello"...), "|a"},
		"duplicates":      {rawZip([]rawEntry{stored("a", "1"), stored("a", "2")}, nil), "|a |a"},
	} {
		walked(c.data, "x.zip", wide).is(t, name, nil, c.want)
	}
}

func deflatedOf(b []byte) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	e, _ := w.Create("x")
	e.Write(b)
	w.Close()
	z, _ := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	at, _ := z.File[0].DataOffset()
	return out.Bytes()[at : at+int64(z.File[0].CompressedSize64)]
}

// Names are read in the code page that they were written in.
func TestZipNames(t *testing.T) {
	t.Parallel()
	entry := func(name string, flags, creator uint16, extra []byte) []byte {
		e := stored(name, "x")
		e.flags, e.creator, e.extra = flags, creator, extra
		return rawZip([]rawEntry{e}, nil)
	}
	uni := func(of, name string) []byte {
		return le(nil, uint16(0x7075), uint16(5+len(name)), "\x01", crc32.ChecksumIEEE([]byte(of)), name)
	}
	for what, c := range map[string]struct {
		data []byte
		want string
	}{
		"utf-8":             {entry("Décision.pdf", 0x800, 0, nil), "Décision.pdf"},
		"utf-8, unmarked":   {entry("Décision.pdf", 0, 0, nil), "Décision.pdf"},
		"page 437":          {entry("D\x82cision.pdf", 0, 0, nil), "Décision.pdf"},
		"page 850":          {entry("\xb7 l'\xd2tat.pdf", 0, 0, nil), "À l'Êtat.pdf"},
		"iso, on unix":      {entry("D\xe9cision \x80.pdf", 0, 3<<8, nil), "Décision €.pdf"},
		"info-zip":          {entry("D?cision.pdf\x82", 0, 0, uni("D?cision.pdf\x82", "Décision.pdf")), "Décision.pdf"},
		"info-zip of other": {entry("a\x82", 0, 0, uni("b", "Décision.pdf")), "aé"},
		"marked, but wrong": {entry("a\xff.pdf", 0x800, 0, nil), "a\u00a0.pdf"},
	} {
		walked(c.data, "x.zip", wide).is(t, what, nil, "|"+c.want)
	}
}

// What is a zip to programs and one document to people stays one.
func TestZipDocuments(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF", "META-INF/container.xml", "META-INF/signatures.xml", "doc.kml"} {
		walked(zipped(made{first, "x"}, made{"a.pdf", "1"}), "x.zip", wide).is(t, first, ErrNotMine, "")
	}
	walked(zipped(made{"a.pdf", "1"}, made{"sub/mimetype", "x"}, made{"mimetype", "x"}), "x.zip", wide).is(t, "no document", nil, "|a.pdf sub|mimetype |mimetype")
}

// A path leads nowhere: the name is its last element, the rest is told.
func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"a.pdf", "", "a.pdf"}, {"a/b/c.pdf", "a/b", "c.pdf"}, {"../../etc/passwd", "../../etc", "passwd"}, {"/etc/passwd", "/etc", "passwd"}, {"/a", "/", "a"},
		{`C:\win\a.pdf`, `C:\win`, "a.pdf"}, {`C:a.pdf`, "C:", "a.pdf"}, {`\\srv\share\a.pdf`, `\\srv\share`, "a.pdf"}, {`..\a`, "..", "a"}, {"..", "..", ""},
		{"a/..", "a/..", ""}, {".", ".", ""}, {"", "", ""}, {"///", "", ""}, {"a/", "", "a"}, {"é:a", "", "é:a"}, {"a/b:c", "a", "b:c"},
	} {
		if dir, name := split(c[0]); dir != c[1] || name != c[2] {
			t.Errorf("split %q: %q %q, want %q %q", c[0], dir, name, c[1], c[2])
		}
	}
	dir, name := split(strings.Repeat("é", 1<<20) + "/" + strings.Repeat("é", 1<<20) + ".pdf")
	if len(dir) > maxName || len(name) > maxName || !strings.HasSuffix(name, ".pdf") {
		t.Errorf("%d and %d bytes", len(dir), len(name))
	}
}
