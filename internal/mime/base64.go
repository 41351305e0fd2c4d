package mime

import "bytes"

const (
	blockSize = 16 << 10 // characters decoded at a time; a multiple of 4
	white     = 0xfd     // in base64Table
	padding   = 0xfe
	stray     = 0xff
)

// base64Table gives the value of a character of RFC 4648 section 4, or white, padding, stray.
var base64Table = func() (t [256]byte) {
	for i := range t {
		t[i] = stray
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	for _, c := range []byte(" \t\r\n\v\f") {
		t[c] = white
	}
	t['='] = padding
	return t
}()

// base64Quad holds, for each place in a group of four, the character's bits where they
// belong; anything outside the alphabet sets the top byte.
var base64Quad = func() (t [4][256]uint32) {
	for i := range t {
		for c, v := range base64Table {
			if v > 63 {
				t[i][c] = 0xff000000
			} else {
				t[i][c] = uint32(v) << (18 - 6*i)
			}
		}
	}
	return t
}()

// base64State is what the decoder carries from one block to the next.
type base64State struct {
	stride int // of the last line, its end included
	eol    int // bytes of that line's end
	kept   int // characters at the front of the block that wait for their group
	ended  bool
	done   bool // text behind the padding: nothing more is decoded
}

// strip copies raw into block without line ends, until one of them is used up. Lines of
// one length, nearly all, are copied without being searched. RFC 2045 section 6.8.
func (st *base64State) strip(block, raw []byte) (n, used int) {
	n = st.kept
	for used < len(raw) && n < len(block) {
		if s, keep := st.stride, st.stride-st.eol; s > 0 {
			for len(raw)-used >= s && len(block)-n >= keep && raw[used+s-1] == '\n' && (st.eol == 1 || raw[used+s-2] == '\r') {
				n += copy(block[n:], raw[used:used+keep])
				used += s
			}
			if used == len(raw) || n == len(block) {
				break
			}
		}
		line := raw[used:min(len(raw), used+len(block)-n+2)]
		e := bytes.IndexByte(line, '\n')
		if e < 0 {
			c := copy(block[n:], line)
			n, used = n+c, used+c
			continue
		}
		eol := 1
		if e > 0 && line[e-1] == '\r' {
			eol = 2
		}
		c := copy(block[n:], line[:e+1-eol])
		n, used = n+c, used+c
		if c == e+1-eol {
			used += eol
			st.stride, st.eol = e+1, eol
		}
	}
	return n, used
}

// decode turns the characters of block into bytes appended to out, and leaves those of an
// unfinished group at the front of block. last says that no more will come.
func (st *base64State) decode(out, block []byte, last bool, repair func(string)) []byte {
	st.kept = 0
	if st.done {
		return out
	}
	if !st.ended {
		n := len(block) &^ 3
		if last && n > 0 && n == len(block) && block[n-1] == '=' {
			n -= 4
		}
		if n > 0 {
			at := len(out)
			if m, ok := fastBase64(out[at:cap(out)], block[:n]); ok && m == n/4*3 {
				out = out[:at+m]
				block2 := block[n:]
				if !last {
					st.kept = copy(block, block2)
					return out
				}
				block = block2
			}
		}
	}
	return st.mend(out, block, last, repair)
}

// mend decodes what is not plain base64: padding, white space, and what ought not to be.
func (st *base64State) mend(out, block []byte, last bool, repair func(string)) []byte {
	var acc uint32
	var group [4]byte // the characters of the unfinished group
	q, pads := 0, 0
	i := 0
	for i < len(block) {
		if q == 0 && !st.ended {
			for i+4 <= len(block) {
				x := base64Quad[0][block[i]] | base64Quad[1][block[i+1]] | base64Quad[2][block[i+2]] | base64Quad[3][block[i+3]]
				if x > 0xffffff {
					break
				}
				out = append(out, byte(x>>16), byte(x>>8), byte(x))
				i += 4
			}
			if i == len(block) {
				break
			}
		}
		c := block[i]
		switch v := base64Table[c]; v {
		case white:
		case padding:
			switch {
			case q >= 2:
				if pads++; q+pads == 4 {
					out = appendTail(out, acc, q)
					acc, q, pads, st.ended = 0, 0, 0, true
				}
			case q == 1:
				repair("base64: cut short")
				acc, q, st.ended = 0, 0, true
			case st.ended:
				repair("base64: too much padding")
			default:
				repair("base64: stray padding")
			}
		case stray:
			if st.ended && q == 0 {
				st.done = true
				repair("base64: text behind the end left out")
				return out
			}
			repair("base64: stray characters left out")
		default:
			if st.ended {
				// QUIRK: encoders that pad every chunk; but a mailing list's footer below
				// the data is no data.
				for _, c := range block[i:min(len(block), i+80)] {
					if base64Table[c] == stray || c == ' ' {
						st.done = true
						repair("base64: text behind the end left out")
						return out
					}
				}
				repair("base64: padded pieces put together")
				st.ended = false
			}
			if pads > 0 { // "QQ=" and then more
				repair("base64: padding missing")
				out = appendTail(out, acc, q)
				acc, q, pads = 0, 0, 0
			}
			group[q] = c
			acc = acc<<6 | uint32(v)
			if q++; q == 4 {
				out = append(out, byte(acc>>16), byte(acc>>8), byte(acc))
				acc, q = 0, 0
			}
		}
		i++
	}
	if !last {
		st.kept = copy(block, group[:q])
		for ; pads > 0; pads-- {
			block[st.kept] = '='
			st.kept++
		}
		return out
	}
	switch {
	case q == 1:
		repair("base64: cut short")
	case q > 1:
		repair("base64: padding missing")
		out = appendTail(out, acc, q)
	}
	return out
}

// appendTail appends the whole bytes of an unfinished group of q characters.
func appendTail(out []byte, acc uint32, q int) []byte {
	switch q {
	case 2:
		return append(out, byte(acc>>4))
	case 3:
		return append(out, byte(acc>>10), byte(acc>>2))
	}
	return out
}

// isBase64 tells whether line could be a line of base64.
func isBase64(line []byte) bool {
	for _, c := range line {
		if base64Table[c] == stray || c == ' ' {
			return false
		}
	}
	return len(line) > 0
}

// tableBase64 decodes whole groups without padding; false at the first other character.
func tableBase64(dst, src []byte) (n int, ok bool) {
	for len(src) >= 4 && len(dst) >= 3 {
		x := base64Quad[0][src[0]] | base64Quad[1][src[1]] | base64Quad[2][src[2]] | base64Quad[3][src[3]]
		if x > 0xffffff {
			return n, false
		}
		dst[0], dst[1], dst[2] = byte(x>>16), byte(x>>8), byte(x)
		dst, src, n = dst[3:], src[4:], n+3
	}
	return n, len(src) == 0
}
