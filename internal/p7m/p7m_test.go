package p7m

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// der makes an element of definite length, ber one without.
func der(tag byte, parts ...string) string {
	s := strings.Join(parts, "")
	switch n := len(s); {
	case n < 0x80:
		return string([]byte{tag, byte(n)}) + s
	default:
		return string([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}) + s
	}
}

func ber(tag byte, parts ...string) string {
	return string([]byte{tag, 0x80}) + strings.Join(parts, "") + "\x00\x00"
}

func oid(b []byte) string { return der(tagOID, string(b)) }

// signedData makes one around an encoded octet string; "" makes a detached one.
func signedData(element func(byte, ...string) string, octets string) string {
	content := ""
	if octets != "" {
		content = element(tagContext, octets)
	}
	return element(tagSequence, oid(oidSigned), element(tagContext, element(tagSequence, "\x02\x01\x01", der(tagSet, der(tagSequence, "\x06\x01\x2a", "\x05\x00")),
		element(tagSequence, oid(oidData), content), element(tagContext, der(tagSequence, strings.Repeat("certificate ", 50))), der(tagSet))))
}

const text = "Content-Type: text/plain\r\n\r\nBonjour - de la mairie"

func sound() map[string]string {
	d := signedData(der, der(tagOctets, text))
	return map[string]string{
		"der":                d,
		"ber":                signedData(ber, ber(0x24, der(tagOctets, text[:10]), der(tagOctets, text[10:]))),
		"ber, one piece":     signedData(ber, der(tagOctets, text)),
		"der, constructed":   signedData(der, der(0x24, der(tagOctets, text[:10]), der(tagOctets), der(tagOctets, text[10:]))),
		"nested pieces":      signedData(ber, ber(0x24, ber(0x24, der(tagOctets, text[:3])), der(0x24, der(tagOctets, text[3:10])), der(tagOctets, text[10:]))),
		"ber in algorithms":  strings.Replace(signedData(ber, der(tagOctets, text)), der(tagSet, der(tagSequence, "\x06\x01\x2a", "\x05\x00")), ber(tagSet, ber(tagSequence, "\x06\x01\x2a")), 1),
		"pem":                string(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: []byte(d)})),
		"pem, cms":           "\r\n" + strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: []byte(d)})), "\n", "\r\n"),
		"base64":             base64.StdEncoding.EncodeToString([]byte(d)),
		"base64, with blank": " " + strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: []byte(d)}))[len("-----BEGIN X-----\n"):], "\n", " \n"),
		"junk after the end": d + "\r\n\r\n",
	}
}

// The content comes out of every form, byte for byte, however the bytes arrive.
func TestOpen(t *testing.T) {
	t.Parallel()
	for name, data := range sound() {
		if !Sniff([]byte(data)[:min(len(data), Head)]) {
			t.Errorf("%s: not known by its beginning", name)
		}
		for _, r := range []io.Reader{strings.NewReader(data), iotest.OneByteReader(strings.NewReader(data)), iotest.DataErrReader(strings.NewReader(data))} {
			c, err := Open(r)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got, err := io.ReadAll(c); string(got) != text || err != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

// What wraps no content is not opened, and what is encrypted is called so.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	other := strings.Replace(signedData(der, der(tagOctets, text)), oid(oidData), oid([]byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x05}), 1)
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"detached, der":  {signedData(der, ""), ErrNotMine},
		"detached, ber":  {signedData(ber, ""), ErrNotMine},
		"timestamp":      {other, ErrNotMine},
		"enveloped":      {der(tagSequence, oid(oidEnveloped), der(tagContext, strings.Repeat("x", 60))), ErrEncrypted},
		"encrypted":      {ber(tagSequence, oid(oidEncrypted), der(tagContext, strings.Repeat("x", 60))), ErrEncrypted},
		"authenveloped":  {der(tagSequence, oid(oidAuthEnvel), der(tagContext, strings.Repeat("x", 60))), ErrEncrypted},
		"digested":       {der(tagSequence, oid([]byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x05}), der(tagContext, strings.Repeat("x", 60))), ErrNotMine},
		"empty":          {"", ErrDamaged},
		"text":           {"Bonjour", ErrDamaged},
		"piece too long": {signedData(der, der(0x24, "\x04\x30abc")), ErrDamaged},
		"other element":  {signedData(ber, ber(0x24, der(tagOctets, "a"), der(tagInteger, "a"))), ErrDamaged},
		"deep":           {signedData(ber, strings.Repeat("\x24\x80", 100)), ErrDamaged},
		"long length":    {"\x30\x89\x01\x01\x01\x01\x01\x01\x01\x01\x01" + strings.Repeat("x", 30), ErrDamaged},
		"no length":      {signedData(ber, "\x04\x80abc\x00\x00"), ErrDamaged},
	} {
		r, err := Open(strings.NewReader(c.data))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, data := range []string{"", "M", "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n", "%PDF-1.7", "0\x82\x01\x00\x02\x01\x03" + strings.Repeat("x", 40), "-----BEGIN CERTIFICATE-----\n"} {
		if Sniff([]byte(data)) {
			t.Errorf("%q is taken for S/MIME", data)
		}
	}
}

// Cut anywhere before the end of the content, it is damaged and never whole; an error of
// the reader is its own.
func TestCut(t *testing.T) {
	t.Parallel()
	for name, data := range sound() {
		for i := range len(data) {
			c, err := Open(strings.NewReader(data[:i]))
			var got []byte
			if err == nil {
				got, err = io.ReadAll(c)
			}
			if err == nil && string(got) != text || err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotMine) {
				t.Fatalf("%s, cut at %d: %q, %v", name, i, got, err)
			}
		}
	}
	broken := errors.New("broken")
	d := sound()["der"]
	c, err := Open(io.MultiReader(strings.NewReader(d[:100]), iotest.ErrReader(broken)))
	if err == nil {
		_, err = io.Copy(io.Discard, c)
	}
	if !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Errorf("a broken reader: %v", err)
	}
}

// A large content takes no memory of its own.
func TestOpenStreams(t *testing.T) {
	piece := der(tagOctets, strings.Repeat("x", 1<<20))
	head := signedData(ber, ber(0x24))
	head = head[:strings.Index(head, "\x24\x80")+2]
	parts := []io.Reader{strings.NewReader(head)}
	for range 64 {
		parts = append(parts, strings.NewReader(piece))
	}
	c, err := Open(io.MultiReader(append(parts, strings.NewReader("\x00\x00"))...))
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	if allocs := testing.AllocsPerRun(1, func() {
		m, _ := io.Copy(struct{ io.Writer }{io.Discard}, c)
		n += m
	}); n != 64<<20 || allocs > 10 {
		t.Errorf("%d bytes, %v allocations", n, allocs)
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range sound() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		Sniff(data[:min(len(data), Head)])
		c, err := Open(bytes.NewReader(data))
		if err == nil {
			var n int64
			n, err = io.Copy(io.Discard, c)
			if n > int64(len(data)) {
				t.Fatalf("%d bytes of %d", n, len(data))
			}
		}
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotMine) && !errors.Is(err, ErrEncrypted) {
			t.Fatal(err)
		}
	})
}
