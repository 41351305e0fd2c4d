package tnef

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// stream is a TNEF stream in the making.
type stream struct{ b []byte }

func newStream() *stream { return &stream{[]byte{0x78, 0x9f, 0x3e, 0x22, 1, 0}} }

func (s *stream) put(level byte, tag uint32, data string) *stream {
	s.b = append(s.b, level)
	s.b = binary.LittleEndian.AppendUint32(s.b, tag)
	s.b = binary.LittleEndian.AppendUint32(s.b, uint32(len(data)))
	s.b = append(s.b, data...)
	var sum uint16
	for _, c := range []byte(data) {
		sum += uint16(c)
	}
	s.b = binary.LittleEndian.AppendUint16(s.b, sum)
	return s
}

func (s *stream) page(n uint32) *stream {
	return s.put(1, 0x00069007, string(binary.LittleEndian.AppendUint32(nil, n))+"\x00\x00\x00\x00")
}

func (s *stream) begin() *stream              { return s.put(2, 0x00069002, strings.Repeat("\x00", 14)) }
func (s *stream) title(t string) *stream      { return s.put(2, 0x00018010, t+"\x00") }
func (s *stream) data(d string) *stream       { return s.put(2, 0x0006800f, d) }
func (s *stream) props(p ...string) *stream   { return s.put(2, 0x00069005, props(p...)) }
func (s *stream) message(p ...string) *stream { return s.put(1, 0x00069003, props(p...)) }

func u32(n int64) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

func props(p ...string) string { return u32(int64(len(p))) + strings.Join(p, "") }

func pad(s string) string { return s + strings.Repeat("\x00", -len(s)&3) }

func text8(id int64, s string) string { return u32(id<<16|typeString8) + u32(1) + value(s+"\x00") }

func text16(id int64, s string) string {
	var b []byte
	for _, c := range append(utf16.Encode([]rune(s)), 0) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return u32(id<<16|typeUnicode) + u32(1) + value(string(b))
}

func value(s string) string { return u32(int64(len(s))) + pad(s) }

func blob(id, kind int64, s string) string { return u32(id<<16|kind) + u32(1) + value(s) }

func int32Of(id, n int64) string { return u32(id<<16|typeInt32) + u32(n) }

// told gives "role name type=content repairs" of each file, those of messages after "> ".
func told(data []byte) ([]string, error) {
	var l []string
	err := Read(bytes.NewReader(data), int64(len(data)), func(f *File) error {
		b, err := io.ReadAll(f.Open())
		if err != nil {
			return err
		}
		if f.Role == RoleMessage {
			l = append(l, fmt.Sprintf("message %s", f.Name))
			inner, err := told(b)
			for _, s := range inner {
				l = append(l, "> "+s)
			}
			return err
		}
		l = append(l, strings.TrimSpace(fmt.Sprintf("%s %s %s=%s %s", f.Role, f.Name, f.MediaType, b, strings.Join(f.Repairs, ","))))
		return nil
	})
	return l, err
}

