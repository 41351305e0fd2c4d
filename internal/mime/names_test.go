package mime

import (
	"strings"
	"testing"
)

// names are headers of one part and the file name that people expect.
var names = []struct{ what, header, want string }{
	{"plain", `Content-Disposition: attachment; filename="facture.pdf"`, "facture.pdf"},
	{"token", `Content-Disposition: attachment; filename=facture.pdf`, "facture.pdf"},
	{"unquoted with blanks", `Content-Disposition: attachment; filename=facture du 12 mai.pdf`, "facture du 12 mai.pdf"},
	{"unquoted with brackets", `Content-Disposition: attachment; filename=facture (1).pdf; size=3`, "facture (1).pdf"},
	{"RFC 2231", `Content-Disposition: attachment; filename*=UTF-8''d%C3%A9lib%C3%A9ration.pdf`, "délibération.pdf"},
	{"RFC 2231 in Latin-1", `Content-Disposition: attachment; filename*=iso-8859-1'fr'factur%E9.pdf`, "facturé.pdf"},
	{"RFC 2231 in Latin-9", `Content-Disposition: attachment; filename*=iso-8859-15''100%A4.pdf`, "100€.pdf"},
	{"RFC 2231 in windows-1252", `Content-Disposition: attachment; filename*=windows-1252''c%9Cur.pdf`, "cœur.pdf"},
	{"RFC 2231 quoted", `Content-Disposition: attachment; filename*="UTF-8''%C3%A9t%C3%A9.pdf"`, "été.pdf"},
	{"RFC 2231 no charset", `Content-Disposition: attachment; filename*=%C3%A9t%C3%A9.pdf`, "été.pdf"},
	{"RFC 2231 unknown charset", `Content-Disposition: attachment; filename*=x-nope''%C3%A9t%C3%A9.pdf`, "été.pdf"},
	{"sections", "Content-Disposition: attachment;\n filename*0*=iso-8859-1''factu%E9;\n filename*1*=re.pdf", "factuére.pdf"},
	{"sections in disorder", "Content-Disposition: attachment;\n filename*2=.pdf;\n filename*0*=UTF-8''d%C3%A9;\n filename*1*=j%C3%A0", "déjà.pdf"},
	{"plain sections", "Content-Disposition: attachment;\n filename*0=\"a very \";\n filename*1=\"long.pdf\"", "a very long.pdf"},
	{"character split over sections", "Content-Disposition: attachment;\n filename*0*=UTF-8''%C3;\n filename*1*=%A9.pdf", "é.pdf"},
	{"sections counted from 1", "Content-Disposition: attachment;\n filename*1*=UTF-8''%C3%A9;\n filename*2=.pdf", "é.pdf"},
	{"word cut into sections", "Content-Disposition: attachment;\n filename*0=\"=?UTF-8?Q?caf=C3\";\n filename*1=\"=A9.pdf?=\"", "café.pdf"},
	{"RFC 2231 wins", `Content-Disposition: attachment; filename="e.pdf"; filename*=UTF-8''%C3%A9.pdf`, "é.pdf"},
	{"RFC 2231 broken", `Content-Disposition: attachment; filename="e.pdf"; filename*=UTF-8''`, "e.pdf"},
	{"RFC 2047", `Content-Disposition: attachment; filename="=?iso-8859-1?Q?Pi=E8ce_jointe.pdf?="`, "Pièce jointe.pdf"},
	{"RFC 2047 base64", `Content-Disposition: attachment; filename="=?UTF-8?B?w6l0w6kucGRm?="`, "été.pdf"},
	{"RFC 2047 base64 unpadded", `Content-Disposition: attachment; filename="=?UTF-8?B?w6l0w6kucGQ?="`, "été.pd"},
	{"RFC 2047 folded in quotes", "Content-Disposition: attachment; filename=\"=?UTF-8?Q?d=C3=A9lib=C3=A9ration_?=\n =?UTF-8?Q?budg=C3=A9taire.pdf?=\"", "délibération budgétaire.pdf"},
	{"RFC 2047 character split over words", "Content-Disposition: attachment; filename=\"=?UTF-8?Q?=C3?= =?UTF-8?Q?=A9.pdf?=\"", "é.pdf"},
	{"RFC 2047 unquoted", `Content-Type: application/pdf; name==?UTF-8?Q?=C3=A9t=C3=A9.pdf?=`, "été.pdf"},
	{"RFC 2047 blanks inside", `Content-Disposition: attachment; filename="=?UTF-8?Q?lettre =C3=A0 signer.pdf?="`, "lettre à signer.pdf"},
	{"RFC 2047 two quoted strings", `Content-Disposition: attachment; filename="=?UTF-8?Q?=C3=A9?=" "=?UTF-8?Q?t=C3=A9?="`, "été"},
	{"words win over plain", `Content-Disposition: attachment; filename="ete.pdf"; filename="=?UTF-8?Q?=C3=A9t=C3=A9.pdf?="`, "été.pdf"},
	{"first of equals", `Content-Disposition: attachment; filename="a.pdf"; filename="b.pdf"`, "a.pdf"},
	{"raw UTF-8", "Content-Disposition: attachment; filename=\"élu.pdf\"", "élu.pdf"},
	{"raw Latin-1", "Content-Disposition: attachment; filename=\"\xe9lu.pdf\"", "élu.pdf"},
	{"raw windows-1252", "Content-Disposition: attachment; filename=\"1\x80.pdf\"", "1€.pdf"},
	{"raw Latin-9 by charset", "Content-Type: text/plain; charset=iso-8859-15\nContent-Disposition: attachment; filename=\"1\xa4.txt\"", "1€.txt"},
	{"Content-Type alone", `Content-Type: application/pdf; name="é.pdf"`, "é.pdf"},
	{"disposition wins", "Content-Type: application/pdf; name=\"b.pdf\"\nContent-Disposition: attachment; filename=\"a.pdf\"", "a.pdf"},
	{"disposition empty", "Content-Type: application/pdf; name=\"b.pdf\"\nContent-Disposition: attachment; filename=\"\"", "b.pdf"},
	{"disposition without kind", `Content-Disposition: filename="a.pdf"`, "a.pdf"},
	{"no semicolon between", `Content-Type: application/pdf name="a.pdf"`, "a.pdf"},
	{"no semicolon after quotes", `Content-Disposition: attachment; filename="a.pdf" size=20`, "a.pdf"},
	{"two semicolons", `Content-Disposition: attachment;; filename="a.pdf";`, "a.pdf"},
	{"semicolon in quotes", `Content-Disposition: attachment; filename="a;b.pdf"; size=1`, "a;b.pdf"},
	{"no closing quote", `Content-Disposition: attachment; filename="a b.pdf`, "a b.pdf"},
	{"no closing quote, more", `Content-Disposition: attachment; filename="a b.pdf; size=3`, "a b.pdf"},
	{"quotes inside", `Content-Disposition: attachment; filename="la "belle" affaire.pdf"`, `la "belle" affaire.pdf`},
	{"escaped quotes", `Content-Disposition: attachment; filename="la \"belle\".pdf"`, `la "belle".pdf`},
	{"path of Windows", `Content-Disposition: attachment; filename="C:\Users\mairie\acte.pdf"`, `C:\Users\mairie\acte.pdf`},
	{"path with escapes", `Content-Disposition: attachment; filename="C:\\Users\\acte.pdf"`, `C:\Users\acte.pdf`},
	{"path ends with backslash", `Content-Disposition: attachment; filename="C:\dir\"; size=1`, `C:\dir\`},
	{"traversal is left to others", `Content-Disposition: attachment; filename="../../etc/passwd"`, "../../etc/passwd"},
	{"folded at a tab", "Content-Disposition: attachment; filename=\"compte rendu\n\tdu conseil.pdf\"", "compte rendu du conseil.pdf"},
	{"upper case", `CONTENT-DISPOSITION: ATTACHMENT; FILENAME="A.PDF"`, "A.PDF"},
	{"percent kept", `Content-Disposition: attachment; filename="50%20.pdf"`, "50%20.pdf"},
	{"star forgotten", `Content-Disposition: attachment; filename="UTF-8''%C3%A9.pdf"`, "é.pdf"},
	{"comment behind", `Content-Disposition: attachment; filename="a.pdf" (the bill)`, "a.pdf"},
	{"blank", `Content-Disposition: attachment; filename="  "`, ""},
	{"none", `Content-Disposition: attachment`, ""},
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, n := range names {
		for _, head := range []string{n.header, crlf(n.header)} {
			m := mustParse(t, head+"\n\nx")
			if m.Root.Name != n.want {
				t.Errorf("%s: %q, want %q\n\t%s", n.what, m.Root.Name, n.want, head)
			}
		}
	}
}

func TestFileName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mail, subject, want string }{
		{"Content-Type: text/html\n\nx", "Vœux", "Vœux.html"},
		{"\nx", "Vœux", "Vœux.txt"},
		{"\nx", " ", "part-1.txt"},
		{"Content-Type: application/pdf\n\nx", "Vœux", "part-1.pdf"},
		{"Content-Type: application/x-unheard-of\n\nx", "", "part-1.bin"},
		{"Content-Type: image/webp\n\nx", "", "part-1.webp"},
		{"Content-Type: message/rfc822\n\nSubject: =?utf-8?q?R=C3=A9union?=\n\nx", "Vœux", "Réunion.eml"},
		{"Content-Type: message/rfc822\n\nTo: a@b.example\n\nx", "Vœux", "part-1.eml"},
		{"Content-Type: message/rfc822; name=x.eml\n\nSubject: y\n\nx", "", "x.eml"},
	} {
		if got := mustParse(t, c.mail).Root.FileName(c.subject); got != c.want {
			t.Errorf("%q: %q, want %q", c.mail, got, c.want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                                 "plain",
		"=?iso-8859-15?Q?Co=FBt_=A4?=":          "Coût €",
		"=?utf-8?B?w6k=?= =?utf-8?B?dA==?=":     "ét",
		"=?utf-8?q?=C3?=\n =?utf-8?q?=A9?= fin": "é fin",
		"a =?utf-8?q?b?= c":                     "a b c",
		"a=?utf-8?q?b?=c":                       "abc",
		"=?utf-8*fr?Q?=C3=A9?=":                 "é",
		"=?us-ascii?q?=E9?=":                    "é",
		"=?windows-1252?q?=80?=":                "€",
		"=?iso-8859-1?q?=92?=":                  "’",
		"=?gb2312?B?xOO6ww==?=":                 "你好",
		"=?utf-8?q?a?=b":                        "ab",
		"=?utf-8?q??=":                          "",
		"=?utf-8?q?=3D?=":                       "=",
		"=?nope?q?abc?=":                        "abc",
		"=?utf-8?x?abc?=":                       "=?utf-8?x?abc?=",
		"=?utf-8?q?abc":                         "=?utf-8?q?abc",
		"=? =? ?= ?=":                           "=? =? ?= ?=",
		"\xe9t\xe9":                             "été",
		"Réf. \x01":                             "Réf. \x01",
		"a\n b":                                 "a b",
	} {
		if got := mustParse(t, "Subject: "+in+"\n\nx").Root.Header.Text("subject"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Fri, 20 Nov 2026 10:11:12 +0100":           "2026-11-20T09:11:12Z",
		"20 Nov 2026 10:11:12 +0100 (CET)":          "2026-11-20T09:11:12Z",
		"ven., 20 Nov 2026 10:11:12 +0100":          "2026-11-20T09:11:12Z",
		"Fri, 20 Nov 2026 10:11:12":                 "2026-11-20T10:11:12Z",
		"Fri Nov 20 10:11:12 2026":                  "2026-11-20T10:11:12Z",
		"Fri, 20 Nov 26 10:11:12 GMT":               "2026-11-20T10:11:12Z",
		"Fri, 20 Nov 2026 10:11 UT":                 "2026-11-20T10:11:00Z",
		"2026-11-20T10:11:12+01:00":                 "2026-11-20T09:11:12Z",
		"yesterday":                                 "",
		"":                                          "",
		strings.Repeat("x", 300):                    "",
		"Fri, 20 Nov 2026 10:11:12 +0100 (a (b) c)": "2026-11-20T09:11:12Z",
	} {
		d, ok := mustParse(t, "Date: "+in+"\n\nx").Root.Header.Date()
		got := ""
		if ok {
			got = d.UTC().Format("2006-01-02T15:04:05Z")
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAddressForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@b.example": "<a@b.example>",
		"\"Mairie, accueil\" <a@b.example>, c@d.example": "Mairie, accueil<a@b.example> <c@d.example>",
		"=?utf-8?q?=C3=89lodie?= <e@b.example>":          "Élodie<e@b.example>",
		"a@b.example (Accueil)":                          "Accueil<a@b.example>",
		"Tous: a@b.example, c@d.example;":                "<a@b.example> <c@d.example>",
		"undisclosed-recipients:;":                       "",
		"\xc9lodie <e@b.example>":                        "Élodie<e@b.example>",
		"x <a@b.example":                                 "x<a@b.example>",
		"<@relay.example:a@b.example>":                   "<a@b.example>",
		"nobody":                                         "",
		"a@b.example; c@d.example":                       "<a@b.example> <c@d.example>",
	} {
		var got []string
		for _, a := range mustParse(t, "To: "+in+"\n\nx").Root.Header.Addresses("to") {
			got = append(got, a.Name+"<"+a.Address+">")
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %q, want %q", in, s, want)
		}
	}
}
