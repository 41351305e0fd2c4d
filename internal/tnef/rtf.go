package tnef

import (
	"bufio"
	"encoding/binary"
	"io"
)

// preset is what the dictionary holds at the beginning (MS-OXRTFCP 2.1.2.1).
const preset = `{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}` + `{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor ` +
	`MS Sans SerifSymbolArialTimes New RomanCourier` + `{\colortbl\red0\green0\blue0` + "\r\n" + `\par \pard\plain\f0\fs20\b\i\u\tab\tx`

// rtf reads compressed RTF (MS-OXRTFCP) as a stream. Nine bytes and a bit never become
// more than 136, so it is no bomb.
type rtf struct {
	r     *bufio.Reader
	err   error
	left  int64 // bytes of text that are still to come
	plain bool  // stored, not compressed
	dict  [4096]byte
	at    int // where the next byte of the dictionary goes
	flags byte
	runs  int    // flags that are not used yet
	text  []byte // made and not yet read
}

func newRTF(src io.Reader) *rtf {
	z := &rtf{r: bufio.NewReader(src)}
	var head [16]byte
	if _, z.err = io.ReadFull(z.r, head[:]); z.err != nil {
		z.err = damaged("the compressed text has no header")
		return z
	}
	z.left = int64(binary.LittleEndian.Uint32(head[4:]))
	switch string(head[8:12]) {
	case "LZFu":
	case "MELA":
		z.plain = true
	default:
		z.err = damaged("the text is compressed in an unknown way")
	}
	z.at = copy(z.dict[:], preset)
	return z
}

func (z *rtf) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(z.text) == 0 {
			if z.err == nil && z.left <= 0 {
				z.err = io.EOF
			}
			if z.err != nil {
				break
			}
			z.fill()
			if int64(len(z.text)) > z.left {
				z.text = z.text[:z.left]
			}
			z.left -= int64(len(z.text))
		}
		k := copy(p[n:], z.text)
		n, z.text = n+k, z.text[k:]
	}
	if n > 0 {
		return n, nil
	}
	return 0, z.err
}

// fill makes some text.
func (z *rtf) fill() {
	var c [2]byte
	z.text = z.text[:0]
	if z.plain {
		c[0] = z.byte()
		if z.err == nil {
			z.text = append(z.text, c[0])
		}
		return
	}
	if z.runs == 0 {
		z.flags, z.runs = z.byte(), 8
	}
	c[0] = z.byte()
	ref := z.flags&1 != 0
	z.flags, z.runs = z.flags>>1, z.runs-1
	if z.err != nil {
		return
	}
	if !ref {
		z.put(c[0])
		return
	}
	c[1] = z.byte()
	if z.err != nil {
		return
	}
	v := int(c[0])<<8 | int(c[1])
	from, length := v>>4, v&15+2
	if from == z.at { // MS-OXRTFCP 2.1.3.1.3: the end
		z.err = io.EOF
		return
	}
	for range length {
		z.put(z.dict[from])
		from = (from + 1) % len(z.dict)
	}
}

func (z *rtf) put(c byte) {
	z.text = append(z.text, c)
	z.dict[z.at] = c
	z.at = (z.at + 1) % len(z.dict)
}

func (z *rtf) byte() byte {
	c, err := z.r.ReadByte()
	if err != nil && z.err == nil {
		z.err = io.EOF // QUIRK: the end mark may be missing
	}
	return c
}