func TestRead(t *testing.T) {
	t.Parallel()
	inner := newStream().begin().title("deep.pdf").data("deep").b
	named := u32(0x8001<<16|typeString8) + strings.Repeat("g", 16) + u32(1) + value("name") + u32(1) + value("x\x00")
	numbered := u32(0x8002<<16|typeInt32) + strings.Repeat("g", 16) + u32(0) + u32(7) + u32(9)
	many := u32(0x3007<<16|typeMany|typeUnicode) + u32(2) + value("a\x00\x00\x00") + value("b\x00\x00\x00")
	rtf := u32(16+4) + u32(3) + "MELA" + u32(0) + "abc" + "x"
	bad := newStream().begin().title("a.pdf").data("abc").b
	bad[len(bad)-1] ^= 1
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"title":             {newStream().begin().title("a.pdf").data("abc").b, []string{"file a.pdf =abc"}},
		"two":               {newStream().begin().title("a").data("1").begin().title("b").data("2").b, []string{"file a =1", "file b =2"}},
		"long name":         {newStream().begin().title("FACTUR~1.PDF").data("x").props(text8(pidAttachLong, "Facture n°1.pdf")).b, []string{"file Facture n°1.pdf =x"}},
		"unicode":           {newStream().begin().title("?.PDF").data("x").props(text16(pidAttachLong, "Décision €.pdf"), text8(pidAttachMime, "Application/PDF")).b, []string{"file Décision €.pdf application/pdf=x"}},
		"page 1252":         {newStream().page(1252).begin().title("d\xe9cret \x80.pdf").data("x").b, []string{"file décret €.pdf =x"}},
		"page 1250":         {newStream().page(1250).begin().title("Pawe\xb3.pdf").data("x").b, []string{"file Paweł.pdf =x"}},
		"page 932":          {newStream().page(932).begin().title("\x93\xfa\x96{.pdf").data("x").b, []string{"file 日本.pdf =x"}},
		"page 850":          {newStream().page(850).begin().title("d\x82cret.pdf").data("x").b, []string{"file décret.pdf =x"}},
		"page 65001":        {newStream().page(65001).begin().title("décret.pdf").data("x").b, []string{"file décret.pdf =x"}},
		"page unknown":      {newStream().page(4711).begin().title("d\xe9cret.pdf").data("x").b, []string{"file décret.pdf =x"}},
		"data before title": {newStream().begin().data("x").title("a").b, []string{"file a =x"}},
		"no rendering data": {newStream().title("a").data("x").b, []string{"file a =x"}},
		"no name":           {newStream().begin().data("x").b, []string{"file  =x"}},
		"untitled":          {newStream().begin().title("Untitled Attachment").data("x").props(text8(pidDisplayName, "Image")).b, []string{"file Image =x"}},
		"empty":             {newStream().begin().title("a").data("").b, []string{"file a ="}},
		"no data":           {newStream().begin().title("a").begin().title("b").data("x").b, []string{"file b =x"}},
		"checksum":          {bad, []string{"file a.pdf =abc tnef: the checksum of this file is wrong"}},
		"in properties":     {newStream().begin().title("a").props(blob(pidAttachData, typeBinary, "abcde")).b, []string{"file a =abcde"}},
		"object":            {newStream().begin().title("a").props(blob(pidAttachData, typeObject, strings.Repeat("g", 16)+"OLE")).b, []string{"file a =OLE"}},
		"message": {newStream().begin().title("Réunion").data("").props(int32Of(pidAttachMethod, 5), blob(pidAttachData, typeObject, string(iMessage)+string(inner))).b,
			[]string{"message Réunion", "> file deep.pdf =deep"}},
		"image of the text": {newStream().begin().title("a.png").data("x").props(text8(pidAttachMime, "image/png"), int32Of(pidAttachFlags, 4)).b, []string{"inline a.png image/png=x"}},
		"hidden pdf":        {newStream().begin().title("a.pdf").data("x").props(text8(pidAttachMime, "application/pdf"), u32(pidAttachHidden<<16|typeBool)+u32(1)).b, []string{"file a.pdf application/pdf=x"}},
		"other properties":  {newStream().begin().title("a").data("x").props(named, numbered, many, u32(0x3008<<16|typeTime)+"12345678", text8(pidAttachLong, "b")).b, []string{"file b =x"}},
		"padding forgotten": {newStream().begin().title("a").data("x").put(2, 0x00069005, u32(1)+u32(pidAttachLong<<16|typeString8)+u32(1)+u32(2)+"b\x00").b, []string{"file b =x"}},
		"bodies":            {newStream().message(blob(pidRTFCompressed, typeBinary, rtf), blob(pidBodyHTML, typeBinary, "<p>")).begin().title("a").data("x").b, []string{"body body.rtf text/rtf=abc", "body body.html text/html=<p>", "file a =x"}},
		"line ends after":   {append(newStream().begin().title("a").data("x").b, "\r\n\r\n"...), []string{"file a =x"}},
		"nothing":           {newStream().b, nil},
	} {
		got, err := told(c.data)
		if !slices.Equal(got, c.want) || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// What was read before damage is kept, and damage is told.
func TestReadDamaged(t *testing.T) {
	t.Parallel()
	whole := newStream().begin().title("a").data("first").begin().title("b").data("second").b
	over := newStream().begin().title("a").data("x").b
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"cut":             {whole[:len(whole)-4], []string{"file a =first", "file b =seco tnef: cut short: 4 of 6 bytes"}},
		"cut in a header": {whole[:len(whole)-14], []string{"file a =first"}},
		"junk":            {append(bytes.Clone(whole), "Kjunk and more of it"...), []string{"file a =first", "file b =second"}},
		"type of no kind": {newStream().begin().title("a").data("x").props(u32(0x3707<<16 | 0x7f)).b, []string{"file a =x"}},
		"many properties": {newStream().begin().title("a").data("x").put(2, 0x00069005, u32(1<<30)).b, []string{"file a =x"}},
		"many values":     {newStream().begin().title("a").data("x").props(u32(pidAttachLong<<16|typeString8) + u32(1<<31)).b, []string{"file a =x"}},
		"long value":      {newStream().begin().title("a").data("x").props(u32(pidAttachLong<<16|typeString8) + u32(1) + u32(1<<31)).b, []string{"file a =x"}},
		"long attribute":  {append(over, 2, 0x0f, 0x80, 6, 0, 0xff, 0xff, 0xff, 0xff), []string{"file a =x"}},
		"no signature":    {[]byte("PK\x03\x04...."), nil},
		"empty":           {nil, nil},
	} {
		got, err := told(c.data)
		if !errors.Is(err, ErrDamaged) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	stop := errors.New("stop")
	if err := Read(bytes.NewReader(whole), int64(len(whole)), func(*File) error { return stop }); err != stop {
		t.Errorf("an error of out: %v", err)
	}
}

// Compressed text: the example of MS-OXRTFCP section 3.1.1, and a reference that overlaps
// what it writes (section 3.1.2).
func TestRTF(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"\x2d\x00\x00\x00\x2b\x00\x00\x00LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3\x20hel\x09\x00\x20bw\x05\xb0ld}\x0a\x80\x0f\xa0": "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n",
		"\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WXYZ\x0d\x6e\x7d\x01\x0e\xb0":                                            "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}",
	} {
		got, err := io.ReadAll(newRTF(strings.NewReader(in)))
		if string(got) != want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	for _, in := range []string{"", "short", "\x2d\x00\x00\x00\x2b\x00\x00\x00ZIP!\x00\x00\x00\x00"} {
		if _, err := io.ReadAll(newRTF(strings.NewReader(in))); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	inner := newStream().begin().title("deep.pdf").data("deep").b
	f.Add(newStream().page(932).begin().title("a").data("abc").props(text16(pidAttachLong, "é"), text8(pidAttachMime, "a/b")).b)
	f.Add(newStream().message(blob(pidRTFCompressed, typeBinary, "\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WXYZ\x0d\x6e\x7d\x01\x0e\xb0")).b)
	f.Add(newStream().begin().props(blob(pidAttachData, typeObject, string(iMessage)+string(inner))).b)
	f.Fuzz(func(t *testing.T, data []byte) {
		var sum int64
		err := Read(bytes.NewReader(data), int64(len(data)), func(file *File) error {
			n, _ := io.Copy(io.Discard, file.Open())
			if n > 10*int64(len(data))+4096 {
				t.Fatalf("%d bytes of %d", n, len(data))
			}
			if sum += n; file.Size >= 0 && file.Size != n {
				t.Fatalf("%d bytes of %d announced", n, file.Size)
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
	})
}
