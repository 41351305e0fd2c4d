package p7m

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// tags (X.690 section 8.1.2)
const (
	tagInteger    = 0x02
	tagOctets     = 0x04
	tagOID        = 0x06
	tagSequence   = 0x30
	tagSet        = 0x31
	tagContext    = 0xa0
	constructed   = 0x20
	maxDepth      = 16 // of octet strings in octet strings, and of what is passed over
	maxPassedOver = 1 << 20
	indefinite    = -1
	endOfContents = 0x00
)

// walker reads one element after the other and never goes back.
type walker struct {
	r *bufio.Reader
}

// element is the beginning of one; length is that of its contents, or indefinite.
type element struct {
	tag    byte
	length int64
	head   int64 // bytes of tag and length
}

func (w *walker) next() (element, error) {
	tag, err := w.r.ReadByte()
	if err != nil {
		return element{}, ended(err)
	}
	if tag&0x1f == 0x1f {
		return element{}, fmt.Errorf("%w: a tag of more than one byte", ErrDamaged)
	}
	l, err := w.r.ReadByte()
	if err != nil {
		return element{}, ended(err)
	}
	e := element{tag: tag, length: int64(l), head: 2}
	switch {
	case l < 0x80:
	case l == 0x80: // X.690 section 8.1.3.6
		if tag&constructed == 0 {
			return element{}, fmt.Errorf("%w: a value without a length", ErrDamaged)
		}
		e.length = indefinite
	default:
		n := int(l & 0x7f)
		if n > 7 {
			return element{}, fmt.Errorf("%w: a length of %d bytes", ErrDamaged, n)
		}
		e.length = 0
		for range n {
			c, err := w.r.ReadByte()
			if err != nil {
				return element{}, ended(err)
			}
			e.length = e.length<<8 | int64(c)
		}
		e.head += int64(n)
	}
	return e, nil
}

func (w *walker) want(tag byte) (element, error) {
	e, err := w.next()
	if err == nil && e.tag != tag {
		err = fmt.Errorf("%w: element %#02x where %#02x belongs", ErrDamaged, e.tag, tag)
	}
	return e, err
}

// oid reads an object identifier.
func (w *walker) oid() ([]byte, error) {
	e, err := w.want(tagOID)
	if err != nil {
		return nil, err
	}
	if e.length < 1 || e.length > 32 {
		return nil, fmt.Errorf("%w: an object identifier of %d bytes", ErrDamaged, e.length)
	}
	b := make([]byte, e.length)
	if _, err := io.ReadFull(w.r, b); err != nil {
		return nil, ended(err)
	}
	return b, nil
}

// pass reads over the contents of e and gives how many bytes that were.
func (w *walker) pass(e element, depth int) (int64, error) {
	if depth > maxDepth {
		return 0, fmt.Errorf("%w: nested too deeply", ErrDamaged)
	}
	if e.length != indefinite {
		if e.length > maxPassedOver {
			return 0, fmt.Errorf("%w: %d bytes before the content", ErrDamaged, e.length)
		}
		n, err := w.r.Discard(int(e.length))
		if err != nil {
			err = ended(err)
		}
		return int64(n), err
	}
	var sum int64
	for {
		c, err := w.next()
		if err != nil {
			return sum, err
		}
		sum += c.head
		if c.tag == endOfContents {
			return sum, nil
		}
		n, err := w.pass(c, depth+1)
		if sum += n; err != nil {
			return sum, err
		}
		if sum > maxPassedOver {
			return sum, fmt.Errorf("%w: too much before the content", ErrDamaged)
		}
	}
}

// enter goes to the contents of the octet string: ContentInfo, SignedData, EncapsulatedContentInfo
// (RFC 5652 sections 3, 5.1 and 5.2).
func (w *walker) enter() error {
	if _, err := w.want(tagSequence); err != nil {
		return err
	}
	kind, err := w.oid()
	if err != nil {
		return err
	}
	switch {
	case bytes.Equal(kind, oidSigned):
	case bytes.Equal(kind, oidEnveloped), bytes.Equal(kind, oidEncrypted), bytes.Equal(kind, oidAuthEnvel):
		return ErrEncrypted
	default:
		return ErrNotMine
	}
	if _, err := w.want(tagContext); err != nil {
		return err
	}
	if _, err := w.want(tagSequence); err != nil {
		return err
	}
	for _, tag := range []byte{tagInteger, tagSet} { // version, digestAlgorithms
		e, err := w.want(tag)
		if err != nil {
			return err
		}
		if _, err := w.pass(e, 0); err != nil {
			return err
		}
	}
	e, err := w.want(tagSequence)
	if err != nil {
		return err
	}
	kind, err = w.oid()
	if err != nil {
		return err
	}
	// a timestamp or a signed program has another type; without content it is detached
	used := int64(2 + len(kind))
	if !bytes.Equal(kind, oidData) || e.length != indefinite && e.length <= used {
		return ErrNotMine
	}
	c, err := w.next()
	if err != nil {
		return err
	}
	if c.tag != tagContext {
		return ErrNotMine
	}
	return nil
}

// content gives the pieces of an octet string, which may lie in others (X.690 section 8.7).
type content struct {
	w     *walker
	begun bool
	open  []int64 // bytes left in the constructed strings around; indefinite
	left  int64   // bytes left of this piece
	err   error
}

func (c *content) Read(p []byte) (int, error) {
	for c.err == nil && c.left == 0 {
		c.err = c.advance()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err != nil {
		c.err = ended(err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, c.err
}

// advance goes to the next piece; io.EOF after the last.
func (c *content) advance() error {
	for n := len(c.open); n > 0 && c.open[n-1] == 0; n = len(c.open) {
		c.open = c.open[:n-1]
	}
	if c.begun && len(c.open) == 0 {
		return io.EOF
	}
	e, err := c.w.next()
	if err != nil {
		return err
	}
	switch {
	case e.tag == endOfContents && e.length == 0 && len(c.open) > 0 && c.open[len(c.open)-1] == indefinite:
		c.open = c.open[:len(c.open)-1]
		return nil
	case e.tag&^constructed != tagOctets:
		return fmt.Errorf("%w: element %#02x in the content", ErrDamaged, e.tag)
	}
	c.begun = true
	// what is begun takes its room in all that are around it
	took := e.head + max(e.length, 0)
	if n := len(c.open); n > 0 && c.open[n-1] != indefinite {
		if took > c.open[n-1] || e.length == indefinite {
			return fmt.Errorf("%w: a piece of the content is larger than the whole", ErrDamaged)
		}
		c.open[n-1] -= took
	}
	if e.tag&constructed == 0 {
		c.left = e.length
		return nil
	}
	if len(c.open) >= maxDepth {
		return fmt.Errorf("%w: nested too deeply", ErrDamaged)
	}
	c.open = append(c.open, e.length)
	return nil
}
