package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
	"github.com/vaguemestre/vaguemestre/settings"
)

// TestWrong: every mistake gives its exit code and one sentence that helps.
func TestWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(s *site)
		args   []string
		code   int
		want   []string
	}{
		{name: "no key", change: func(s *site) { delete(s.file, "key") }, code: 2, want: []string{"key: is missing", "openssl rand -base64 32", `"VAGUEMESTRE_KEY"`}},
		{name: "unknown account", args: []string{"-name", "comta"}, code: 2, want: []string{`unknown account "comta"`, `known: "compta"`}},
		{name: "no accounts", change: func(s *site) { delete(s.file, "accounts") }, code: 2, want: []string{`unknown account "compta"`, `under "accounts"`}},
		{name: "no client", change: func(s *site) { delete(s.settings(), "client_id") }, code: 2, want: []string{"accounts[0].settings.client_id", "is missing"}},
		{name: "ca file", change: func(s *site) { s.settings()["ca_file"] = "absent.pem" }, code: 2, want: []string{"absent.pem"}},
		{name: "method", args: []string{"-method", "password"}, code: 2, want: []string{"use device or code"}},
		{name: "language", args: []string{"-lang", "de"}, code: 2, want: []string{"use fr or en"}},
		{name: "both", args: []string{"-status", "-forget"}, code: 2, want: []string{"not both"}},
		{name: "no name", args: []string{"-name", ""}, code: 2, want: []string{"-name NAME"}},
		{name: "unknown application", change: func(s *site) { s.settings()["client_id"] = "11111111-0000-0000-0000-000000000000" }, code: 2, want: []string{"700016"}},
		{name: "another store's key", code: 2, want: []string{"key"}, change: func(s *site) {
			if err := demo.Associate(s.t.Context(), s.srv, filepath.Join(s.dir, "state.db"), "compta", person); err != nil {
				s.t.Fatal(err)
			}
			s.file["key"] = "cXVlbHF1ZSBhdXRyZSBjbMOpLCBlbmNvcmUgISEhISE="
		}},
		{name: "store in a missing folder", change: func(s *site) { s.file["store"] = "absent/state.db" }, code: 2, want: []string{"absent", `"store" in the configuration`}},
		{name: "nobody there", change: func(s *site) { s.srv.Close() }, code: 1, want: []string{"auth: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			if c.change != nil {
				c.change(s)
			}
			code, out, errs := s.run("en", c.args...)
			t.Logf("%s", errs)
			if code != c.code || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit %d, want %d and one line:\n%s%s", code, c.code, out, errs)
			}
			for _, want := range c.want {
				if !strings.Contains(errs, want) {
					t.Errorf("the sentence does not say %q: %s", want, errs)
				}
			}
		})
	}
}

// TestJSON: one object per line; the code is shown, since the program that reads it shows it to
// somebody, and no token is.
func TestJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	p := s.start("en", "-json")
	code := p.out.says(t, `"user_code":"([^"]+)"`)
	if err := s.srv.Approve(code, graphtest.Consent{User: person}); err != nil {
		t.Fatal(err)
	}
	p.wait(0)
	var states []string
	for line := range strings.Lines(p.out.String()) {
		var got struct {
			Account, Method, State, URL, User string
			Granted                           []string
			UserCode                          string `json:"user_code"`
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if got.Account != "compta" || got.Method != "device" || got.State == "waiting" && (got.UserCode != code || !strings.HasPrefix(got.URL, s.srv.URL)) {
			t.Errorf("%s", line)
		}
		if states = append(states, got.State); got.State == "approved" && (got.User != person || !slices.Contains(got.Granted, "Mail.Send")) {
			t.Errorf("%s", line)
		}
	}
	if len(states) < 2 || states[0] != "waiting" || states[len(states)-1] != "approved" || p.errs.String() != "" {
		t.Errorf("states %q, %s", states, p.errs.String())
	}
	var st auth.Status
	if code, out, _ := s.run("en", "-status", "-json"); code != 0 || json.Unmarshal([]byte(out), &st) != nil || st.Standing != auth.StandingReady || st.User != person {
		t.Errorf("status: exit %d, %s", code, out)
	}
	// what the fake issued is in neither output nor file
	for _, c := range s.srv.Calls() {
		form := string(c.Body)
		if _, device, ok := strings.Cut(form, "device_code="); ok {
			device, _, _ = strings.Cut(device, "&")
			if strings.Contains(p.out.String(), device) || len(device) < 10 {
				t.Errorf("the device code %q is shown", device)
			}
			for _, f := range []string{"state.db", "state.db-wal"} {
				if b, err := os.ReadFile(filepath.Join(s.dir, f)); err == nil && bytes.Contains(b, []byte(device)) {
					t.Errorf("%s holds the device code in clear", f)
				}
			}
		}
	}
}

