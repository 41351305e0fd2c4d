package connector

import (
	"slices"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

func TestDSN(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		dsn  router.DSN
		to   string
		mail string // how MAIL ends
		rcpt string
	}{
		{"all", router.DSN{Notify: []router.Notify{"success", "failure", "delay"}, Return: "headers", EnvelopeID: "lot 12+3=15"}, "jean+gf@b.fr",
			" RET=HDRS ENVID=lot+2012+2B3+3D15", "RCPT TO:<jean+gf@b.fr> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;jean+2Bgf@b.fr"},
		{"never", router.DSN{Notify: []router.Notify{"never"}}, "a@b.fr", "", "RCPT TO:<a@b.fr> NOTIFY=NEVER ORCPT=rfc822;a@b.fr"},
		{"full", router.DSN{Notify: []router.Notify{"failure"}, Return: "full"}, "a@b.fr", " RET=FULL", "RCPT TO:<a@b.fr> NOTIFY=FAILURE ORCPT=rfc822;a@b.fr"},
		{"beyond ASCII", router.DSN{Notify: []router.Notify{"delay"}}, "zoé+=@b.fr", " SMTPUTF8 BODY=8BITMIME", `RCPT TO:<zoé+=@b.fr> NOTIFY=DELAY ORCPT=utf-8;zoé\x{2B}\x{3D}@b.fr`},
	} {
		for _, pipelining := range []string{"PIPELINING", "X-NONE"} {
			t.Run(c.name+" "+pipelining, func(t *testing.T) {
				t.Parallel()
				f := newFake(t, func(f *fake) { f.ext[0], f.ext = pipelining, append(f.ext, "DSN") })
				m := message(c.to)
				m.DSN = &c.dsn
				r, err := send(f.smtp(nil), m)
				if err != nil || len(r.Notes) != 0 {
					t.Fatalf("%+v, %v", r, err)
				}
				cmd := f.commands()
				if !strings.HasSuffix(cmd[1], c.mail) || c.mail == "" && strings.ContainsAny(cmd[1], "+;") || cmd[2] != c.rcpt {
					t.Errorf("%q, want an end of %q\n%q, want %q", cmd[1], c.mail, cmd[2], c.rcpt)
				}
			})
		}
	}
}

// What the server does not offer is not asked for, and not dropped in silence.
func TestDSNNotOffered(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	s := f.smtp(nil)
	m := message("a@b.fr", "c@b.fr")
	m.DSN = &router.DSN{Notify: []router.Notify{router.NotifySuccess}, Return: router.ReturnFull, EnvelopeID: "x"}
	r, err := send(s, m)
	if err != nil || !slices.Equal(r.Notes, []string{noDSN}) {
		t.Fatalf("%+v, %v", r, err)
	}
	if all := strings.Join(f.commands(), "\n"); strings.Contains(all, "NOTIFY") || strings.Contains(all, "RET=") || strings.Contains(all, "ENVID") {
		t.Errorf("asked for what is not offered:\n%s", all)
	}
	if r, err = send(s, message("a@b.fr")); err != nil || len(r.Notes) != 0 {
		t.Errorf("a note about nothing: %+v, %v", r, err)
	}
	m.DSN.Notify = append(m.DSN.Notify, router.NotifyNever)
	if _, err = send(s, m); class(err) != vaguemestre.ClassPoison || len(f.sent()) != 2 {
		t.Errorf("never beside another: %v", err)
	}
}

// An address that is too long as xtext is not named; RFC 3461 section 4.2 bounds it.
func TestOriginalRecipientIsBounded(t *testing.T) {
	t.Parallel()
	d := &router.DSN{Notify: []router.Notify{router.NotifyFailure}}
	long := strings.Repeat("=", 64) + "@" + strings.Repeat("é", 40) + "." + strings.Repeat("x", 60) + ".fr"
	if l := dsnOfRcpt(d, long); l != " NOTIFY=FAILURE" {
		t.Errorf("%q", l)
	}
	if l := dsnOfRcpt(d, strings.Repeat("+", 64)+"@"+strings.Repeat("d", 50)+".fr"); !strings.Contains(l, " ORCPT=rfc822;+2B") {
		t.Errorf("%q", l)
	}
}
