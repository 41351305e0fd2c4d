package mime

import "bytes"

// uuState is where in a uuencoded body the decoder is.
type uuState struct{ begun, done bool }

// line decodes one line without its end. POSIX uuencode, traditional form.
func (st *uuState) line(out, line []byte, repair func(string)) []byte {
	line = bytes.TrimRight(line, "\r\n")
	switch {
	case st.done:
		return out
	case !st.begun:
		st.begun = bytes.HasPrefix(line, []byte("begin "))
		return out
	case len(line) == 0:
		return out
	case string(line) == "end":
		st.done = true
		return out
	}
	n := int(line[0]-' ') & 63
	data := line[1:]
	if line[0] < ' ' || line[0] > '`' {
		repair("uuencode: stray line left out")
		return out
	}
	for n > 0 {
		var g [4]byte
		for i := range g {
			if i < len(data) {
				if data[i] < ' ' || data[i] > '`' {
					repair("uuencode: stray characters")
				}
				g[i] = (data[i] - ' ') & 63 // missing blanks at a line's end are zeros
			}
		}
		b := [3]byte{g[0]<<2 | g[1]>>4, g[1]<<4 | g[2]>>2, g[2]<<6 | g[3]}
		k := min(n, 3)
		out, n = append(out, b[:k]...), n-k
		data = data[min(4, len(data)):]
	}
	return out
}
