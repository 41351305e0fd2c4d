package chorus

import (
	"encoding/base64"
	"fmt"
	"io"
)

// junk is a character within base64 that is none of it.
type junk struct{ offset int64 }

func (j *junk) Error() string { return fmt.Sprintf("character %d is no base64", j.offset) }

// Classes of characters: below 64 the alphabet of RFC 4648 section 4.
const (
	isSpace = 64 + iota
	isPad
	isJunk
)

var class = func() (t [256]byte) {
	for i := range t {
		t[i] = isJunk
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = byte(i)
	}
	t[' '], t['\t'], t['\r'], t['\n'], t['='] = isSpace, isSpace, isSpace, isSpace, isPad
	return t
}()

// decodeBase64 writes to w what r says in base64. White space may stand anywhere and the
// padding may be missing; buf is room to work in.
func decodeBase64(w io.Writer, r io.Reader, buf []byte) error {
	in, out := buf[:len(buf)/2], buf[len(buf)/2:]
	kept, offset := 0, int64(0) // of in; of what was read
	ended := false              // padding was seen
	for {
		n, err := r.Read(in[kept:])
		if n > 0 {
			to := kept
			for i, c := range in[kept : kept+n] {
				switch k := class[c]; {
				case k < 64 && !ended:
					in[to] = c
					to++
				case k == isSpace:
				case k == isPad:
					ended = true
				default:
					return &junk{offset + int64(i)}
				}
			}
			offset += int64(n)
			whole := to &^ 3
			m, _ := base64.RawStdEncoding.Decode(out, in[:whole])
			if _, err := w.Write(out[:m]); err != nil {
				return err
			}
			kept = copy(in, in[whole:to])
		}
		if err == io.EOF {
			if kept == 1 {
				return &junk{offset}
			}
			m, _ := base64.RawStdEncoding.Decode(out, in[:kept])
			_, err := w.Write(out[:m])
			return err
		}
		if err != nil {
			return err
		}
	}
}
