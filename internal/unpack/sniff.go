package unpack

import (
	"bytes"
	"encoding/binary"

	"github.com/vaguemestre/vaguemestre/internal/p7m"
	"github.com/vaguemestre/vaguemestre/internal/tnef"
)

// Head is how many bytes of a file Sniff wants to see.
const Head = 512

// Sniff tells by its first bytes what container a file may be; "" for none. Names and
// labels lie and are not asked.
func Sniff(head []byte) Kind {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")), bytes.HasPrefix(head, []byte("PK\x07\x08PK")):
		return Zip
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}): // RFC 1952 section 2.3.1: the only method
		return Gzip
	case len(head) >= 6 && binary.LittleEndian.Uint32(head) == tnef.Signature:
		return TNEF
	case isTar(head):
		return Tar
	case p7m.Sniff(head):
		return P7M
	}
	return ""
}

// isTar checks the sum of the first header: old archives have no other sign.
func isTar(head []byte) bool {
	if len(head) < 512 || head[0] == 0 {
		return false
	}
	field := bytes.Trim(head[148:156], " \x00")
	var want, sum, signed int64
	if len(field) == 0 {
		return false
	}
	for _, c := range field {
		if c < '0' || c > '7' {
			return false
		}
		want = want<<3 | int64(c-'0')
	}
	for i, c := range head[:512] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum, signed = sum+int64(c), signed+int64(int8(c)) // QUIRK: old ones sum signed bytes
	}
	return want == sum || want == signed
}
