package connector

import (
	"strings"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre/router"
)

// Delivery status notifications: RFC 3461. What the server cannot be asked for becomes a
// note in the receipt.
const noDSN = "the server cannot be asked for delivery reports (it does not offer DSN): whether and what it reports is its own choice"

// dsnOfMail are the parameters of MAIL: RFC 3461 sections 4.3 and 4.4.
func dsnOfMail(d *router.DSN) string {
	l := ""
	switch d.Return {
	case router.ReturnFull:
		l = " RET=FULL"
	case router.ReturnHeaders:
		l = " RET=HDRS"
	}
	if d.EnvelopeID != "" {
		l += " ENVID=" + xtext(d.EnvelopeID)
	}
	return l
}

// dsnOfRcpt are the parameters of RCPT: RFC 3461 sections 4.1 and 4.2. The original
// recipient is named too, so that a report shows it even if an alias led elsewhere.
func dsnOfRcpt(d *router.DSN, addr string) string {
	var b strings.Builder
	b.WriteString(" NOTIFY=")
	for i, n := range d.Notify {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.ToUpper(string(n)))
	}
	if p := originalRecipient(addr); len(p) <= maxORCPT {
		b.WriteString(" ORCPT=")
		b.WriteString(p)
	}
	return b.String()
}

// maxORCPT: RFC 3461 section 4.2.
const maxORCPT = 500

// originalRecipient: RFC 3461 section 4.2. An address outside ASCII needs SMTPUTF8 in any
// case, and may then stand as UTF-8: RFC 6533 section 3.
func originalRecipient(addr string) string {
	for i := 0; i < len(addr); i++ {
		if addr[i] >= utf8.RuneSelf {
			return "utf-8;" + strings.NewReplacer("+", `\x{2B}`, "=", `\x{3D}`, `\`, `\x{5C}`).Replace(addr)
		}
	}
	return "rfc822;" + xtext(addr)
}

// xtext: RFC 3461 section 4. s is ASCII.
func xtext(s string) string {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		if b := s[i]; b > ' ' && b <= '~' && b != '+' && b != '=' {
			out = append(out, b)
		} else {
			out = append(out, '+', hex[b>>4], hex[b&15])
		}
	}
	return string(out)
}
