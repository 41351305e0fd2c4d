package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
)

// bomb is a container that means harm, or is broken.
type bomb struct {
	name  string
	data  []byte
	why   error  // nil: it opens
	names string // what comes out all the same
}

func bombs() (l []bomb) {
	add := func(name string, data []byte, why error, names string) { l = append(l, bomb{name, data, why, names}) }
	small := deflated(12 << 20)
	flat := func(name string, size uint32, packed []byte) rawEntry {
		return rawEntry{name: name, method: 8, packed: uint32(len(packed)), size: size, data: packed}
	}
	add("zip, flat", rawZip([]rawEntry{flat("a", 33<<20, small)}, nil), ErrTooMuch, "")
	add("zip, flat, says 1 byte", rawZip([]rawEntry{flat("a", 1, small)}, nil), ErrDamaged, "")
	add("zip, flat, says 20 MiB", rawZip([]rawEntry{flat("a", 20<<20, small)}, nil), ErrBomb, "")
	add("zip, says 4 GiB", rawZip([]rawEntry{flat("a", 1<<32-2, small)}, nil), ErrTooMuch, "")
	half := stored("a", "12345")
	half.size = 10
	add("zip, says more than it has", rawZip([]rawEntry{half, stored("b", "x")}, nil), ErrDamaged, "|b")
	long := stored("a", "12345")
	long.size = 3
	add("zip, says less than it has", rawZip([]rawEntry{long, stored("b", "x")}, nil), ErrDamaged, "|b")
	beyond := stored("a", "12345")
	beyond.packed, beyond.size = 1<<30, 5
	add("zip, data beyond the end", rawZip([]rawEntry{beyond, stored("b", "x")}, nil), ErrDamaged, "|b")
	lost := stored("a", "12345")
	lost.noLocal, lost.at = true, 1<<29
	add("zip, entry beyond the end", rawZip([]rawEntry{stored("b", "x"), lost}, nil), ErrDamaged, "|b")
	sum := stored("a", "12345")
	sum.crc++
	add("zip, wrong sum", rawZip([]rawEntry{sum, stored("b", "x")}, nil), ErrDamaged, "|b")
	locked := stored("a", "12345")
	locked.flags = 1
	add("zip, encrypted", rawZip([]rawEntry{locked, stored("b", "x")}, nil), ErrEncrypted, "|b")
	method := stored("a", "12345")
	method.method = 93
	add("zip, unknown method", rawZip([]rawEntry{method, stored("b", "x")}, nil), ErrUnknown, "|b")
	garbage := flat("a", 100, []byte("this is not deflated"))
	add("zip, garbage", rawZip([]rawEntry{garbage, stored("b", "x")}, nil), ErrDamaged, "|b")
	link := stored("l", "/etc/passwd")
	link.creator, link.attributes = 3<<8, 0o120777<<16
	add("zip, link", rawZip([]rawEntry{link, stored("b", "x")}, nil), nil, "|b")
	device := stored("d", "")
	device.creator, device.attributes = 3<<8, 0o020666<<16
	add("zip, device", rawZip([]rawEntry{device, stored("b", "x")}, nil), nil, "|b")

	// the same data for all entries (Fifield), whole and quoted
	first := flat("a", 12<<20, small)
	same := []rawEntry{first}
	for range 999 {
		e := first
		e.noLocal, e.data = true, nil
		same = append(same, e)
	}
	add("zip, 1000 times the same data", rawZip(same, nil), ErrBomb, "")
	add("zip, twice the same data", rawZip(same[:2], nil), ErrBomb, "")
	inner := stored("inner", strings.Repeat("x", 100))
	outer := stored("outer", string(rawZip([]rawEntry{inner}, nil)))
	inner.noLocal, inner.at = true, 30+len("outer")
	add("zip, one entry in another", rawZip([]rawEntry{outer, inner}, nil), ErrBomb, "")

	var many []rawEntry
	for i := range 10_001 {
		many = append(many, stored(fmt.Sprint(i), ""))
	}
	add("zip, 10,001 entries", rawZip(many, nil), ErrTooMuch, "")
	var crowd []rawEntry
	one := stored("", "")
	one.noLocal = true
	for range 95_000 {
		crowd = append(crowd, one)
	}
	add("zip, 95,000 entries", append([]byte("PK\x03\x04"), rawZip(crowd, func(count *uint16, size, at *uint32) { *at += 4 })...), ErrTooMuch, "")
	add("zip, says no entry", rawZip([]rawEntry{stored("a", "x")}, func(count *uint16, size, at *uint32) { *count = 0 }), ErrDamaged, "")
	add("zip, says 65,535 entries", rawZip([]rawEntry{stored("a", "x")}, func(count *uint16, size, at *uint32) { *count = 65535 }), ErrDamaged, "")
	add("zip, directory beyond the end", rawZip([]rawEntry{stored("a", "x")}, func(count *uint16, size, at *uint32) { *at = 1 << 30 }), ErrDamaged, "")
	add("zip, directory of 4 GiB", rawZip([]rawEntry{stored("a", "x")}, func(count *uint16, size, at *uint32) { *size = 1<<32 - 2 }), ErrDamaged, "")
	add("zip, no directory", []byte("PK\x03\x04 and nothing else that belongs to it"), ErrDamaged, "")
	whole := zipped(made{"a", "12345"}, made{"b", "x"})
	add("zip, cut", whole[:len(whole)-30], ErrDamaged, "")
	add("zip, 4 KiB of PK", bytes.Repeat([]byte("PK\x05\x06"), 1<<10), ErrDamaged, "")
	wideName := stored(strings.Repeat("a/", 30_000)+"x", "1")
	add("zip, name of 60,000 bytes", rawZip([]rawEntry{wideName}, nil), nil, strings.Repeat("a/", maxName/2)+"|x")
	add("zip, NUL and line ends in a name", rawZip([]rawEntry{stored("a\x00b\r\n.pdf", "1")}, nil), nil, "|a\x00b\r\n.pdf")

	add("gzip, zeros", gzipped(make([]byte, 12<<20)), ErrBomb, "")
	add("gzip, of gzip", gzipped(gzipped(make([]byte, 12<<20))), nil, "|x")
	var members []byte
	member := gzipped(make([]byte, 1<<20))
	for range 12 {
		members = append(members, member...)
	}
	add("gzip, 12 members", members, ErrBomb, "")
	add("gzip, cut", gzipped([]byte("hello world"))[:15], ErrDamaged, "")
	add("gzip, head only", gzipped([]byte("hello"))[:10], ErrDamaged, "")
	add("gzip, cut in its head", gzipped([]byte("hello"))[:5], ErrDamaged, "")
	add("gzip, wrong sum", flip(gzipped([]byte("hello world")), -8), ErrDamaged, "")
	add("gzip, wrong length", flip(gzipped([]byte("hello world")), -1), ErrDamaged, "")
	add("gzip, endless name", append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte("a"), 1<<20)...), ErrDamaged, "")

	reg := func(name string, size int64) tar.Header { return tar.Header{Name: name, Size: size} }
	add("tar.gz, zeros", gzipped(tarred(reg("a", 12<<20))), ErrBomb, "")
	add("tar, cut", tarred(reg("a", 5000), reg("b", 1))[:2000], ErrDamaged, "")
	add("tar, wrong sum", flip(tarred(reg("a", 1), reg("b", 1)), 1024+10), ErrDamaged, "|a")
	add("tar, says 8 GiB", resum(tarred(reg("a", 1)), "77777777777"), ErrTooMuch, "")
	add("tar, negative size", resum(tarred(reg("a", 1)), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), ErrDamaged, "")
	var crowdOfTar []tar.Header
	for i := range 10_001 {
		crowdOfTar = append(crowdOfTar, reg(fmt.Sprint(i), 0))
	}
	add("tar.gz, 10,001 entries", gzipped(tarred(crowdOfTar...)), ErrTooMuch, anyNames)
	var dirs []tar.Header
	for range 10_001 {
		dirs = append(dirs, tar.Header{Name: "d/", Typeflag: tar.TypeDir})
	}
	add("tar.gz, 10,001 directories", gzipped(tarred(dirs...)), ErrTooMuch, "")
	add("tar, links and devices", tarred(tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "l"},
		tar.Header{Name: "c", Typeflag: tar.TypeChar}, tar.Header{Name: "b", Typeflag: tar.TypeBlock}, tar.Header{Name: "f", Typeflag: tar.TypeFifo}, reg("a", 1)), nil, "|a")
	add("tar, traversal", tarred(reg("../../a", 1), reg("/b", 1), reg(`C:\c`, 1)), nil, `../..|a /|b C:|c`)
	add("tar, PAX name of 600 KiB", tarred(tar.Header{Name: strings.Repeat("a/", 300<<10) + "x", Size: 1, Format: tar.FormatPAX}), nil, strings.Repeat("a/", maxName/2)+"|x")
	add("tar, PAX header of 1 MiB", tarred(tar.Header{Name: "x", Size: 1, Format: tar.FormatPAX, PAXRecords: map[string]string{"A.b": strings.Repeat("x", 1<<20-100)}}), nil, "|x")
	add("tar.gz, junk between the entries", gzipped(append(tarred(reg("a", 1))[:1024], bytes.Repeat([]byte("junk"), 1<<20)...)), ErrDamaged, "|a")
	add("tar.gz, 12 MiB after the end", gzipped(append(tarred(reg("a", 1)), make([]byte, 12<<20)...)), ErrBomb, "|a")
	add("tar, sparse file of 1 TiB", sparse(1<<40), ErrTooMuch, "")
	add("tar, sparse file of 12 MiB", sparse(12<<20), ErrBomb, "")

	add("tnef, signature only", []byte{0x78, 0x9f, 0x3e, 0x22, 0, 0}, nil, "")
	add("tnef, attribute of 4 GiB", []byte{0x78, 0x9f, 0x3e, 0x22, 0, 0, 2, 0x0f, 0x80, 6, 0, 0xff, 0xff, 0xff, 0xff, 1}, ErrDamaged, "")
	add("tnef, 2^32 properties", tnefOf(0x00069003, []byte{0xff, 0xff, 0xff, 0xff}), ErrDamaged, "")
	add("p7m, cut", []byte("0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80"), ErrDamaged, "")
	add("p7m, encrypted", []byte("0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80"), ErrEncrypted, "")
	add("p7m, says 2^56 bytes", []byte("0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x87\x7f\xff\xff\xff\xff\xff\xff"), ErrDamaged, "")
	return l
}

