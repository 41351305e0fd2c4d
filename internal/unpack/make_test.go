package unpack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
)

type made struct{ name, data string }

func zipped(files ...made) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		e, _ := w.Create(f.name)
		io.WriteString(e, f.data)
	}
	w.Close()
	return b.Bytes()
}

func tarred(headers ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.Mode = 0o600
		if err := w.WriteHeader(&h); err != nil {
			panic(err)
		}
		w.Write(make([]byte, h.Size))
	}
	w.Close()
	return b.Bytes()
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// deflated is n zeros, in some hundred times less.
func deflated(n int64) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	io.CopyN(w, zeros{}, n)
	w.Close()
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// rawEntry is an entry of a zip whose every field is free.
type rawEntry struct {
	name           string
	method, flags  uint16
	crc            uint32
	packed, size   uint32
	data           []byte // as it lies there; nil for none of its own
	at             int    // where it begins, for those without data; else set when made
	creator        uint16
	attributes     uint32
	extra          []byte
	noLocal        bool // no local header
	descriptor     bool
	localNameOther string
}

func le(b []byte, v ...any) []byte {
	for _, x := range v {
		switch x := x.(type) {
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, x)
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, x)
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, x)
		case string:
			b = append(b, x...)
		case []byte:
			b = append(b, x...)
		}
	}
	return b
}

func stored(name, data string) rawEntry {
	return rawEntry{name: name, crc: crc32.ChecksumIEEE([]byte(data)), packed: uint32(len(data)), size: uint32(len(data)), data: []byte(data)}
}

// rawZip writes local headers, the directory and its end. change may spoil the end.
func rawZip(entries []rawEntry, change func(count *uint16, size, at *uint32)) []byte {
	var b []byte
	for i := range entries {
		e := &entries[i]
		if e.noLocal {
			continue
		}
		e.at = len(b)
		name := e.name
		if e.localNameOther != "" {
			name = e.localNameOther
		}
		b = le(b, "PK\x03\x04", uint16(20), e.flags, e.method, uint32(0), e.crc, e.packed, e.size, uint16(len(name)), uint16(len(e.extra)), name, e.extra, e.data)
		if e.descriptor {
			b = le(b, "PK\x07\x08", e.crc, e.packed, e.size)
		}
	}
	at := uint32(len(b))
	for _, e := range entries {
		b = le(b, "PK\x01\x02", e.creator, uint16(20), e.flags, e.method, uint32(0), e.crc, e.packed, e.size, uint16(len(e.name)), uint16(len(e.extra)),
			uint16(0), uint16(0), uint16(0), e.attributes, uint32(e.at), e.name, e.extra)
	}
	count, size := uint16(len(entries)), uint32(len(b))-at
	if change != nil {
		change(&count, &size, &at)
	}
	return le(b, "PK\x05\x06", uint16(0), uint16(0), count, count, size, at, uint16(0))
}

// given is what a Walk gave.
type given struct {
	names   []string // Dir|Name
	total   int64
	data    map[string]string // by name, the first 1,000 bytes
	report  *Report
	err     error
	entries int
}

var wide = Options{Bytes: 64 << 20, Entry: 32 << 20, Entries: MaxEntries, TarGz: true}

func walked(data []byte, name string, o Options) given {
	return walkedAs(Sniff(data[:min(len(data), Head)]), data, name, o)
}

func walkedAs(kind Kind, data []byte, name string, o Options) given {
	g := given{data: map[string]string{}}
	buf := make([]byte, 8<<10)
	g.report, g.err = Walk(context.Background(), kind, bytes.NewReader(data), int64(len(data)), name, o, func(e *Entry) error {
		g.entries++
		var head bytes.Buffer
		n, err := io.CopyBuffer(&limited{&head}, e.Content, buf)
		g.total += n
		if err != nil {
			return err
		}
		g.names = append(g.names, e.Dir+"|"+e.Name)
		g.data[e.Name] = head.String()
		return nil
	})
	return g
}

// limited keeps a beginning.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := 1000 - l.b.Len(); room > 0 {
		l.b.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

func (g given) is(t *testing.T, what string, why error, names string) {
	t.Helper()
	if got := strings.Join(g.names, " "); got != names {
		t.Errorf("%s: gave %q, want %q (%v)", what, got, names, g.err)
	}
	if why == nil && g.err != nil || why != nil && !errors.Is(g.err, why) {
		t.Errorf("%s: %v, want %v", what, g.err, why)
	}
	if g.err != nil && g.err != ErrNotMine {
		if c := vaguemestre.ClassOf(g.err); c != vaguemestre.ClassPoison {
			t.Errorf("%s: class %q of %v", what, c, g.err)
		}
		if len(fmt.Sprint(g.err)) > 400 {
			t.Errorf("%s: an error of %d bytes", what, len(fmt.Sprint(g.err)))
		}
	}
}
