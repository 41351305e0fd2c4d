package mailgen

import (
	"encoding/base64"
	"fmt"
	"strings"
)

var people = [][2]string{
	{"Éloïse Beaufrère", "eloise.beaufrere@mairie-exemple.invalid"},
	{"Comptabilité – Société Générique", "compta@societe-exemple.invalid"},
	{"Noël L'Hôpital", "noel@notaire-exemple.invalid"},
	{"Service des eaux", "eaux@regie-exemple.invalid"},
	{"Zoé Çelik-Müller", "zoe@ecole-exemple.invalid"},
}

var subjects = []string{
	"Facture n° 2026-0117 à régler avant échéance", "Délibération du conseil municipal", "Re: Dossier d'été, pièces complémentaires",
	"Relevé mensuel", "Marché de voirie : avenant n°2", "Tr: Arrêté de péril – urgent", "Devis œuvre d'art giratoire", "Congés de Noël",
}

var sentences = []string{
	"Veuillez trouver ci-joint la facture du mois écoulé.", "Le règlement est attendu sous trente jours.",
	"Nous restons à votre disposition pour tout renseignement complémentaire.", "L'arrêté a été affiché à l'hôtel de ville.",
	"Merci de nous retourner le procès-verbal signé.", "La pièce jointe annule et remplace la précédente.",
	"Les travaux débuteront dès réception de l'ordre de service.", "Le montant s'élève à 1 250 euros.",
}

var names = []string{
	"facture", "Facture été 2026", "Relevé de compte n°3", "Délibération-2026-17", "devis", "Arrêté préfectoral", "Plan de situation",
	"Procès-verbal d'assemblée générale extraordinaire du vingt-deux novembre deux mille vingt-six avec ses annexes",
	"bon de commande", "Attestation à jour", "CERFA_13404", "Numérisé",
}

// latin1 turns text into ISO-8859-1; what it lacks becomes "?".
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return string(b)
}

func isLatin1(s string) bool {
	for _, r := range s {
		if r > 0xff {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) < 0
}

func hexed(s, mark, safe string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%s%02X", mark, c)
		}
	}
	return b.String()
}

// word writes a header text as RFC 2047 words: Q in UTF-8, B in UTF-8, Q in ISO-8859-1.
func word(s string, form int) string {
	if isASCII(s) {
		return s
	}
	var out []string
	rs := []rune(s)
	for len(rs) > 0 {
		n := min(14, len(rs)) // a word has at most 75 bytes
		p := string(rs[:n])
		rs = rs[n:]
		switch {
		case form == 1:
			out = append(out, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(p))+"?=")
		case form == 2 && isLatin1(s):
			out = append(out, "=?iso-8859-1?Q?"+hexed(latin1(p), "=", ".-")+"?=")
		default:
			out = append(out, "=?utf-8?Q?"+hexed(p, "=", ".-")+"?=")
		}
	}
	return strings.Join(out, "\r\n ")
}

// nameParams writes a file name in one of the forms that mail programs use, as
// parameters of Content-Type and Content-Disposition.
func nameParams(name string, form int) (ctype, disp string) {
	q := func(key, v string) string { return ";\r\n " + key + "=\"" + v + "\"" }
	switch {
	case form == 0 && isLatin1(name): // RFC 2231, another charset
		return "", ";\r\n filename*=iso-8859-1''" + hexed(latin1(name), "%", ".-_")
	case form == 1: // RFC 2231
		return "", ";\r\n filename*=UTF-8''" + hexed(name, "%", ".-_")
	case form == 2: // RFC 2231 in pieces
		v, i := hexed(name, "%", ".-_"), 0
		for v != "" {
			n := min(40, len(v))
			// A piece may not end inside a %XX.
			for n < len(v) && (v[n-1] == '%' || v[n-2] == '%') {
				n--
			}
			charset := ""
			if i == 0 {
				charset = "UTF-8''"
			}
			disp += fmt.Sprintf(";\r\n filename*%d*=%s%s", i, charset, v[:n])
			v = v[n:]
			i++
		}
		return "", disp
	case form == 3: // RFC 2047 in quotes, which no RFC allows and everybody sends
		return q("name", word(name, 0)), q("filename", word(name, 0))
	case form == 4:
		return q("name", word(name, 1)), q("filename", word(name, 1))
	case form == 5:
		return q("name", word(name, 2)), q("filename", word(name, 2))
	case isASCII(name):
		return q("name", name), q("filename", name)
	default: // only Content-Type has the name
		return q("name", word(name, 1)), ""
	}
}

// quotedPrintable encodes text whose line ends are CRLF (RFC 2045 section 6.7).
func quotedPrintable(s string) string {
	var b strings.Builder
	for i, line := range strings.Split(s, "\r\n") {
		if i > 0 {
			b.WriteString("\r\n")
		}
		col := 0
		for j := range len(line) {
			c := line[j]
			last := j == len(line)-1
			enc := string(c)
			if c < 0x20 && c != '\t' || c > 0x7e || c == '=' || (c == ' ' || c == '\t') && last {
				enc = fmt.Sprintf("=%02X", c)
			}
			if room := 76 - len(enc); col > room || col == room && !last {
				b.WriteString("=\r\n")
				col = 0
			}
			b.WriteString(enc)
			col += len(enc)
		}
	}
	return b.String()
}
