package tnef

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
)

// types of properties (MS-OXCDATA 2.11.1)
const (
	typeInt16   = 0x02
	typeInt32   = 0x03
	typeFloat   = 0x04
	typeDouble  = 0x05
	typeMoney   = 0x06
	typeAppTime = 0x07
	typeError   = 0x0a
	typeBool    = 0x0b
	typeObject  = 0x0d
	typeInt64   = 0x14
	typeString8 = 0x1e
	typeUnicode = 0x1f
	typeTime    = 0x40
	typeGUID    = 0x48
	typeBinary  = 0x102
	typeMany    = 0x1000 // a list of values
)

// properties (MS-OXPROPS)
const (
	pidDisplayName   = 0x3001
	pidBodyHTML      = 0x1013
	pidRTFCompressed = 0x1009
	pidAttachData    = 0x3701
	pidAttachName    = 0x3704
	pidAttachLong    = 0x3707
	pidAttachMethod  = 0x3705
	pidAttachMime    = 0x370e
	pidAttachFlags   = 0x3714
	pidAttachHidden  = 0x7ffe
)

// attachment is what the properties of one say.
type attachment struct {
	long, short, display string
	mediaType            string
	message              bool // PidTagAttachMethod 5
	hidden, related      bool
}

// name is the long name, else what there is; title is attAttachTitle, often cut to 8.3.
func (a *attachment) name(title string) string {
	last := ""
	for _, s := range []string{a.long, title, a.short, a.display} {
		switch s = strings.TrimSpace(s); s {
		case "":
		case "Untitled Attachment", "Untitled_Attachment": // QUIRK: what Outlook writes for none
			last = s
		default:
			return s
		}
	}
	return last
}

// shown tells whether the text shows it: an image that is hidden from the list of
// attachments or that HTML refers to (PidTagAttachFlags attRenderedInBody).
func (a *attachment) shown() bool {
	return (a.hidden || a.related) && strings.HasPrefix(a.mediaType, "image/")
}

// prop is one value: data of length bytes at off.
type prop struct {
	id, kind    uint16
	off, length int64
}

// attachment reads attAttachment: the properties of the attachment.
func (t *reader) attachment(off, length int64) error {
	// PidTagAttachDataObject begins with 16 bytes that name its interface (MS-OXTNEF
	// 2.1.3.4.3); only IMessage is another TNEF stream
	return t.props(off, length, func(p prop) error {
		h := &t.hint
		switch p.id {
		case pidAttachLong, pidAttachName, pidDisplayName, pidAttachMime:
			s, err := t.str(p)
			if err != nil {
				return err
			}
			switch p.id {
			case pidAttachLong:
				h.long = s
			case pidAttachName:
				h.short = s
			case pidDisplayName:
				h.display = s
			case pidAttachMime:
				h.mediaType = mediaType(s)
			}
		case pidAttachMethod:
			n, err := t.number(p)
			h.message = h.message || n == 5
			return err
		case pidAttachFlags:
			n, err := t.number(p)
			h.related = n&4 != 0
			return err
		case pidAttachHidden:
			n, err := t.number(p)
			h.hidden = n&0xff != 0
			return err
		case pidAttachData:
			if p.kind != typeObject {
				if p.kind == typeBinary && t.file.content == nil {
					t.file.content = io.NewSectionReader(t.r, p.off, p.length)
				}
				return nil
			}
			if p.length <= 16 {
				return nil
			}
			var guid [16]byte
			if err := t.read(guid[:], p.off); err != nil {
				return err
			}
			h.message = bytes.Equal(guid[:], iMessage)
			t.file.content, t.obj = io.NewSectionReader(t.r, p.off+16, p.length-16), true
		}
		return nil
	})
}

// iMessage is {00020307-0000-0000-C000-000000000046}.
var iMessage = []byte{0x07, 0x03, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46}

