package helios

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// children calls visit at the Start of each element within the one that the scanner stands
// at, and goes to its End.
func (d *decoder) children(visit func(name string)) {
	depth := d.s.Depth()
	for d.err == nil && d.s.Next() {
		switch {
		case d.s.Kind() == xmlscan.End && d.s.Depth() < depth:
			return
		case d.s.Kind() == xmlscan.Start && d.s.Depth() == depth+1:
			visit(d.s.Local())
			if d.s.Kind() == xmlscan.End && d.s.Depth() < depth {
				return
			}
		case d.s.Kind() == xmlscan.Text && !d.foreign:
			d.deviateHere("it holds text, where the schema wants an attribute V or elements")
		}
	}
}

// value reads a leaf: <NomFic V="…"/>, or its text where V is missing.
func (d *decoder) value() string {
	for _, a := range d.s.Attrs() {
		if a.Local == "V" {
			return d.short(a.Value)
		}
	}
	depth, v := d.s.Depth(), ""
	for d.s.Next() && (d.s.Kind() != xmlscan.End || d.s.Depth() >= depth) {
		if d.s.Kind() == xmlscan.Text && d.s.Depth() == depth && v == "" {
			b, _ := io.ReadAll(io.LimitReader(d.s.TextReader(), maxValue+utf8.UTFMax))
			v = strings.ToValidUTF8(strings.TrimSpace(string(b)), "\uFFFD")
		}
	}
	if v != "" {
		// QUIRK: <CarteAchatNiveau1>false</CarteAchatNiveau1>
		d.deviate(d.leaf(), "the value is text, not an attribute V")
	}
	return d.short(v)
}

// short bounds a value that is kept.
func (d *decoder) short(v string) string {
	if len(v) > maxValue {
		d.deviateHere("the value is too long and was cut")
		v = cut(v, maxValue)
	}
	d.room -= len(v)
	return v
}

// cut shortens v to n bytes, between characters.
func cut(v string, n int) string {
	if len(v) <= n {
		return v
	}
	for n > 0 && !utf8.RuneStart(v[n]) {
		n--
	}
	return strings.Clone(v[:n])
}

// take asks for room for one more item of the summary.
func (d *decoder) take(price int) bool {
	if d.room < price {
		if !d.full {
			d.full = true
			d.deviate("", "the summary is full: what follows is counted, and only documents are listed further")
		}
		return false
	}
	d.room -= price
	return true
}

// path names the open elements below the root.
func (d *decoder) path() string {
	_, path, _ := strings.Cut(d.s.Path(), "/")
	return path
}

// leaf names the element whose Start or End the scanner stands at.
func (d *decoder) leaf() string {
	if d.s.Kind() == xmlscan.Start {
		return d.path()
	}
	return strings.TrimPrefix(d.path()+"/"+d.s.Local(), "/")
}

func (d *decoder) deviateHere(reason string) { d.deviate(d.path(), reason) }

func (d *decoder) deviate(path, reason string) {
	key := path + "\x00" + reason
	if d.told[key] || len(d.f.Deviations) > maxDeviations {
		return
	}
	if len(d.f.Deviations) == maxDeviations {
		path, reason = "", "there are more deviations, which are not listed"
	}
	d.told[key] = true
	d.f.Deviations = append(d.f.Deviations, Deviation{Path: cut(path, 300), Reason: reason})
}
