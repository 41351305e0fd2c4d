package mime

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"
)

// mailOf makes a mail with a text and one attachment of size bytes, in CRLF form.
func mailOf(size int) []byte {
	data := make([]byte, size)
	rnd := rand.NewChaCha8([32]byte{1})
	_, _ = rnd.Read(data)
	return mailOfData(data)
}

func mailOfData(data []byte) []byte {
	var b bytes.Buffer
	b.WriteString(crlf("From: Mairie de Mondaine <mairie@mondaine.example>\nTo: <factures@mondaine.example>\nSubject: =?UTF-8?Q?Facture_n=C2=B0_42?=\n" +
		"MIME-Version: 1.0\nMessage-ID: <1@mondaine.example>\nContent-Type: multipart/mixed; boundary=\"=_frontiere42\"\n\n--=_frontiere42\n" +
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("Veuillez trouver ci-joint la facture demand=C3=A9e.\n", 20) +
		"--=_frontiere42\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename*=iso-8859-15''factur%E9.pdf\n\n"))
	b.WriteString(wrap64(data) + "--=_frontiere42--\r\n")
	return b.Bytes()
}

func wrap64(data []byte) string {
	var b strings.Builder
	enc := base64.StdEncoding.EncodeToString(data)
	for len(enc) > 76 {
		b.WriteString(enc[:76] + "\r\n")
		enc = enc[76:]
	}
	return b.String() + enc + "\r\n"
}

func readAll(raw []byte) (int64, error) {
	m, err := Parse(spool{bytes.NewReader(raw), raw}, int64(len(raw)), nil)
	if err != nil {
		return 0, err
	}
	return drain(m)
}

func readWindow(raw []byte) (int64, error) {
	m, err := Parse(bytes.NewReader(raw), int64(len(raw)), nil)
	if err != nil {
		return 0, err
	}
	return drain(m)
}

func drain(m *Message) (int64, error) {
	var sum int64
	for p := range m.Parts() {
		if len(p.Children) > 0 {
			continue
		}
		r := p.Open()
		n, err := r.WriteTo(io.Discard)
		r.Close()
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

func readGoMessage(raw []byte) (int64, error) {
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		return 0, err
	}
	var sum int64
	for mr := e.MultipartReader(); ; {
		p, err := mr.NextPart()
		if err == io.EOF {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		n, err := io.Copy(io.Discard, p.Body)
		if err != nil {
			return sum, err
		}
		sum += n
	}
}

var readers = []struct {
	name string
	read func([]byte) (int64, error)
}{{"in-place", readAll}, {"window", readWindow}, {"go-message", readGoMessage}}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{10 << 10, 730 << 10} {
		raw := mailOf(size)
		for _, r := range readers {
			b.Run(fmt.Sprintf("%s/%dKB", r.name, len(raw)>>10), func(b *testing.B) {
				b.SetBytes(int64(len(raw)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := r.read(raw); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkRatio measures the walker and go-message in turns and prints how many times
// faster it is.
func BenchmarkRatio(b *testing.B) {
	raw := mailOf(730 << 10)
	best := [3]time.Duration{time.Hour, time.Hour, time.Hour}
	for b.Loop() {
		for i, r := range readers {
			start := time.Now()
			if _, err := r.read(raw); err != nil {
				b.Fatal(err)
			}
			best[i] = min(best[i], time.Since(start))
		}
	}
	for i, r := range readers[:2] {
		b.ReportMetric(float64(best[2])/float64(best[i]), r.name+"-times-faster")
	}
}
