package chorus

import (
	"bytes"
	"regexp"
)

// pdfSection is one run of a cross-reference table or stream; entries are read when asked for.
type pdfSection struct {
	first, count int64
	at, width    int64  // a table: where in the file, and bytes of an entry
	rows         []byte // a stream: its entries
	w            [3]int // and the bytes of their columns
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
