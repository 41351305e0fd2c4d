//go:build amd64 || arm64

package mime

import "github.com/segmentio/asm/base64"

// fastBase64 decodes whole groups without padding with the processor's vector
// instructions; false at the first other character.
func fastBase64(dst, src []byte) (n int, ok bool) {
	n, err := base64.RawStdEncoding.Decode(dst, src)
	return n, err == nil
}
