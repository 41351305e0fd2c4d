package chorus

import (
	"context"
	"errors"
	"fmt"
	"io"
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
