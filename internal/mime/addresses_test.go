package mime

import (
	"bytes"
	"testing"
)

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		`a@b.fr`:                               "<a@b.fr>",
		`Mairie <a@b.fr>, c@d.fr`:              "Mairie<a@b.fr> <c@d.fr>",
		`"Dupont, Jean" <a@b.fr>`:              "Dupont, Jean<a@b.fr>",
		`=?iso-8859-1?Q?H=E9l=E8ne?= <h@b.fr>`: "Hélène<h@b.fr>",
		`h@b.fr (Hélène)`:                      "Hélène<h@b.fr>",
		`Elus: a@b.fr, c@d.fr;`:                "<a@b.fr> <c@d.fr>",
		`undisclosed-recipients:;`:             "",
		`<a@b.fr`:                              "<a@b.fr>",
		`a@b.fr; c@d.fr`:                       "<a@b.fr> <c@d.fr>",
		`"\"" <x@y.z>, ((((`:                   "\"<x@y.z>",
		"":                                     "",
	} {
		raw := []byte("From: " + in + "\r\n\r\n")
		m, err := Parse(bytes.NewReader(raw), int64(len(raw)), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for i, a := range m.Root.Header.Addresses("from") {
			if i > 0 {
				got += " "
			}
			got += a.Name + "<" + a.Address + ">"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
