package p7m

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

var (
	// ErrNotMine is the answer to what holds no content: another kind of file, a detached
	// signature (.p7s), a bag of certificates (.p7b), a timestamp.
	ErrNotMine = errors.New("no wrapped content")

	// ErrEncrypted is the answer to enveloped data: only its recipient can open it.
	ErrEncrypted = errors.New("the content is encrypted: its recipient has to decrypt it")

	// ErrDamaged is what errors about the bytes wrap.
	ErrDamaged = errors.New("the S/MIME data are damaged")
)

// object identifiers, encoded
var (
	oidData       = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}             // RFC 5652 section 4
	oidSigned     = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}             // section 5
	oidEnveloped  = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03}             // section 6
	oidEncrypted  = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06}             // section 8
	oidAuthEnvel  = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x17} // RFC 5083
	beginsWith    = append([]byte{0x06, byte(len(oidData))}, oidData[:8]...)                 // of the first three
	beginsWithAuE = append([]byte{0x06, byte(len(oidAuthEnvel))}, oidAuthEnvel...)           // of the last
	pemBegins     = [][]byte{[]byte("-----BEGIN PKCS7-----"), []byte("-----BEGIN CMS-----"), []byte("-----BEGIN PKCS #7 SIGNED DATA-----")}
)

// Head is how many bytes Sniff wants to see.
const Head = 256

// Sniff tells whether a file that begins with head may be of this kind.
func Sniff(head []byte) bool {
	if isBER(head) {
		return true
	}
	head = bytes.TrimLeft(head, "\r\n\t \ufeff")
	for _, p := range pemBegins {
		if bytes.HasPrefix(head, p) {
			return true
		}
	}
	if len(head) < 32 || head[0] != 'M' { // base64 of 0x30
		return false
	}
	b := make([]byte, 48)
	n, _ := io.ReadFull(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(head)), b)
	return isBER(b[:n])
}

// isBER looks at ContentInfo: a sequence that begins with one of the identifiers.
func isBER(b []byte) bool {
	if len(b) < 20 || b[0] != 0x30 {
		return false
	}
	i := 2
	if b[1] > 0x80 {
		i += int(b[1] & 0x7f)
	}
	return i <= 6 && (bytes.HasPrefix(b[i:], beginsWith) && b[i+len(beginsWith)] >= 1 && b[i+len(beginsWith)] <= 6 || bytes.HasPrefix(b[i:], beginsWithAuE))
}

// Open gives the content that is wrapped in r. Errors wrap [ErrNotMine], [ErrEncrypted] or
// [ErrDamaged], or are r's. What the Reader gives is whole only if it ends with io.EOF.
func Open(r io.Reader) (io.Reader, error) {
	br := bufio.NewReaderSize(r, 4096)
	if c, err := br.Peek(20); err != nil && err != io.EOF {
		return nil, err
	} else if !isBER(c) {
		if br, err = armored(br); err != nil {
			return nil, err
		}
	}
	w := &walker{r: br}
	if err := w.enter(); err != nil {
		return nil, err
	}
	return &content{w: w}, nil
}

// armored undoes PEM and base64.
func armored(br *bufio.Reader) (*bufio.Reader, error) {
	for {
		c, err := br.Peek(1)
		if err != nil {
			return nil, ended(err)
		}
		switch c[0] {
		case '\r', '\n', '\t', ' ', 0xef, 0xbb, 0xbf:
			br.Discard(1)
			continue
		case '-':
			if _, err := br.ReadSlice('\n'); err != nil {
				return nil, ErrNotMine
			}
		}
		return bufio.NewReaderSize(base64.NewDecoder(base64.StdEncoding, &untilDash{r: br}), 4096), nil
	}
}

// untilDash ends before "-----END", and passes blanks over, which the decoder would not.
type untilDash struct {
	r    *bufio.Reader
	done bool
}

func (u *untilDash) Read(p []byte) (int, error) {
	for {
		if u.done {
			return 0, io.EOF
		}
		n, err := u.r.Read(p)
		if i := bytes.IndexByte(p[:n], '-'); i >= 0 {
			n, u.done = i, true
		}
		k := 0
		for _, c := range p[:n] {
			if c != ' ' && c != '\t' {
				p[k] = c
				k++
			}
		}
		if k > 0 || err != nil {
			return k, err
		}
	}
}

// ended makes a sudden end an error that says so.
func ended(err error) error {
	var bad base64.CorruptInputError
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: they end too early", ErrDamaged)
	}
	if errors.As(err, &bad) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}
