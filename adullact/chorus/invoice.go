package chorus

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre/adullact/payload"
)

type amount = payload.Amount

// begin opens the next invoice.
func (r *reader) begin() {
	r.o.used.invoices++
	r.flow.Invoices = append(r.flow.Invoices, Invoice{})
	r.inv, r.nth, r.ids, r.process = last(r.flow.Invoices), 0, [2][]identifier{}, ""
}

// finish fills in what follows from the rest, and leaves out what nobody asked for.
func (r *reader) finish() {
	inv := r.inv
	if inv == nil {
		return
	}
	if best, ok := choose(r.ids[supplier]); ok {
		inv.Supplier.ID, inv.Supplier.IDType = best.value, idType(best.scheme, best.value)
	}
	if best, ok := choose(r.ids[recipient]); ok {
		inv.Recipient.SIRET = best.value
	}
	inv.Supplier.IDType = strings.TrimLeft(inv.Supplier.IDType, "0")
	if inv.Cadre == "" {
		// QUIRK: producers of CII put the cadre where the guideline belongs.
		for _, v := range []string{r.process, r.flow.Profile} {
			if cadres.MatchString(v) {
				inv.Cadre = v
				break
			}
		}
	}
	inv.TypeLabel = typeLabels[inv.Type]
	r.check(inv)
	if !r.o.Personal {
		inv.IBAN = ""
		inv.Supplier = public(inv.Supplier)
	}
	r.inv = nil
}

// public is a party without what tells who a natural person is.
func public(p Party) Party {
	if p.IDType == "7" {
		p.ID, p.Name, p.VAT = "", "", ""
	}
	return p
}

func addVAT(r *reader) {
	if len(r.inv.VATLines) < maxList {
		r.inv.VATLines = append(r.inv.VATLines, VATLine{})
	} else {
		r.deviate(&r.inv.Deviations, "vat_lines", fmt.Sprintf("more than %d: the others are left out", maxList))
	}
}

// Parties of an invoice that have several identifiers.
const (
	supplier = iota
	recipient
)

// party takes one of the identifiers of a party, legal the one that it is registered under.
func party(who int) func(*reader, string) {
	return func(r *reader, v string) {
		if len(r.ids[who]) < 100 {
			r.ids[who] = append(r.ids[who], identifier{r.attr("schemeID"), v})
		}
	}
}

func legal(who int) func(*reader, string) {
	return func(r *reader, v string) {
		if len(r.ids[who]) < 100 {
			r.ids[who] = append([]identifier{{r.attr("schemeID"), v}}, r.ids[who]...)
		}
	}
}

// choose prefers a SIRET, then the number that the party is registered under.
func choose(ids []identifier) (identifier, bool) {
	for _, id := range ids {
		if idType(id.scheme, id.value) == "1" {
			return id, true
		}
	}
	if len(ids) == 0 {
		return identifier{}, false
	}
	return ids[0], true
}

// idType is Party.IDType for an identifier of a scheme: one of Chorus Pro's own, or one of
// ISO 6523, where 0002 is SIREN and 0009 SIRET.
func idType(scheme, value string) string {
	switch strings.TrimLeft(scheme, "0") {
	case "1", "9", "SIRET":
		return "1"
	case "2":
		if scheme != "0002" {
			return "2"
		}
		if digits(value, 14) { // QUIRK: a SIRET under the number of SIREN
			return "1"
		}
		return "SIREN"
	case "":
		if digits(value, 14) {
			return "1"
		}
		return ""
	}
	return scheme
}

func digits(v string, n int) bool { return len(v) == n && strings.Trim(v, "0123456789") == "" }

// Cadres of Chorus Pro, A1 to A25, and of the reform of 2026.
var cadres = regexp.MustCompile(`^(?:A(?:[1-9]|1[0-9]|2[0-5])|[BSM][1-9])$`)

// typeLabels are the types of UNTDID 1001 that invoices have, in Pastell's two words.
var typeLabels = map[string]string{
	"380": "FACTURE", "384": "FACTURE", "386": "FACTURE", "389": "FACTURE", "393": "FACTURE", "326": "FACTURE", "383": "FACTURE", "751": "FACTURE",
	"381": "AVOIR", "396": "AVOIR", "261": "AVOIR", "262": "AVOIR", "502": "AVOIR", "503": "AVOIR",
}

