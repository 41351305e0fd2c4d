package chorus

import (
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/hex"
	"errors"
	"io"
)

// content unpacks a stream.
func (f *pdfFile) content(s pdfStream) ([]byte, error) {
	filters, err := f.list(s.pdfDict["Filter"])
	if err != nil {
		return nil, err
	}
	params, err := f.list(s.pdfDict["DecodeParms"])
	if err != nil {
		return nil, err
	}
	if len(filters) > 4 {
		return nil, errPDF
	}
	length, err := f.length(s, len(filters) > 0)
	if err != nil {
		return nil, err
	}
	var r io.Reader = io.NewSectionReader(f.ra, s.at, length)
	for i, o := range filters {
		name, _ := o.(pdfName)
		switch name {
		case "FlateDecode", "Fl":
			z, err := zlib.NewReader(r)
			if err != nil {
				return nil, errPDF
			}
			r = z
		case "ASCIIHexDecode", "AHx":
			r = hex.NewDecoder(&until{r: r, end: '>'})
		case "ASCII85Decode", "A85":
			r = ascii85.NewDecoder(&until{r: r, end: '~'})
		default:
			return nil, errPDFFilter
		}
		if i < len(params) {
			p, err := f.dict(params[i])
			if err != nil {
				return nil, err
			}
			if kind, _ := p["Predictor"].(int64); kind >= 10 {
				columns, _ := p["Columns"].(int64)
				r = &predicted{r: r, row: make([]byte, max(1, min(columns, 4096))+1)}
			} else if kind == 2 {
				return nil, errPDFFilter
			}
		}
	}
	var b bytes.Buffer
	if _, err := io.Copy(&spender{f, &b}, io.LimitReader(r, maxPDFStream+1)); err != nil && !errors.Is(err, zlib.ErrChecksum) {
		if errors.Is(err, errPDFWork) || f.ctx.Err() != nil {
			return nil, err
		}
		return nil, errPDF
	}
	if b.Len() > maxPDFStream {
		return nil, errPDFLarge
	}
	return b.Bytes(), nil
}

type spender struct {
	f *pdfFile
	w io.Writer
}

func (s *spender) Write(p []byte) (int, error) {
	if err := s.f.spend(len(p)); err != nil {
		return 0, err
	}
	return s.w.Write(p)
}

// length is how long a stream is. What is packed knows its own end, so that a wrong Length
// does no harm there.
func (f *pdfFile) length(s pdfStream, packed bool) (int64, error) {
	rest := f.size - s.at
	if packed {
		return rest, nil
	}
	o, err := f.resolve(s.pdfDict["Length"])
	if err != nil {
		return 0, err
	}
	n, ok := o.(int64)
	if !ok || n < 0 || n > rest {
		return 0, errPDF
	}
	return n, nil
}

// until ends before a byte and leaves white space out.
type until struct {
	r     io.Reader
	end   byte
	ended bool
}

func (u *until) Read(p []byte) (int, error) {
	if u.ended {
		return 0, io.EOF
	}
	n, err := u.r.Read(p)
	to := 0
	for _, c := range p[:n] {
		if c == u.end {
			u.ended = true
			break
		}
		if !pdfSpace(c) {
			p[to] = c
			to++
		}
	}
	return to, err
}

// predicted undoes the PNG predictors of one byte a pixel (7.4.4.4), which cross-reference
// streams have.
type predicted struct {
	r     io.Reader
	row   []byte // the kind, and the row
	prior []byte
	ready []byte
}

func (d *predicted) Read(p []byte) (int, error) {
	if len(d.ready) == 0 {
		if d.prior == nil {
			d.prior = make([]byte, len(d.row)-1)
		}
		if _, err := io.ReadFull(d.r, d.row); err != nil {
			return 0, io.EOF // what is left of a row is nothing
		}
		cur := d.row[1:]
		for i := range cur {
			var left, upLeft byte
			if i > 0 {
				left, upLeft = cur[i-1], d.prior[i-1]
			}
			switch d.row[0] {
			case 1:
				cur[i] += left
			case 2:
				cur[i] += d.prior[i]
			case 3:
				cur[i] += byte((int(left) + int(d.prior[i])) / 2)
			case 4:
				cur[i] += paeth(left, d.prior[i], upLeft)
			}
		}
		copy(d.prior, cur)
		d.ready = d.prior
	}
	n := copy(p, d.ready)
	d.ready = d.ready[n:]
	return n, nil
}

// paeth is the predictor of that name (RFC 2083, 6.6).
func paeth(a, b, c byte) byte {
	abs := func(v int) int { return max(v, -v) }
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}
