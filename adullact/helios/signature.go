package helios

import (
	"crypto/x509"
	"encoding/base64"
	"io"
	"strings"

	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// signature reads an XML-DSig with XAdES: what it is about and who signed when.
func (d *decoder) signature() {
	sig := Signature{Place: cut(strings.TrimSuffix(strings.TrimSuffix(d.path(), "Signature"), "/"), 300)}
	depth, referred := d.s.Depth(), false
	for d.s.Next() && (d.s.Kind() != xmlscan.End || d.s.Depth() >= depth) {
		if d.s.Kind() != xmlscan.Start {
			continue
		}
		switch d.s.Local() {
		case "Reference": // the first; that of XAdES comes after it
			if !referred {
				referred = true
				sig.Target = d.short(strings.TrimPrefix(d.s.Attr("URI"), "#"))
			}
		case "SignatureMethod":
			algorithm := d.s.Attr("Algorithm")
			sig.Method = d.short(algorithm[strings.LastIndexByte(algorithm, '#')+1:])
		case "SigningTime":
			first(&sig.SigningTime, d.short(d.text(100)))
		case "X509Certificate":
			if d.o.Personal && sig.Subject == "" {
				sig.Subject = d.short(subject(d.text(64 << 10)))
			}
		}
	}
	if d.take(priceItem) {
		d.f.Signatures = append(d.f.Signatures, sig)
	}
}

// text reads the text of the element that the scanner stands at, at most n bytes of it.
func (d *decoder) text(n int64) string {
	if !d.s.Next() || d.s.Kind() != xmlscan.Text {
		return ""
	}
	b, _ := io.ReadAll(io.LimitReader(d.s.TextReader(), n))
	return strings.ToValidUTF8(strings.TrimSpace(string(b)), "\uFFFD")
}

// subject is "" for what is no certificate.
func subject(text string) string {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return ""
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(cert.Subject.String(), "\uFFFD")
}
