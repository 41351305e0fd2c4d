package tnef

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Signature begins every stream, in little-endian order (MS-OXTNEF 2.1.3.1).
const Signature = 0x223e9f78

// ErrDamaged is what every error about the stream itself wraps.
var ErrDamaged = errors.New("the TNEF stream is damaged")

// Role says what a file is to the message.
type Role string

const (
	RoleFile    Role = "file"    // attached
	RoleInline  Role = "inline"  // an image that the text shows
	RoleBody    Role = "body"    // the text of the message, as RTF or HTML
	RoleMessage Role = "message" // an attached message: a TNEF stream of its own
)

// File is something that a stream holds.
type File struct {
	Role      Role
	Name      string   // the long name where there is one; "" if there is none; a stranger's
	MediaType string   // as its sender labelled it; "" when he did not
	Size      int64    // bytes; -1 for a compressed text
	Repairs   []string // what is odd about it

	content *io.SectionReader
	rtf     bool
}

// Open gives the content from its beginning, as often as wanted, as long as the stream
// stays readable.
func (f *File) Open() io.Reader {
	r := io.NewSectionReader(f.content, 0, f.content.Size())
	if f.rtf {
		return newRTF(r)
	}
	return r
}

// attributes, without the type in the upper half (MS-OXTNEF 2.1.3.2)
const (
	attOemCodepage    = 0x9007
	attMAPIProps      = 0x9003
	attAttachRendData = 0x9002
	attAttachTitle    = 0x8010
	attAttachData     = 0x800f
	attAttachment     = 0x9005
)

// Bounds that no option moves.
const (
	maxFiles = 10_000
	maxProps = 4096     // of one attribute
	maxText  = 32 << 10 // bytes of one name
)

// reader reads one stream.
type reader struct {
	r    io.ReaderAt
	size int64
	out  func(*File) error
	code int // attOemCodepage
	n    int // files

	file  *File // the attachment that is being read
	title []byte
	obj   bool // its content is an object, which goes before attAttachData
	hint  attachment
}

// Read calls out for every file of the stream of size bytes in r, in its order, the text
// of the message first where it stands there. An error of out ends the work and is
// returned as it is; every other wraps [ErrDamaged], or comes from r.
func Read(r io.ReaderAt, size int64, out func(*File) error) error {
	t := &reader{r: r, size: size, out: out, code: 1252}
	err := t.run()
	if errors.Is(err, ErrDamaged) {
		// what came before the damage is kept
		if oerr := t.flush(); oerr != nil {
			return oerr
		}
	}
	return err
}

func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...))
}

// read fills b from off.
func (t *reader) read(b []byte, off int64) error {
	if off < 0 || off+int64(len(b)) > t.size {
		return damaged("it ends at byte %d, in the middle of something", t.size)
	}
	_, err := t.r.ReadAt(b, off)
	if err == io.EOF {
		return nil // all of b, up to the last byte
	}
	return err
}

func (t *reader) run() error {
	var head [9]byte
	if err := t.read(head[:6], 0); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(head[:]) != Signature {
		return damaged("it does not begin with the signature")
	}
	for off := int64(6); off < t.size; {
		// MS-OXTNEF 2.1.3.3: level, id and type, length, data, checksum
		if done, err := t.tail(off); done || err != nil {
			if err == nil {
				err = t.flush()
			}
			return err
		}
		if err := t.read(head[:], off); err != nil {
			return err
		}
		level, id := head[0], binary.LittleEndian.Uint16(head[1:])
		length := int64(binary.LittleEndian.Uint32(head[5:]))
		off += 9
		if level != 1 && level != 2 {
			return damaged("level %d at byte %d", level, off-9)
		}
		if length > t.size-off-2 {
			return t.cut(id, off, length)
		}
		if err := t.attribute(level, id, off, length); err != nil {
			return err
		}
		off += length + 2
	}
	return t.flush()
}