// anyNames is for what gives some before it ends.
const anyNames = "*"

func flip(b []byte, at int) []byte {
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0x55
	return b
}

// resum writes another size into the first header, and its sum.
func resum(b []byte, size string) []byte {
	copy(b[124:136], append([]byte(size), 0)[:12])
	return tarSum(b)
}

func tarSum(b []byte) []byte {
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// sparse makes an old GNU sparse file of nothing but a hole.
func sparse(size int64) []byte {
	b := make([]byte, 512*3)
	copy(b, "hole")
	copy(b[100:], "0000600\x000000000\x000000000\x00")
	copy(b[124:], "00000000000\x00")
	copy(b[136:], "00000000000\x00")
	b[156] = 'S'
	copy(b[257:], "ustar  \x00")
	big := func(at int, v int64) {
		b[at] = 0x80
		for i := range 8 {
			b[at+11-i] = byte(v >> (8 * i))
		}
	}
	big(386, size) // one empty piece at the end
	copy(b[398:], "00000000000\x00")
	big(483, size)
	return tarSum(b)
}

// tnefOf makes a stream of one attribute of the message.
func tnefOf(tag uint32, data []byte) []byte {
	var sum uint16
	for _, c := range data {
		sum += uint16(c)
	}
	return le(nil, uint32(0x223e9f78), uint16(1), "\x01", tag, uint32(len(data)), data, sum)
}

// Bombs and tricks end with a typed error, having given no more than they may, in bounded
// memory.
func TestBombs(t *testing.T) {
	all := bombs()
	if len(all) < 50 {
		t.Errorf("only %d", len(all))
	}
	for _, b := range all {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		g := walked(b.data, "x.gz", wide)
		runtime.ReadMemStats(&after)
		want := b.names
		if want == anyNames {
			want = strings.Join(g.names, " ")
		}
		g.is(t, b.name, b.why, want)
		if bound := max(freeBytes, maxRatio*int64(len(b.data))) + 1<<20; g.total > bound || g.total > wide.Bytes+1<<20 {
			t.Errorf("%s: %d bytes became %d", b.name, len(b.data), g.total)
		}
		if g.entries > MaxEntries {
			t.Errorf("%s: %d entries", b.name, g.entries)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
			t.Errorf("%s: took %d MiB of memory in all", b.name, used>>20)
		}
	}
	t.Logf("%d bombs and tricks", len(all))
}

// What looks like a container and is cut anywhere, or has one wrong byte anywhere, is never
// a panic, and every error has its reason.
func TestSpoiltAnywhere(t *testing.T) {
	t.Parallel()
	p7 := []byte("0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80\x24\x80\x04\x03abc\x04\x02de\x00\x00\x00\x00\x00\x00\x31\x00\x00\x00\x00\x00\x00\x00")
	for _, data := range [][]byte{zipped(made{"a", "12345"}, made{"b/c", "x"}), gzipped([]byte("hello")), gzipped(tarred(tar.Header{Name: "a", Size: 3})), p7,
		tarred(tar.Header{Name: "a", Size: 3})[:2048], tnefOf(0x00069003, le(nil, uint32(2), uint32(0x10130102), uint32(1), uint32(3), "abc\x00", uint32(0x0e1d001f), uint32(1), uint32(4), "a\x00\x00\x00"))} {
		kind := Sniff(data[:min(len(data), Head)])
		if kind == "" {
			t.Fatalf("no container: %.20q", data)
		}
		for i := range data {
			for _, spoilt := range [][]byte{data[:i], flip(bytes.Clone(data), i)} {
				if g := walkedAs(kind, spoilt, "x", wide); g.err != nil && !known(g.err) {
					t.Fatalf("%s, at %d: %v", kind, i, g.err)
				}
			}
		}
	}
}

func known(err error) bool {
	for _, why := range []error{ErrNotMine, ErrDamaged, ErrEncrypted, ErrUnknown, ErrBomb, ErrTooMuch} {
		if errors.Is(err, why) {
			return true
		}
	}
	return false
}

// The bounds of the caller hold: entries, bytes of one, bytes of all.
func TestOptions(t *testing.T) {
	t.Parallel()
	var files []made
	for i := range 10 {
		files = append(files, made{fmt.Sprint(i), strings.Repeat("x", 100)})
	}
	var headers []tar.Header
	for i := range 10 {
		headers = append(headers, tar.Header{Name: fmt.Sprint(i), Size: 100})
	}
	for _, data := range [][]byte{zipped(files...), tarred(headers...), gzipped(tarred(headers...))} {
		for what, o := range map[string]Options{"entries": {Bytes: 1 << 20, Entry: 1 << 20, Entries: 9, TarGz: true}, "bytes": {Bytes: 950, Entry: 1 << 20, Entries: 99, TarGz: true},
			"entry": {Bytes: 1 << 20, Entry: 99, Entries: 99, TarGz: true}, "nothing": {TarGz: true}} {
			if g := walked(data, "x", o); !errors.Is(g.err, ErrTooMuch) || len(g.names) > 9 {
				t.Errorf("%s: %d entries, %v", what, len(g.names), g.err)
			}
		}
		o := Options{Bytes: 20_000, Entry: 100, Entries: 10, TarGz: true}
		if g := walked(data, "x", o); g.err != nil || len(g.names) != 10 {
			t.Errorf("at the bounds: %d entries, %v", len(g.names), g.err)
		}
	}
}

// ctx ends a Walk at the next read; an error of out is returned as it is.
func TestWalkEnds(t *testing.T) {
	t.Parallel()
	data := zipped(made{"a", strings.Repeat("x", 1<<20)}, made{"b", "y"})
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	_, err := Walk(ctx, Zip, bytes.NewReader(data), int64(len(data)), "x", wide, func(e *Entry) error {
		n++
		cancel()
		_, err := io.Copy(io.Discard, e.Content)
		return err
	})
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("%d entries, %v", n, err)
	}
	full := &vaguemestre.Error{Op: "test", Class: vaguemestre.ClassSink, Err: errors.New("full")}
	n = 0
	if _, err = Walk(context.Background(), Zip, bytes.NewReader(data), int64(len(data)), "x", wide, func(*Entry) error { n++; return full }); err != full || n != 1 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// Inner names of gzip and p7m come from their header, else from their own name.
func TestInnerNames(t *testing.T) {
	t.Parallel()
	named := func(name string) []byte {
		return append(append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0}, name+"\x00"...), gzipped([]byte("x"))[10:]...)
	}
	for _, c := range []struct {
		data       []byte
		name, want string
	}{
		{gzipped([]byte("x")), "a.xml.gz", "|a.xml"}, {gzipped([]byte("x")), "a.TGZ", "|a.tar"}, {gzipped([]byte("x")), "a.bin", "|a.bin"}, {gzipped([]byte("x")), ".gz", "|.gz"},
		{named("dir/b.xml"), "a.gz", "dir|b.xml"}, {named("d\xe9cret"), "a.gz", "|décret"}, {named("d\xc3\xa9cret"), "a.gz", "|décret"}, {named(".."), "a.gz", "..|a"},
	} {
		walked(c.data, c.name, wide).is(t, c.name, nil, c.want)
	}
}
