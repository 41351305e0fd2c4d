package demo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

// part is one part of a made mail: its header lines and its content as sent.
type part struct{ header, body string }

// Mails gives the mails of a small town hall, written the way its correspondents'
// programs write them: accents in file names in every encoding that is met, a mail
// attached to a mail, an image inside a text, and the Thumbs.db that nobody wanted.
func Mails() [][]byte {
	order := compose("Bon de commande 77", "achats@ecole.example.org", "mixed",
		text("Veuillez trouver le bon de commande."),
		file(`application/pdf`, `filename="Bon de commande n=?utf-8?Q?=C2=B0?=77.pdf"`, pdf("bon de commande 77")))
	// a PES file is signed: its ISO-8859-1 bytes must not change
	pes := "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n<n:PES_Aller xmlns:n=\"http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller\"><Lib V=\"Cantine d'\xe9t\xe9\"/></n:PES_Aller>\r\n"
	return [][]byte{
		compose("Facture n° 114 et photos", "compta@fournisseur.example.org", "mixed",
			text("Bonjour,\r\n\r\nVoici la facture de l'été.\r\n"),
			file("application/pdf", "filename*=utf-8''Facture%20%C3%A9t%C3%A9%20n%C2%B0114.pdf", pdf("facture 114")),
			file("application/octet-stream", `filename="Thumbs.db"`, "\xd0\xcf\x11\xe0 vignettes")),
		compose("Délibération du 12 mai", "prefecture@example.org", "mixed",
			text("La délibération signée et le flux PES."),
			file("application/pdf", `filename="=?iso-8859-1?Q?D=E9lib=E9ration_du_12_mai.pdf?="`, pdf("deliberation")),
			file("text/xml; charset=iso-8859-1", "filename*=iso-8859-1''PES_ALLER_cantine_%E9t%E9.xml", pes)),
		compose("TR: Bon de commande 77", "secretariat@example.org", "mixed",
			text("Je te transmets."),
			part{"Content-Type: message/rfc822\r\nContent-Disposition: attachment", string(order)}),
		compose("Devis toiture", "artisan@example.org", "related",
			part{"Content-Type: text/html; charset=utf-8", `<p>Le devis, avec notre logo <img src="cid:logo"></p>`},
			part{"Content-Type: image/png; name=logo.png\r\nContent-Disposition: inline\r\nContent-ID: <logo>\r\nContent-Transfer-Encoding: base64", b64("\x89PNG\r\n\x1a\n logo")},
			file("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "filename*0*=utf-8''Devis%20toiture%20; filename*1*=%C3%A9cole%20No%C3%ABl.docx", "PK devis")),
		compose("Essai du scanner", "scanner@example.org", "mixed",
			text("Numérisation automatique"),
			file("application/pdf", `filename="debut_nom_fichier_0001.pdf"`, pdf("scan"))),
		[]byte("From: Maire <maire@example.org>\r\nTo: ged@example.org\r\nSubject: Merci\r\nMessage-ID: <merci@example.org>\r\n" +
			"Date: Mon, 05 Jan 2026 11:00:00 +0100\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nMerci à tous.\r\n"),
	}
}

func pdf(title string) string { return "%PDF-1.4\n% " + title + "\n%%EOF\n" }

func compose(subject, from, subtype string, parts ...part) []byte {
	var b bytes.Buffer
	boundary := fmt.Sprintf("=_%x", len(subject)*7919+len(parts))
	fmt.Fprintf(&b, "From: <%s>\r\nTo: GED <ged@example.org>\r\nSubject: =?utf-8?B?%s?=\r\nMessage-ID: <%x@example.org>\r\n"+
		"Date: Mon, 05 Jan 2026 09:30:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/%s; boundary=%q\r\n\r\n",
		from, base64.StdEncoding.EncodeToString([]byte(subject)), subject, subtype, boundary)
	for _, p := range parts {
		fmt.Fprintf(&b, "--%s\r\n%s\r\n\r\n%s\r\n", boundary, p.header, p.body)
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes()
}

func text(s string) part {
	return part{"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64", b64(s)}
}

func file(mediaType, filename, content string) part {
	return part{"Content-Type: " + mediaType + "\r\nContent-Disposition: attachment; " + filename + "\r\nContent-Transfer-Encoding: base64", b64(content)}
}

// b64 encodes in lines of 76 characters (RFC 2045 section 6.8).
func b64(s string) string {
	e := base64.StdEncoding.EncodeToString([]byte(s))
	var lines []string
	for len(e) > 76 {
		lines, e = append(lines, e[:76]), e[76:]
	}
	return strings.Join(append(lines, e), "\r\n")
}
