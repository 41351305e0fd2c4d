package launcher

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/pop3"
)

// popStream is the body of a large mail. When the connection is lost, it asks for the mail
// again over a new one and goes on behind the bytes that were given, if they come again.
type popStream struct {
	s    *popSession
	key  string
	head []byte // read already
	body *pop3.Body

	sum   hash.Hash // of what was given
	given int64
	mends int
	err   error
}

func newPopStream(s *popSession, key string, head []byte, body *pop3.Body) *popStream {
	return &popStream{s: s, key: key, head: head, body: body, sum: sha256.New()}
}

// Read gives io.EOF only after the final dot. What broke off matches io.ErrUnexpectedEOF, or
// is of class poison if the server is there and breaks off again and again.
func (b *popStream) Read(p []byte) (int, error) {
	for b.err == nil {
		if len(p) == 0 {
			return 0, nil
		}
		n, err := 0, error(nil)
		if len(b.head) > 0 {
			n = copy(p, b.head)
			b.head = b.head[n:]
		} else {
			n, err = b.body.Read(p)
		}
		b.given += int64(n)
		b.sum.Write(p[:n])
		if err == io.EOF {
			b.err = io.EOF
		} else if err != nil {
			b.mend(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// mend goes on over another connection, or sets err.
func (b *popStream) mend(why error) {
	for ; b.mends < mostMends; b.mends++ {
		why = b.s.lost("retr", why)
		if err := b.s.ready(); err != nil {
			b.err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
			return
		}
		again, err := b.again()
		if err == nil && again {
			b.mends++
			return
		}
		if err == nil {
			b.err = fmt.Errorf("%w: the mail is not there any more, or another one: %w", io.ErrUnexpectedEOF, why)
			return
		}
		why = err
	}
	b.s.lost("retr", why)
	if b.s.ready() != nil {
		b.err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, why)
		return
	}
	// It is blamed, or every run would end at this mail.
	b.err = errPOP3("retr", vaguemestre.ClassPoison,
		"the connection breaks over this mail, now after %d bytes, while the server answers otherwise: look at it with a mail program", b.given)
}

// again asks for the mail and passes over what was given, reporting whether it came again.
func (b *popStream) again() (bool, error) {
	numbers := b.s.numbers[b.key]
	if len(numbers) == 0 {
		return false, nil
	}
	r, err := b.s.c.Do("RETR " + strconv.Itoa(numbers[0]))
	if err != nil || !r.OK {
		return false, err
	}
	b.body = b.s.c.Body()
	sum := sha256.New()
	n, err := io.CopyN(sum, b.body, b.given)
	if err != nil && err != io.EOF {
		return false, err
	}
	return n == b.given && bytes.Equal(sum.Sum(nil), b.sum.Sum(nil)), nil
}
