package tnef

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// utf16le reads little-endian UTF-16 up to its zero.
func utf16le(b []byte) string {
	u := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		c := uint16(b[i]) | uint16(b[i+1])<<8
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}

// decode reads text of a Windows code page.
//
// QUIRK: Exchange names code page 1252 and writes UTF-8 now and then; what is valid UTF-8
// is hardly anything else.
func decode(b []byte, page int) string {
	if utf8.Valid(b) {
		return string(b)
	}
	e := codePage(page)
	if e == nil {
		e = charmap.Windows1252
	}
	s, err := e.NewDecoder().Bytes(b)
	if err != nil {
		s, _ = charmap.Windows1252.NewDecoder().Bytes(b)
	}
	return string(s)
}

func codePage(page int) encoding.Encoding {
	switch page {
	case 932:
		return japanese.ShiftJIS
	case 936:
		return simplifiedchinese.GBK
	case 949:
		return korean.EUCKR
	case 950:
		return traditionalchinese.Big5
	}
	for _, name := range []string{"windows-%d", "IBM%03d", "cp%d"} {
		if e, err := ianaindex.IANA.Encoding(fmt.Sprintf(name, page)); err == nil && e != nil {
			return e
		}
	}
	return nil
}
