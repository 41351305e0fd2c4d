package chorus

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// repair finds objects without cross-references: every "N G obj" of the file, the last of
// each number counting, and what object streams hold; then the specification among them.
func (f *pdfFile) repair() (name string, spec pdfDict, err error) {
	f.sections, f.unpacked, f.found = nil, nil, map[pdfRef]int64{}
	const step, overlap = 256 << 10, 64
	for at := int64(0); at < f.size; at += step {
		from := max(0, at-overlap)
		b, err := f.window(from, int(at-from)+step)
		if err != nil {
			return "", nil, err
		}
		f.headers(b, from)
	}
	if len(f.found) == 0 {
		return "", nil, fmt.Errorf("%w: it holds no object", errPDF)
	}
	best := len(embedded)
	look := func(o any) {
		if d, ok := o.(pdfDict); ok {
			if n, k := f.named(d); k < best {
				name, spec, best = n, d, k
			}
		}
	}
	newest := slices.SortedFunc(maps.Keys(f.found), func(a, b pdfRef) int { return cmp.Compare(f.found[b], f.found[a]) })
	for _, n := range newest {
		o, err := f.object(n)
		switch {
		case errors.Is(err, errPDFWork) || f.ctx.Err() != nil:
			return "", nil, err
		case err != nil:
			continue
		}
		look(o)
		s, ok := o.(pdfStream)
		if !ok || s.pdfDict["Type"] != pdfName("ObjStm") {
			continue
		}
		held, err := f.objects(n)
		if err != nil {
			continue
		}
		for _, k := range slices.Sorted(maps.Keys(held.at)) {
			l := &pdfLexer{b: held.b, i: held.at[k]}
			if o, err := l.object(); err == nil {
				look(o)
			}
		}
	}
	return name, spec, nil
}

// headers notes where objects begin in b, which lies at from.
func (f *pdfFile) headers(b []byte, from int64) {
	number := func(i int) int { // where the number begins that ends before i and its white space
		end := i
		for i > 0 && pdfSpace(b[i-1]) {
			i--
		}
		last := i
		for i > 0 && last-i < 10 && b[i-1] >= '0' && b[i-1] <= '9' {
			i--
		}
		if last == end || i == last {
			return -1
		}
		return i
	}
	for i := 0; ; i++ {
		k := bytes.Index(b[i:], []byte("obj"))
		if k < 0 || len(f.found) >= 500_000 {
			return
		}
		i += k
		if g := number(i); g > 0 {
			if at := number(g); at >= 0 {
				n, _ := (&pdfLexer{b: b, i: at}).integer()
				f.found[pdfRef(n)] = from + int64(at)
			}
		}
	}
}