// TestScreen: what comes from afar cannot command the terminal, and a terminal gets one line of
// remaining time that changes.
func TestScreen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newScreen(&out, languages["en"], false)
	s.end(auth.Progress{State: auth.StateApproved, User: "a\x1b]0;x\x07\x1b[2J\u009b31m@example.org\n"})
	if got := out.String(); got != "Associated: a]0;x[2J31m@example.org signed in.\n" {
		t.Errorf("%q", got)
	}
	out.Reset()
	now := time.Now()
	s.tty, s.p, s.shown = true, auth.Progress{State: auth.StateWaiting, Expires: now.Add(90 * time.Second)}, "x"
	s.countdown(now, true)
	s.countdown(now.Add(time.Second), false)
	s.countdown(now.Add(time.Hour), false)
	if got := strings.Split(out.String(), "\r\x1b[K"); len(got) != 4 || !strings.Contains(got[1], "1m30s") || !strings.Contains(got[2], "1m29s") ||
		!strings.Contains(got[3], " 0s ") || strings.Contains(out.String(), "\n") {
		t.Errorf("%q", got)
	}
	out.Reset()
	s.tty = false
	s.end(auth.Progress{State: auth.StateFailed, Help: settings.Text{EN: "ask somebody", FR: "demandez"}})
	if got := out.String(); got != "Failed: ask somebody\n" {
		t.Errorf("%q", got)
	}
}

// TestTroubleReads: what is in the way is told in the language of the person, with its cause.
func TestTroubleReads(t *testing.T) {
	t.Parallel()
	help := settings.Text{EN: "nothing is to be done", FR: "il n'y a rien à faire"}
	for _, c := range []struct {
		lang, want string
		fault      error
	}{
		{"fr", "il n'y a rien à faire (connection refused)", &vaguemestre.Error{Op: "auth: x", Err: errors.New("connection refused")}},
		{"en", "nothing is to be done (connection refused)", &vaguemestre.Error{Op: "auth: x", Err: errors.New("connection refused")}},
		{"fr", "il n'y a rien à faire", &vaguemestre.Error{Op: "auth: x", Err: errors.New(help.EN)}},
		{"fr", "", nil},
	} {
		if got := newScreen(io.Discard, languages[c.lang], false).trouble(auth.Progress{Help: help, Fault: c.fault}); got != c.want {
			t.Errorf("%s: %q, want %q", c.lang, got, c.want)
		}
	}
	err := &vaguemestre.Error{Op: "auth: token", Class: vaguemestre.ClassAuth, Err: auth.ErrReauth}
	if got := sentence(t.Context(), err, languages["fr"], auth.Progress{}); !strings.HasPrefix(got, "le fournisseur n'accepte plus l'autorisation du compte") {
		t.Errorf("%q", got)
	}
	var out bytes.Buffer
	newScreen(&out, languages["fr"], false).end(auth.Progress{State: auth.StateApproved})
	if out.String() != "Compte associé.\n" {
		t.Errorf("%q", out.String())
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ all, messages, lang, want string }{
		{"", "", "fr_FR.UTF-8", "fr"}, {"", "", "C", "en"}, {"", "", "", "en"}, {"C", "fr_FR", "fr_FR", "en"}, {"", "fr", "en_US", "fr"},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang}
		if got := language(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%v gives %s", c, got)
		}
	}
}

// TestWords: both languages say everything.
func TestWords(t *testing.T) {
	t.Parallel()
	for lang, w := range languages {
		for _, text := range []string{w.tag, w.title, w.again, w.resumed, w.open, w.openHere, w.type_, w.sign, w.waiting, w.left, w.minute, w.fault, w.approved, w.associated,
			w.granted, w.missing, w.interrupted, w.stopped, w.forgotten, w.standing, w.user, w.since, w.pending, w.date} {
			if text == "" {
				t.Errorf("%s lacks a text", lang)
			}
		}
		for _, s := range []auth.State{auth.StateDeclined, auth.StateExpired, auth.StateBlocked, auth.StateFailed, auth.StateCanceled} {
			if w.states[s] == "" {
				t.Errorf("%s has no word for %s", lang, s)
			}
		}
		for _, s := range []auth.Standing{auth.StandingNone, auth.StandingReady, auth.StandingReauth, auth.StandingDegraded} {
			if w.standings[s] == "" {
				t.Errorf("%s has no word for %s", lang, s)
			}
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, "fr", &out, &errs); code != 0 || errs.Len() > 0 {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	for _, want := range []string{"-config FILE", "-name NAME", "-method HOW", "-status", "-forget", "-new", "-lang LANGUAGE", `(default "fr")`, "-json", "-user ADDRESS"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no word about %s:\n%s", want, out.String())
		}
	}
}