// message reads attMAPIProps: the properties of the message, of which the text matters.
func (t *reader) message(off, length int64) error {
	return t.props(off, length, func(p prop) error {
		f := &File{Role: RoleBody, Size: p.length, content: io.NewSectionReader(t.r, p.off, p.length)}
		switch {
		case p.length == 0:
			return nil
		case p.id == pidRTFCompressed && p.kind == typeBinary:
			f.Name, f.MediaType, f.Size, f.rtf = "body.rtf", "text/rtf", -1, true
		case p.id == pidBodyHTML && (p.kind == typeBinary || p.kind == typeString8):
			f.Name, f.MediaType = "body.html", "text/html"
			if p.kind == typeString8 { // its zero is no part of it
				f.Size--
				f.content = io.NewSectionReader(t.r, p.off, f.Size)
			}
		default:
			return nil
		}
		return t.give(f)
	})
}

// width gives the bytes that a value of fixed length takes; 0 for variable ones, -1 for
// what is no type.
func width(kind uint16) int64 {
	switch kind {
	case typeInt16, typeInt32, typeFloat, typeError, typeBool:
		return 4 // MS-OXTNEF 2.1.3.4: short ones are padded
	case typeDouble, typeMoney, typeAppTime, typeInt64, typeTime:
		return 8
	case typeGUID:
		return 16
	case typeString8, typeUnicode, typeBinary, typeObject:
		return 0
	}
	return -1
}

// props walks a list of properties (MS-OXTNEF 2.1.3.4) and calls got for each value.
func (t *reader) props(off, length int64, got func(prop) error) error {
	end := off + length
	u32 := func() (uint32, error) {
		var b [4]byte
		if off+4 > end {
			return 0, damaged("a list of properties ends too early")
		}
		err := t.read(b[:], off)
		off += 4
		return binary.LittleEndian.Uint32(b[:]), err
	}
	skip := func(n int64) error {
		n = (n + 3) &^ 3
		if n > end-off {
			// QUIRK: the padding of the last value may be missing
			if n-(end-off) > 3 {
				return damaged("a property of %d bytes goes beyond its list", n)
			}
			n = end - off
		}
		off += n
		return nil
	}
	count, err := u32()
	if err != nil {
		return err
	}
	if count > maxProps {
		return damaged("a list of %d properties", count)
	}
	for range count {
		tag, err := u32()
		if err != nil {
			return err
		}
		p := prop{kind: uint16(tag), id: uint16(tag >> 16)}
		if p.id >= 0x8000 { // a named property: its GUID, its kind, its number or name
			if err := skip(16); err != nil {
				return err
			}
			kind, err := u32()
			if err != nil {
				return err
			}
			n, err := u32()
			if err != nil {
				return err
			}
			if kind == 1 {
				if err := skip(int64(n)); err != nil {
					return err
				}
			}
		}
		w := width(p.kind &^ typeMany)
		if w < 0 {
			return damaged("a property of unknown type %#x", p.kind)
		}
		values := uint32(1)
		if w == 0 || p.kind&typeMany != 0 {
			if values, err = u32(); err != nil {
				return err
			}
		}
		if int64(values) > length/4 {
			return damaged("a property of %d values", values)
		}
		for range values {
			p.length = w
			if w == 0 {
				n, err := u32()
				if err != nil {
					return err
				}
				p.length = int64(n)
			}
			p.off = off
			if p.length > end-off {
				return damaged("a property of %d bytes goes beyond its list", p.length)
			}
			if p.kind&typeMany == 0 && p.id < 0x8000 {
				if err := got(p); err != nil {
					return err
				}
			}
			if err := skip(p.length); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *reader) number(p prop) (uint32, error) {
	var b [4]byte
	if width(p.kind) <= 0 {
		return 0, nil
	}
	err := t.read(b[:], p.off)
	return binary.LittleEndian.Uint32(b[:]), err
}

func (t *reader) str(p prop) (string, error) {
	if p.kind != typeString8 && p.kind != typeUnicode {
		return "", nil
	}
	b := make([]byte, min(p.length, maxText))
	if err := t.read(b, p.off); err != nil {
		return "", err
	}
	if p.kind == typeUnicode {
		return utf16le(b), nil
	}
	b, _, _ = bytes.Cut(b, []byte{0})
	return decode(b, t.code), nil
}

// mediaType keeps what looks like one.
func mediaType(s string) string {
	s, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(s)), ";")
	if len(s) > 127 || strings.Count(s, "/") != 1 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return s
}