// tail tells whether nothing but padding stands from off.
//
// QUIRK: mail gateways append line ends and zeros.
func (t *reader) tail(off int64) (bool, error) {
	n := t.size - off
	if n > 4096 {
		return false, nil
	}
	b := make([]byte, n)
	if err := t.read(b, off); err != nil {
		return false, err
	}
	return len(bytes.Trim(b, "\x00\r\n\t ")) == 0, nil
}

// cut keeps what there is of an attachment whose content goes beyond the end.
func (t *reader) cut(id uint16, off, length int64) error {
	if id == attAttachData && t.file != nil && !t.obj && off < t.size {
		t.file.content = io.NewSectionReader(t.r, off, t.size-off)
		t.file.Repairs = append(t.file.Repairs, fmt.Sprintf("tnef: cut short: %d of %d bytes", t.size-off, length))
	}
	return damaged("an attribute of %d bytes at byte %d goes beyond its end", length, off)
}

// attribute takes one. The attachment whose attributes come begins with
// attAttachRendData (MS-OXTNEF 2.1.3.3.12).
func (t *reader) attribute(level byte, id uint16, off, length int64) error {
	if level == 1 {
		switch id {
		case attOemCodepage:
			var b [4]byte
			if length < 4 {
				return nil
			}
			if err := t.read(b[:], off); err != nil {
				return err
			}
			if c := binary.LittleEndian.Uint32(b[:]); c > 0 && c < 1<<16 {
				t.code = int(c)
			}
		case attMAPIProps:
			return t.message(off, length)
		}
		return nil
	}
	if id == attAttachRendData || t.file == nil {
		if err := t.flush(); err != nil {
			return err
		}
		t.file = &File{Role: RoleFile}
	}
	switch id {
	case attAttachTitle:
		b, err := t.text(off, length)
		if err != nil {
			return err
		}
		t.title = b
	case attAttachData:
		sound, err := t.sound(off, length)
		if err != nil {
			return err
		}
		if t.obj {
			return nil
		}
		t.file.content = io.NewSectionReader(t.r, off, length)
		if !sound {
			t.file.Repairs = append(t.file.Repairs, "tnef: the checksum of this file is wrong")
		}
	case attAttachment:
		return t.attachment(off, length)
	}
	return nil
}

// text reads at most maxText bytes of text up to its zero.
func (t *reader) text(off, length int64) ([]byte, error) {
	b := make([]byte, min(length, maxText))
	if err := t.read(b, off); err != nil {
		return nil, err
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b, nil
}

// sound compares an attribute with its checksum, the sum of its bytes modulo 65536
// (MS-OXTNEF 2.1.3.1).
func (t *reader) sound(off, length int64) (bool, error) {
	buf := make([]byte, min(length, 32<<10))
	var sum uint16
	for at, end := off, off+length; at < end; {
		b := buf[:min(int64(len(buf)), end-at)]
		if err := t.read(b, at); err != nil {
			return false, err
		}
		for _, c := range b {
			sum += uint16(c)
		}
		at += int64(len(b))
	}
	var want [2]byte
	err := t.read(want[:], off+length)
	return binary.LittleEndian.Uint16(want[:]) == sum, err
}

// flush gives the attachment that was being read.
func (t *reader) flush() error {
	f, h := t.file, t.hint
	title := t.title
	t.file, t.title, t.hint, t.obj = nil, nil, attachment{}, false
	if f == nil || f.content == nil {
		return nil // a place without content: an image of the text, an OLE object by reference
	}
	f.Name = h.name(decode(title, t.code))
	f.MediaType = h.mediaType
	f.Size = f.content.Size()
	if h.shown() {
		f.Role = RoleInline
	}
	if h.message {
		f.Role, f.MediaType = RoleMessage, "application/ms-tnef"
	}
	return t.give(f)
}

func (t *reader) give(f *File) error {
	if t.n++; t.n > maxFiles {
		return fmt.Errorf("more than %d files: %w", maxFiles, ErrDamaged)
	}
	return t.out(f)
}