// check lists what is against the norm. Paths are those of the JSON form.
func (r *reader) check(inv *Invoice) {
	bad := func(path, reason string) { r.deviate(&inv.Deviations, path, reason) }
	cpp := r.flow.Format == FormatPivot || r.flow.Format == FormatMixte
	if inv.Number == "" {
		bad("number", "missing")
	}
	if cpp && len([]rune(inv.Number)) > 20 {
		bad("number", "longer than 20 characters")
	}
	switch {
	case inv.Type == "":
		bad("type", "missing")
	case inv.TypeLabel == "":
		bad("type", fmt.Sprintf("%.40q is no type of invoice", inv.Type))
	}
	if inv.Date == "" {
		bad("date", "missing")
	}
	for _, d := range []struct {
		path string
		at   *string
	}{{"date", &inv.Date}, {"due", &inv.Due}, {"received", &inv.Received}} {
		if v, ok := day(*d.at); ok {
			*d.at = v
		} else if *d.at != "" {
			bad(d.path, fmt.Sprintf("%.40q is no date", *d.at))
		}
	}
	if inv.Cadre != "" && !cadres.MatchString(inv.Cadre) {
		bad("cadre", fmt.Sprintf("%.40q is unknown", inv.Cadre))
	}
	switch {
	case inv.Supplier.ID == "":
		bad("supplier.id", "missing")
	case inv.Supplier.IDType == "1" && !digits(inv.Supplier.ID, 14):
		bad("supplier.id", "not the 14 digits of a SIRET")
	}
	switch {
	case inv.Recipient.SIRET == "":
		bad("recipient.siret", "missing")
	case cpp && !digits(inv.Recipient.SIRET, 14):
		bad("recipient.siret", "not the 14 digits of a SIRET")
	}
	if cpp && len(inv.Files) == 0 {
		bad("files", "no attachment, where one is required")
	}
	r.checkAmounts(inv)
}

func (r *reader) checkAmounts(inv *Invoice) {
	bad := func(path, reason string) { r.deviate(&inv.Deviations, path, reason) }
	total, vat := new(big.Rat), new(big.Rat)
	ok := true
	read := func(path string, a amount, into *big.Rat) {
		switch {
		case a == "":
			ok = false
		case !a.Valid():
			ok = false
			bad(path, fmt.Sprintf("%.40q is no amount", string(a)))
		default:
			v, _ := new(big.Rat).SetString(string(a))
			into.Add(into, v)
		}
	}
	read("amounts.net_a_payer", inv.Amounts.NetAPayer, new(big.Rat))
	ok = true
	for i, l := range inv.VATLines {
		path := "vat_lines." + strconv.Itoa(i)
		read(path+".amount", l.Amount, vat)
		whole := ok
		read(path+".rate", l.Rate, new(big.Rat))
		read(path+".base", l.Base, new(big.Rat))
		ok = whole
	}
	if inv.Amounts.TVA != "" {
		ok = true
		vat.SetInt64(0)
		read("amounts.tva", inv.Amounts.TVA, vat)
	}
	read("amounts.ht", inv.Amounts.HT, total)
	ttc := new(big.Rat)
	read("amounts.ttc", inv.Amounts.TTC, ttc)
	if inv.Amounts.TTC == "" {
		bad("amounts.ttc", "missing")
	}
	if ok && (len(inv.VATLines) > 0 || inv.Amounts.TVA != "") && total.Add(total, vat).Cmp(ttc) != 0 {
		bad("amounts", "without VAT and VAT do not make the total")
	}
}

func (r *reader) checkStatus(s *Status) {
	bad := func(path, reason string) { r.deviate(&s.Deviations, path, reason) }
	if s.Invoice == "" {
		bad("invoice", "missing")
	}
	if s.Code == "" {
		bad("code", "missing")
	}
	if r.flow.Format == FormatStatut {
		if s.Label = statusLabels[s.Code]; s.Label == "" && s.Code != "" {
			bad("code", fmt.Sprintf("%.40q is unknown", s.Code))
		}
	}
	s.Date = instant(s.Date)
	if v, ok := day(s.IssueDate); ok {
		s.IssueDate = v
	}
	s.Supplier.IDType = strings.TrimLeft(s.Supplier.IDType, "0")
	if !r.o.Personal {
		s.Supplier = public(s.Supplier)
	}
}

// counted ends a flow of AIFE's.
func counted(r *reader) {
	if n, err := strconv.Atoi(r.counter); r.counter != "" && (err != nil || n != len(r.flow.Invoices)) {
		r.deviate(&r.flow.Deviations, "CPPFactures/@Compteur", fmt.Sprintf("%.40q, where there are %d invoices", r.counter, len(r.flow.Invoices)))
	}
	if len(r.flow.Invoices) == 0 {
		r.deviate(&r.flow.Deviations, "CPPFactures", "holds no invoice")
	}
}

// day reads 20060102, which may go on with a time (UNTDID 2379, formats 102 and 204), and
// 2006-01-02, which may go on with a zone.
func day(v string) (string, bool) {
	layout := "20060102"
	if len(v) >= 10 && v[4] == '-' {
		v, layout = v[:10], "2006-01-02"
	} else if len(v) >= 8 && strings.Trim(v, "0123456789") == "" {
		v = v[:8]
	}
	t, err := time.Parse(layout, v)
	if err != nil {
		return v, false
	}
	return t.Format("2006-01-02"), true
}

// instant reads the same with its time; what it does not know stays as it is.
func instant(v string) string {
	for _, layout := range []string{"20060102150405", "200601021504"} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.Format("2006-01-02T15:04:05")
		}
	}
	if d, ok := day(v); ok && len(v) == 8 {
		return d
	}
	return v
}
