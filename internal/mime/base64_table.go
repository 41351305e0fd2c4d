//go:build !amd64 && !arm64

package mime

func fastBase64(dst, src []byte) (n int, ok bool) { return tableBase64(dst, src) }
