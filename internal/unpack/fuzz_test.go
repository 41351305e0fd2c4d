package unpack

import (
	"archive/tar"
	"testing"
)

// fuzz walks what looks like a container of kind, within small bounds.
func fuzz(f *testing.F, kind Kind) {
	o := Options{Bytes: 1 << 20, Entry: 1 << 19, Entries: 100, TarGz: true}
	f.Fuzz(func(t *testing.T, data []byte) {
		g := walkedAs(kind, data, "x.gz", o)
		if g.err != nil && !known(g.err) {
			t.Fatal(g.err)
		}
		if g.total > o.Bytes || g.entries > o.Entries {
			t.Fatalf("%d bytes in %d entries", g.total, g.entries)
		}
	})
}

func FuzzZip(f *testing.F) {
	f.Add(zipped(made{"a", "12345"}, made{"b/c", "x"}))
	one := stored("a", "12345")
	one.descriptor, one.flags = true, 8
	f.Add(rawZip([]rawEntry{one, stored("../b", "x")}, nil))
	fuzz(f, Zip)
}

func FuzzTar(f *testing.F) {
	f.Add(tarred(tar.Header{Name: "a", Size: 3}, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "a"}))
	f.Add(sparse(30 << 20))
	fuzz(f, Tar)
}

func FuzzGzip(f *testing.F) {
	f.Add(gzipped([]byte("hello")))
	f.Add(gzipped(tarred(tar.Header{Name: "a", Size: 3})))
	fuzz(f, Gzip)
}
