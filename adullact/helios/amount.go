package helios

import (
	"math"
	"strconv"
	"strings"
)

// amount reads an amount: decimal(14,2) by the schema.
func (d *decoder) amount() Amount {
	a := Amount(d.value())
	if a != "" && !a.Valid() {
		d.deviate(d.leaf(), "it is not an amount")
	}
	return a
}

// sum adds amounts exactly, in hundredths of a cent.
type sum struct {
	units int64
	any   bool
	bad   bool // an amount could not be added
}

func (s *sum) add(a Amount) {
	if a == "" {
		return
	}
	s.any = true
	whole, part, _ := strings.Cut(strings.TrimLeft(string(a), "+-"), ".")
	part = strings.TrimRight(part, "0")
	if !a.Valid() || len(whole) > 14 || len(part) > 4 {
		s.bad = true
		return
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", 4-len(part)), 10, 64)
	if strings.HasPrefix(string(a), "-") {
		n = -n
	}
	if err != nil || n > 0 && s.units > math.MaxInt64-n || n < 0 && s.units < math.MinInt64-n {
		s.bad = true
		return
	}
	s.units += n
}

// amount has two decimals, or four if they are needed.
func (s *sum) amount() Amount {
	if !s.any || s.bad {
		return ""
	}
	sign, n := "", s.units
	if n < 0 {
		sign = "-"
	}
	digits := strings.TrimPrefix(strconv.FormatInt(n, 10), "-")
	for len(digits) < 5 {
		digits = "0" + digits
	}
	whole, part := digits[:len(digits)-4], strings.TrimSuffix(digits[len(digits)-4:], "00")
	return Amount(sign + whole + "." + part)
}
