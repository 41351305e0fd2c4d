package mime

import "bytes"

const qpChunk = 8 << 10 // of a line longer than that

// quoted decodes the next line of raw, or a piece of a long one, and appends it to out;
// it returns how much of raw is used, 0 if the line's end is not in raw and last is
// false. Line ends stay as they are. RFC 2045 section 6.7.
func quoted(out, raw []byte, last bool, repair func(string)) ([]byte, int) {
	e := bytes.IndexByte(raw[:min(len(raw), qpChunk)], '\n')
	line, eol, used := raw, []byte(nil), len(raw)
	switch {
	case e >= 0:
		used = e + 1
		line, eol = raw[:e], raw[e:used]
		if e > 0 && line[e-1] == '\r' {
			line, eol = raw[:e-1], raw[e-1:used]
		}
	case len(raw) >= qpChunk:
		// No line end in sight: stop where neither "=XX" nor blanks are cut.
		used = qpChunk
		for used > qpChunk-4 && raw[used-1] != '=' && raw[used-2] != '=' {
			used--
		}
		for used > 1 && (raw[used-1] == '=' || raw[used-2] == '=') {
			used--
		}
		for b := used; b > 1; b-- {
			if raw[b-1] != ' ' && raw[b-1] != '\t' {
				if b > qpChunk/2 {
					used = b
				}
				break
			}
		}
		if used < 2 { // nothing but "="
			used = qpChunk
		}
		return unquote(out, raw[:used], repair), used
	case !last:
		return out, 0
	}
	line = bytes.TrimRight(line, " \t") // rule 3: added on the way
	if n := len(line); n > 0 && line[n-1] == '=' {
		line, eol = line[:n-1], nil // rule 5: soft line break
	}
	return append(unquote(out, line, repair), eol...), used
}

func unquote(out, line []byte, repair func(string)) []byte {
	for {
		i := bytes.IndexByte(line, '=')
		if i < 0 {
			return append(out, line...)
		}
		out = append(out, line[:i]...)
		line = line[i+1:]
		switch {
		case len(line) >= 2 && isHex(line[0]) && isHex(line[1]):
			out = append(out, unhex(line[0])<<4|unhex(line[1]))
			line = line[2:]
		case len(line) > 0 && line[0] == '\r': // QUIRK: lines that end with a bare CR
			line = line[1:]
		default:
			repair("quoted-printable: stray \"=\" kept")
			out = append(out, '=')
		}
	}
}
