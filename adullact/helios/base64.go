package helios

import "fmt"

// unbase64 turns base64 text into bytes, piece by piece. White space is passed over, missing
// padding forgiven, and what is no base64 at all passed over and counted.
type unbase64 struct {
	quad   [4]byte
	n      int   // of quad
	read   int64 // bytes of text
	chars  int64 // that counted
	junk   int64
	junkAt int64 // of the first, in the text
	padded bool  // text that counts came after padding
	ended  bool
	lost   bool // a last character that makes no byte
	nopad  bool
}

const (
	isJunk  = 0xff
	isSpace = 0xfe
	isPad   = 0xfd
	special = 0xc0
)

var sextets = func() (t [256]byte) {
	for i := range t {
		t[i] = isJunk
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	t[' '], t['\t'], t['\r'], t['\n'], t['='] = isSpace, isSpace, isSpace, isSpace, isPad
	return t
}()

// decode appends to dst what p holds.
func (u *unbase64) decode(dst, p []byte) []byte {
	for i := 0; i < len(p); i++ {
		if u.n == 0 && !u.ended {
			// Four by four while nothing is special.
			from := i
			for ; i+4 <= len(p); i += 4 {
				a, b, c, d := sextets[p[i]], sextets[p[i+1]], sextets[p[i+2]], sextets[p[i+3]]
				if (a|b|c|d)&special != 0 {
					break
				}
				dst = append(dst, a<<2|b>>4, b<<4|c>>2, c<<6|d)
			}
			u.read += int64(i - from)
			u.chars += int64(i - from)
			if i == len(p) {
				break
			}
		}
		switch v := sextets[p[i]]; v {
		case isSpace:
		case isJunk:
			if u.junk == 0 {
				u.junkAt = u.read
			}
			u.junk++
		case isPad:
			dst = u.flush(dst)
			u.ended = true
		default:
			// QUIRK: writers that encode block by block pad every block.
			if u.ended {
				u.padded, u.ended = true, false
			}
			u.quad[u.n] = v
			u.n++
			u.chars++
			if u.n == 4 {
				q := u.quad
				dst = append(dst, q[0]<<2|q[1]>>4, q[1]<<4|q[2]>>2, q[2]<<6|q[3])
				u.n = 0
			}
		}
		u.read++
	}
	return dst
}

// flush ends a group of four that is not whole.
func (u *unbase64) flush(dst []byte) []byte {
	q := u.quad
	switch u.n {
	case 1:
		u.lost = true
	case 2:
		dst = append(dst, q[0]<<2|q[1]>>4)
	case 3:
		dst = append(dst, q[0]<<2|q[1]>>4, q[1]<<4|q[2]>>2)
	}
	u.n = 0
	return dst
}

// end appends what is left.
func (u *unbase64) end(dst []byte) []byte {
	u.nopad = u.n == 2 || u.n == 3
	return u.flush(dst)
}

// faults tells what was forgiven.
func (u *unbase64) faults() (all []string) {
	if u.junk > 0 {
		all = append(all, fmt.Sprintf("%d bytes that are not base64 were passed over, the first at byte %d of the text", u.junk, u.junkAt))
	}
	if u.lost {
		all = append(all, "a single character at the end of the base64 makes no byte")
	}
	if u.nopad {
		all = append(all, "the padding of the base64 is missing")
	}
	if u.padded {
		all = append(all, "base64 goes on after its padding")
	}
	return all
}
