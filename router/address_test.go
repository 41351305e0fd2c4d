package router

import (
	"net/mail"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, name, addr string }{
		{"a@b.fr", "", "a@b.fr"},
		{"  a@b.fr ", "", "a@b.fr"},
		{"<a@b.fr>", "", "a@b.fr"},
		{"Hélène Dupré <helene.dupre@mairie.example>", "Hélène Dupré", "helene.dupre@mairie.example"},
		{"M. Dupont <a@b.fr>", "M. Dupont", "a@b.fr"},
		{"M.\u00a0Dupont <a@b.fr>", "M.\u00a0Dupont", "a@b.fr"},
		{`"Dupont, Jean" <a@b.fr>`, "Dupont, Jean", "a@b.fr"},
		{`"dit \"le <grand>\" \\" <a@b.fr>`, `dit "le <grand>" \`, "a@b.fr"},
		{`"" <a@b.fr>`, "", "a@b.fr"},
		{"l'été@école.fr", "", "l'été@école.fr"},
		{"o'neil+x=y@b.example", "", "o'neil+x=y@b.example"},
		{`"jean.dupont"@b.fr`, "", "jean.dupont@b.fr"}, // the quotes mean nothing
		{`"jean\.dupont"@b.fr`, "", "jean.dupont@b.fr"},
		{"a@[192.0.2.1]", "", "a@[192.0.2.1]"},
		{"a@[IPv6:2001:db8::1]", "", "a@[IPv6:2001:db8::1]"},
		{"root@localhost", "", "root@localhost"},
		{"用户@例子.广告", "", "用户@例子.广告"},
		{strings.Repeat("l", 64) + "@b.fr", "", strings.Repeat("l", 64) + "@b.fr"},
	} {
		got, err := ParseAddress(c.in)
		if err != nil || got != (mail.Address{Name: c.name, Address: c.addr}) {
			t.Errorf("ParseAddress(%q) = %+v, %v", c.in, got, err)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", " ", "a", "a@", "@b.fr", "<>", "<a@b.fr", "a@b.fr>", "a@b.fr <", "<a@b.fr> x", "<a@b.fr><c@d.fr>",
		"a b@c.fr", "a@b .fr", "a@b@c.fr", "a..b@c.fr", ".a@c.fr", "a.@c.fr", "a@.c", "a@c.", "a@b..c", "a@-b.fr", "a@b-.fr", "a@b_c.fr",
		"a@1.2.3.4", "a@[1.2.3]", "a@[1.2.3.4", "a@[IPv6:1.2.3.4]", "a@[2001:db8::1]", "a@[IPv6:fe80::1%eth0]", "a@[x]",
		"a@b.fr, c@d.fr", "a@b.fr; c@d.fr", "A, B <a@b.fr>", "gens: a@b.fr;", "gens: a@b.fr, c@d.fr;", "gens:;",
		"a@b.fr (commentaire)", "(x) a@b.fr", "<@relais.fr:a@b.fr>", "A <a@b.fr>, B <c@d.fr>",
		`"t> ORCPT=x"@example.org`, `"a\"> SIZE=1"@b.fr`, `"a b"@c.fr`, `"a@b"@c.fr`, `"a..b"@c.fr`, `""@c.fr`, `"a@c.fr`, `a"b"@c.fr`, `"a"b@c.fr`, `"a"."b"@c.fr`,
		"a@b.fr\r\nRCPT TO:<c@d.fr>", "a\n@b.fr", "a@b.fr\x00", "a\t@b.fr", "a\x7f@b.fr", "a\u0085@b.fr", "A\u2028B <a@b.fr>", "A\tB <a@b.fr>",
		"a\u200b@b.fr", "a\u00a0@b.fr", "a@b\u00ad.fr", "a@b\u3002fr", "\u202eA <a@b.fr>", "a\xff@b.fr", "a\ufffd@b.fr",
		`"A" B <a@b.fr>`, `A "B" <a@b.fr>`, `"A\" <a@b.fr>`, "=?utf-8?q?a=0D=0ABcc:_x?= <a@b.fr>",
		strings.Repeat("l", 65) + "@b.fr", "a@" + strings.Repeat("d", 64) + ".fr", "a@" + strings.Repeat("dd.", 90) + "fr", strings.Repeat("n", 300) + " <a@b.fr>",
	} {
		if got, err := ParseAddress(in); err == nil {
			t.Errorf("ParseAddress(%q) = %+v", in, got)
		} else if len(err.Error()) > 200 || strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Errorf("ParseAddress(%q): the error is long or raw: %q", in, err)
		}
	}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	m := &Message{To: []string{"A <a@b.fr>", "a@B.FR", "A@b.fr"}, Cc: []string{"c@b.fr", "a@b.fr"}, Bcc: []string{"D <d@b.fr>"}}
	got, err := m.Recipients()
	if want := "a@b.fr A@b.fr c@b.fr d@b.fr"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %q, %v, want %s", got, err, want)
	}
	m.Envelope = []string{"E <e@b.fr>", "e@b.fr"}
	if got, err = m.Recipients(); err != nil || len(got) != 1 || got[0] != "e@b.fr" {
		t.Errorf("with an envelope: %q, %v", got, err)
	}
	m.Envelope = []string{}
	if got, err = m.Recipients(); err != nil || len(got) != 0 {
		t.Errorf("with an empty envelope: %q, %v", got, err)
	}
	m.Envelope = []string{"e@b.fr", "e"}
	if got, err = m.Recipients(); err == nil || got != nil {
		t.Errorf("with a wrong envelope: %q, %v", got, err)
	}
}

func TestSender(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, fallback, want string }{
		{"a@b.fr", "c@d.fr", "a@b.fr"}, {"", "C <c@d.fr>", "c@d.fr"}, {"", "", ""},
	} {
		if got, err := (&Message{From: c.from}).Sender(c.fallback); err != nil || got.Address != c.want {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	if _, err := (&Message{}).Sender("no address"); err == nil {
		t.Error("a wrong fallback was taken")
	}
}
