package mailstack

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
)

var utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// encodeUTF7 writes a folder name as RFC 3501 section 5.1.3 wants it.
func encodeUTF7(s string) string {
	var b strings.Builder
	var run []rune
	flush := func() {
		if len(run) == 0 {
			return
		}
		var u []byte
		for _, c := range utf16.Encode(run) {
			u = append(u, byte(c>>8), byte(c))
		}
		b.WriteString("&" + utf7.EncodeToString(u) + "-")
		run = nil
	}
	for _, r := range s {
		switch {
		case r == '&':
			flush()
			b.WriteString("&-")
		case r >= 0x20 && r < 0x7f:
			flush()
			b.WriteRune(r)
		default:
			run = append(run, r)
		}
	}
	flush()
	return b.String()
}

func decodeUTF7(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			return b.String() + s
		}
		b.WriteString(s[:i])
		code, rest, _ := strings.Cut(s[i+1:], "-")
		s = rest
		if code == "" {
			b.WriteByte('&')
			continue
		}
		u, err := utf7.DecodeString(code)
		if err != nil {
			b.WriteString("&" + code + "-")
			continue
		}
		var c []uint16
		for j := 0; j+1 < len(u); j += 2 {
			c = append(c, uint16(u[j])<<8|uint16(u[j+1]))
		}
		b.WriteString(string(utf16.Decode(c)))
	}
}
