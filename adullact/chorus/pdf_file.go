package chorus

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/ascii85"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
)

// pdfFile reads single objects of a PDF, as few as are needed: whatever the file holds
// besides costs nothing. All that it reads and unpacks is taken from one budget.
type pdfFile struct {
	ctx      context.Context
	ra       io.ReaderAt
	size     int64
	base     int64 // where the header stands; offsets count from there
	work     int64 // bytes that may still be read or unpacked
	sections []pdfSection
	trailer  pdfDict
	found    map[pdfRef]int64 // by repair
	unpacked map[pdfRef]*objectStream
	kept     int // bytes in unpacked
}

// pdfSection is one run of a cross-reference table or stream; entries are read when asked for.
type pdfSection struct {
	first, count int64
	at, width    int64  // a table: where in the file, and bytes of an entry
	rows         []byte // a stream: its entries
	w            [3]int // and the bytes of their columns
}

const maxPDFStream = 16 << 20 // unpacked

// Why a PDF is not read although it may be sound. The supplier can send it in another way.
var (
	errPDFWork   = errors.New("to read it takes too much work")
	errPDFLarge  = fmt.Errorf("a stream unpacks to more than %d bytes", maxPDFStream)
	errPDFFilter = errors.New("its streams are packed in a way that is not known here")
	errEncrypted = errors.New("it is encrypted: ask the supplier for the file without")
)

func (f *pdfFile) spend(n int) error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	if f.work -= int64(n); f.work < 0 {
		return errPDFWork
	}
	return nil
}

// window reads up to n bytes at an offset of the file.
func (f *pdfFile) window(at int64, n int) ([]byte, error) {
	if at < 0 || at >= f.size {
		return nil, errPDF
	}
	b := make([]byte, min(int64(n), f.size-at))
	if err := f.spend(len(b)); err != nil {
		return nil, err
	}
	if n, err := f.ra.ReadAt(b, at); n < len(b) {
		return nil, err
	}
	return b, nil
}

// parse reads what read wants at an offset, in a window that grows as needed.
func (f *pdfFile) parse(at int64, read func(l *pdfLexer) error) error {
	for n := 1 << 10; ; n *= 8 {
		b, err := f.window(at, n)
		if err != nil {
			return err
		}
		err = read(&pdfLexer{b: b})
		if !errors.Is(err, errPDFShort) || int64(len(b)) == f.size-at || n > 1<<20 {
			return err
		}
	}
}

// indirect reads the object "N G obj" at an offset.
func (f *pdfFile) indirect(at int64) (num pdfRef, o any, err error) {
	err = f.parse(at, func(l *pdfLexer) error {
		n, ok := l.integer()
		_, ok2 := l.integer()
		if !ok || !ok2 || !l.is("obj") {
			return errPDF
		}
		num = pdfRef(n)
		if o, err = l.object(); err != nil {
			return err
		}
		d, isDict := o.(pdfDict)
		if !isDict {
			return nil
		}
		l.space()
		if len(l.b)-l.i < len("stream\r\n") && at+int64(len(l.b)) < f.size {
			return errPDFShort
		}
		if l.is("stream") {
			if l.i < len(l.b) && l.b[l.i] == '\r' {
				l.i++
			}
			if l.i < len(l.b) && l.b[l.i] == '\n' {
				l.i++
			}
			o = pdfStream{d, at + int64(l.i)}
		}
		return nil
	})
	return num, o, err
}

// open reads the cross-references, newest first.
func (f *pdfFile) open() error {
	tail, err := f.window(max(0, f.size-2048), 2048)
	if err != nil {
		return err
	}
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 {
		return errPDF
	}
	l := &pdfLexer{b: tail, i: i + len("startxref")}
	at, ok := l.integer()
	if !ok {
		return errPDF
	}
	seen := map[int64]bool{}
	for todo := []int64{at}; len(todo) > 0; {
		at, todo = todo[0]+f.base, todo[1:]
		if seen[at] || len(seen) > 1000 {
			continue
		}
		seen[at] = true
		trailer, err := f.table(at)
		if err != nil {
			return err
		}
		if f.trailer == nil {
			f.trailer = trailer
		}
		for _, key := range []pdfName{"XRefStm", "Prev"} { // a file for old and new readers has both (7.5.8.4)
			if p, ok := trailer[key].(int64); ok {
				todo = append(todo, p)
			}
		}
	}
	return nil
}

// table reads a cross-reference table (7.5.4) or stream (7.5.8).
func (f *pdfFile) table(at int64) (pdfDict, error) {
	b, err := f.window(at, 64)
	if err != nil {
		return nil, err
	}
	l := &pdfLexer{b: b}
	if !l.is("xref") {
		return f.stream(at)
	}
	at += int64(l.i)
	for range 10_000 {
		b, err := f.window(at, 256)
		if err != nil {
			return nil, err
		}
		l := &pdfLexer{b: b}
		if l.is("trailer") {
			var d any
			err := f.parse(at+int64(l.i), func(l *pdfLexer) (err error) {
				d, err = l.object()
				return err
			})
			trailer, ok := d.(pdfDict)
			if err == nil && !ok {
				err = errPDF
			}
			return trailer, err
		}
		first, ok := l.integer()
		count, ok2 := l.integer()
		if !ok || !ok2 || count > f.size {
			return nil, errPDF
		}
		l.space()
		s := pdfSection{first: first, count: count, at: at + int64(l.i)}
		if count > 0 {
			// QUIRK: entries of 19 bytes, or 21, where 20 are due.
			entry := pdfEntry.Find(b[l.i:])
			if entry == nil {
				return nil, errPDF
			}
			s.width = int64(len(entry))
		}
		f.sections = append(f.sections, s)
		at = s.at + s.width*count
	}
	return nil, errPDF
}

