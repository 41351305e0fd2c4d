package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// TestBrowser: where codes are blocked, somebody signs in with the browser of this machine.
func TestBrowser(t *testing.T) {
	t.Parallel()
	for lang, pattern := range map[string]string{"en": `in a browser on this machine:\n +(\S+)\n`, "fr": `un navigateur de cette machine :\n +(\S+)\n`} {
		s := newSite(t, nil)
		p := s.start(lang, "-method", "code")
		page := p.out.says(t, pattern)
		if strings.Contains(p.out.String(), "  2. ") {
			t.Errorf("there is no code to type:\n%s", p.out.String())
		}
		back, err := s.srv.Authorize(page, graphtest.Consent{User: person})
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.Get(back)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		p.wait(0)
		if !strings.Contains(p.out.String(), person) || res.StatusCode != http.StatusOK {
			t.Errorf("the browser gets %s, the program says\n%s", res.Status, p.out.String())
		}
		if code, out, _ := s.run(lang, "-status"); code != 0 {
			t.Errorf("status: %s", out)
		}
	}
}

// TestSomebodyElse: with -user nobody else is taken, and who was associated before stays.
func TestSomebodyElse(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.srv.AddUser(graphtest.User{Address: "autre@mondaine.fr"})
	p := s.start("fr", "-user", person)
	if err := s.srv.Approve(p.out.says(t, codeFR), graphtest.Consent{User: "autre@mondaine.fr"}); err != nil {
		t.Fatal(err)
	}
	p.wait(1)
	if !strings.Contains(p.out.String(), "Échec") || p.errs.String() != "" {
		t.Errorf("%s%s", p.out.String(), p.errs.String())
	}
	if code, out, _ := s.run("fr", "-status"); code != 1 || !strings.HasPrefix(out, "compta : non associé\n") {
		t.Errorf("status: exit %d, %s", code, out)
	}
}

// TestStoppedBeforeTheCode: whoever stops while the provider does not answer is told how to go on.
func TestStoppedBeforeTheCode(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	asked := make(chan bool, 10)
	s.srv.Script(func(*graphtest.Call) *graphtest.Reply {
		asked <- true
		return &graphtest.Reply{Hang: true}
	})
	p := s.start("en")
	<-asked
	p.stop()
	p.wait(1)
	if e := p.errs.String(); e != "Stopped. The same command goes on.\n" {
		t.Errorf("standard error: %s", e)
	}
}

// TestOtherKey: what was sealed under a key that is lost can be replaced, or removed.
func TestOtherKey(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"-new", "-forget"} {
		s := newSite(t, nil)
		if err := demo.Associate(t.Context(), s.srv, filepath.Join(s.dir, "state.db"), "compta", person); err != nil {
			t.Fatal(err)
		}
		s.file["key"] = "cXVlbHF1ZSBhdXRyZSBjbMOpLCBlbmNvcmUgISEhISE="
		p := s.start("en", how)
		if how == "-new" {
			if err := s.srv.Approve(p.out.says(t, codeEN), graphtest.Consent{User: person}); err != nil {
				t.Fatal(err)
			}
		}
		p.wait(0)
		if code, out, errs := s.run("en", "-status"); how == "-new" && code != 0 || !strings.HasPrefix(out, "compta: ") || errs != "" {
			t.Errorf("%s: status: exit %d, %s%s", how, code, out, errs)
		}
	}
}

// TestTwoTerminals: a second person at the same account sees the same code, and both learn that
// it was approved.
func TestTwoTerminals(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	one := s.start("en")
	code := one.out.says(t, codeEN)
	two := s.start("fr")
	if other := two.out.says(t, codeFR); other != code || !strings.Contains(two.out.String(), "elle est reprise") {
		t.Errorf("one shows %s, the other\n%s", code, two.out.String())
	}
	if err := s.srv.Approve(code, graphtest.Consent{User: person}); err != nil {
		t.Fatal(err)
	}
	one.wait(0)
	two.wait(0)
	if n := redeemed(s.srv); n != 1 {
		t.Errorf("the code was redeemed %d times", n)
	}
}

// redeemed counts the sign-ins that gave tokens.
func redeemed(srv *graphtest.Server) (n int) {
	for _, c := range srv.Calls() {
		if c.Op == "token" && c.Status == http.StatusOK {
			n++
		}
	}
	return n
}

// TestExpiredMeanwhile: a request whose time ended while nobody watched is not taken up again: a
// new one begins without being asked for.
func TestExpiredMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t, &graphtest.Options{CodeLife: 2 * time.Second})
	p := s.start("en")
	first := p.out.says(t, codeEN)
	p.stop()
	p.wait(1)
	time.Sleep(2100 * time.Millisecond)
	p = s.start("en")
	if code := p.out.says(t, codeEN); code == first || strings.Contains(p.out.String(), "taken up again") {
		t.Errorf("the code %s is over:\n%s", first, p.out.String())
	}
	p.stop()
	p.wait(1)
}