var pdfEntry = regexp.MustCompile(`^\d{10} \d{5} [nf][ \r\n]*`)

func (f *pdfFile) stream(at int64) (pdfDict, error) {
	_, o, err := f.indirect(at)
	if err != nil {
		return nil, err
	}
	s, ok := o.(pdfStream)
	w, ok2 := s.pdfDict["W"].([]any)
	size, _ := s.pdfDict["Size"].(int64)
	if !ok || !ok2 || len(w) != 3 {
		return nil, errPDF
	}
	sec := pdfSection{}
	for i := range sec.w {
		n, _ := w[i].(int64)
		if n < 0 || n > 8 {
			return nil, errPDF
		}
		sec.w[i] = int(n)
	}
	rows, err := f.content(s)
	if err != nil {
		return nil, err
	}
	index, ok := s.pdfDict["Index"].([]any)
	if !ok {
		index = []any{int64(0), size}
	}
	width := sec.w[0] + sec.w[1] + sec.w[2]
	for i := 0; i+1 < len(index) && width > 0; i += 2 {
		sec.first, _ = index[i].(int64)
		n, _ := index[i+1].(int64)
		sec.count = max(0, min(n, int64(len(rows)/width)))
		sec.rows, rows = rows[:int(sec.count)*width], rows[int(sec.count)*width:]
		f.sections = append(f.sections, sec)
	}
	return s.pdfDict, nil
}

// object returns the object of that number, nil if there is none.
func (f *pdfFile) object(n pdfRef) (any, error) {
	if at, ok := f.found[n]; ok {
		_, o, err := f.indirect(at)
		return o, err
	}
	for i := range f.sections {
		s := &f.sections[i]
		k := int64(n) - s.first
		if k < 0 || k >= s.count {
			continue
		}
		if s.rows == nil {
			b, err := f.window(s.at+k*s.width, 18)
			if err != nil {
				return nil, err
			}
			l := &pdfLexer{b: b}
			at, ok := l.integer()
			if _, ok2 := l.integer(); !ok || !ok2 {
				return nil, errPDF
			}
			if l.is("f") {
				continue
			}
			return f.at(n, at)
		}
		var v [3]int64
		if s.w[0] == 0 {
			v[0] = 1
		}
		row := s.rows[int(k)*(s.w[0]+s.w[1]+s.w[2]):]
		for c := range v {
			for range s.w[c] {
				v[c] = v[c]<<8 | int64(row[0])
				row = row[1:]
			}
		}
		switch v[0] {
		case 1:
			return f.at(n, v[1])
		case 2:
			return f.packed(n, pdfRef(v[1]))
		}
	}
	return nil, nil
}

func (f *pdfFile) at(n pdfRef, at int64) (any, error) {
	num, o, err := f.indirect(at + f.base)
	if err == nil && num != n {
		err = errPDF
	}
	return o, err
}

// objectStream is an object stream unpacked (7.5.7).
type objectStream struct {
	b  []byte
	at map[pdfRef]int
}

func (f *pdfFile) packed(n, in pdfRef) (any, error) {
	s, err := f.objects(in)
	if err != nil {
		return nil, err
	}
	at, ok := s.at[n]
	if !ok {
		return nil, errPDF
	}
	l := &pdfLexer{b: s.b, i: at}
	return l.object()
}

func (f *pdfFile) objects(in pdfRef) (*objectStream, error) {
	if s := f.unpacked[in]; s != nil {
		return s, nil
	}
	if f.unpacked == nil || f.kept > maxPDFStream {
		f.unpacked, f.kept = map[pdfRef]*objectStream{}, 0
	}
	f.unpacked[in] = &objectStream{} // an object stream does not lie in an object stream
	o, err := f.object(in)
	if err != nil {
		return nil, err
	}
	st, ok := o.(pdfStream)
	first, ok2 := st.pdfDict["First"].(int64)
	count, _ := st.pdfDict["N"].(int64)
	if !ok || !ok2 || count > 1<<20 {
		return nil, errPDF
	}
	b, err := f.content(st)
	if err != nil {
		return nil, err
	}
	s := &objectStream{b: b, at: map[pdfRef]int{}}
	l := &pdfLexer{b: b}
	for range count {
		n, ok := l.integer()
		at, ok2 := l.integer()
		if !ok || !ok2 || first+at < 0 || first+at >= int64(len(b)) {
			break
		}
		s.at[pdfRef(n)] = int(first + at)
	}
	f.unpacked[in] = s
	f.kept += len(b) + 64*len(s.at)
	return s, nil
}

// resolve follows references to an object.
func (f *pdfFile) resolve(o any) (any, error) {
	for range 10 {
		ref, ok := o.(pdfRef)
		if !ok {
			return o, nil
		}
		var err error
		if o, err = f.object(ref); err != nil {
			return nil, err
		}
	}
	return nil, errPDF
}

func (f *pdfFile) dict(o any) (pdfDict, error) {
	o, err := f.resolve(o)
	d, _ := o.(pdfDict)
	return d, err
}

func (f *pdfFile) list(o any) ([]any, error) {
	o, err := f.resolve(o)
	l, ok := o.([]any)
	if !ok && o != nil {
		l = []any{o}
	}
	return l, err
}

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
