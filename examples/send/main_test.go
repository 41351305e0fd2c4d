package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// canary is a secret that no output may show.
const canary = "K4N4R1-ne-doit-jamais-paraître"

// site is a mail server and a configuration file that sends through it.
type site struct {
	t    *testing.T
	dir  string
	srv  *demo.Server
	file demo.Object
	main demo.Object // the connector "main"
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	srv, err := demo.Start(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	main := srv.Connector("main")
	return &site{t: t, dir: dir, srv: srv, main: main, file: demo.Object{
		"connectors": []any{main, srv.Connector("compta")},
		"services": demo.Object{"mail": demo.Object{"default": "main", "instances": demo.Object{
			"relances": demo.Object{"connector": "compta"}, "accueil": demo.Object{}}}},
	}}
}

// settings is those of the connector "main".
func (s *site) settings() demo.Object { return s.main["settings"].(demo.Object) }

// result is what a run of the program left.
type result struct {
	code           int
	stdout, stderr string
}

func (s *site) run(args ...string) result {
	s.t.Helper()
	path, err := demo.Write(s.dir, s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	return program(s.t.Context(), append([]string{"-config", path}, args...)...)
}

func program(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	code := run(ctx, args, &out, &errs)
	return result{code, out.String(), errs.String()}
}

func TestSend(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	pdf := filepath.Join(s.dir, "Facture été.pdf")
	if err := os.WriteFile(pdf, []byte("%PDF-1.4\nété\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := s.run("-from", "compta@example.org", "-to", `maire@example.org, "Dupont, Zoé" <zoe@example.org>`, "-cc", "copie@example.org", "-bcc", "cachee@example.org",
		"-subject", "Facture n° 114", "-text", "Bonjour,\nvoici.", "-html", "<p>Bonjour</p>", "-attach", pdf, "-attach", pdf)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	lines := strings.Split(r.stdout, "\n")
	if !strings.HasPrefix(lines[0], `accepted through connector "main" (default), Message-ID `) || len(lines) != 6 {
		t.Errorf("printed\n%s", r.stdout)
	}
	sent := s.srv.Sent()
	if len(sent) != 1 || !slices.Equal(sent[0].To, []string{"maire@example.org", "zoe@example.org", "copie@example.org", "cachee@example.org"}) {
		t.Fatalf("the server took %+v", sent)
	}
	raw := string(sent[0].Raw)
	for _, want := range []string{"compta@example.org", "multipart/alternative", "text/html", "application/pdf"} {
		if !strings.Contains(raw, want) {
			t.Errorf("the mail lacks %q:\n%s", want, raw)
		}
	}
	if strings.Count(raw, "application/pdf") != 2 || strings.Contains(raw, "cachee@") {
		t.Errorf("two files and no trace of Bcc are wanted:\n%s", raw)
	}
}

func TestConnectorAndReason(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, `accepted through connector "main" (default), `},
		{[]string{"-instance", "relances"}, `accepted through connector "compta" (instance), `},
		{[]string{"-instance", "accueil"}, `accepted through connector "main" (default), `},
		{[]string{"-connector", "compta"}, `accepted through connector "compta" (explicit), `},
	} {
		r := s.run(append(c.args, "-to", "maire@example.org", "-subject", "x")...)
		if r.code != 0 || !strings.HasPrefix(r.stdout, c.want) {
			t.Errorf("%v: exit %d, %s%s", c.args, r.code, r.stdout, r.stderr)
		}
	}
	if n := len(s.srv.Sent()); n != 4 {
		t.Errorf("%d mails arrived, want 4", n)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.srv.Refuse("parti@example.org")
	for name, c := range map[string]struct {
		to     string
		code   int
		state  string
		states []string
	}{
		"accepted": {"maire@example.org", 0, "accepted", []string{"accepted"}},
		"in part":  {"maire@example.org,parti@example.org", 1, "accepted", []string{"accepted", "rejected"}},
		"refused":  {"parti@example.org", 1, "rejected", []string{"rejected"}},
	} {
		r := s.run("-to", c.to, "-subject", "x", "-json")
		if r.code != c.code || strings.Count(r.stdout, "\n") != 1 {
			t.Fatalf("%s: exit %d\n%s%s", name, r.code, r.stdout, r.stderr)
		}
		var got struct {
			MessageID  string `json:"message_id"`
			Connector  string
			Reason     string
			State      string
			Recipients []struct{ Address, State, Code, Text string }
		}
		if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
			t.Fatal(err)
		}
		if top := keys(t, []byte(r.stdout)); !slices.Equal(top, []string{"message_id", "connector", "reason", "state", "recipients",
			"address", "state", "code", "text"}) {
			t.Errorf("%s: keys %q", name, top)
		}
		if got.Connector != "main" || got.Reason != "default" || got.State != c.state || !strings.HasSuffix(got.MessageID, "@example.org") {
			t.Errorf("%s: %+v", name, got)
		}
		var states []string
		for i, one := range got.Recipients {
			states = append(states, one.State)
			if one.Address != strings.Split(c.to, ",")[i] || one.Code == "" || one.Text == "" {
				t.Errorf("%s: recipient %+v", name, one)
			}
			if one.State == "rejected" && one.Code != "550 5.1.1" {
				t.Errorf("%s: code %q, want the server's", name, one.Code)
			}
		}
		if !slices.Equal(states, c.states) {
			t.Errorf("%s: states %q, want %q", name, states, c.states)
		}
	}
}

// keys lists each key of an object and of the objects in it once per object form.
func keys(t *testing.T, object []byte) []string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	type level struct {
		object bool
		n      int
	}
	var stack []level
	var out []string
	once := map[string]bool{}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(stack) > 0 && tok != json.Delim('}') && tok != json.Delim(']') {
			top := &stack[len(stack)-1]
			if top.n++; top.object && top.n%2 == 1 {
				name := strings.Repeat(" ", len(stack)) + tok.(string)
				if !once[name] {
					once[name] = true
					out = append(out, tok.(string))
				}
				continue
			}
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			stack = append(stack, level{object: tok == json.Delim('{')})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
	}
}

// TestWrong: every mistake gives its exit code and one sentence that helps.
func TestWrong(t *testing.T) {
	t.Parallel()
	good := []string{"-to", "maire@example.org", "-subject", "x"}
	with := func(more ...string) []string { return append(slices.Clone(good), more...) }
	for _, c := range []struct {
		name   string
		change func(s *site)
		args   []string
		code   int
		want   []string // in the sentence
	}{
		{name: "no recipient", args: []string{"-subject", "x"}, code: 2, want: []string{"-to ADDRESS"}},
		{name: "no address", args: []string{"-to", "maire", "-subject", "x"}, code: 2, want: []string{"to[0]"}},
		{name: "line end in the subject", args: []string{"-to", "maire@example.org", "-subject", "x\nBcc: y@example.org"}, code: 2, want: []string{"subject"}},
		{name: "attachment missing", args: with("-attach", "absent.pdf"), code: 2, want: []string{"-attach", "absent.pdf"}},
		{name: "attachment is a folder", args: with("-attach", "."), code: 2, want: []string{"-attach", "not a regular file"}},
		{name: "unknown flag", args: with("-atach", "x"), code: 2, want: []string{"-atach", "-h lists the flags"}},
		{name: "unknown instance", args: with("-instance", "relance"), code: 2, want: []string{`no instance "relance"`, `"relances"`}},
		{name: "unknown connector", args: with("-connector", "man"), code: 2, want: []string{`"man"`, `"main"`}},
		{name: "no default", change: func(s *site) { delete(s.file, "services") }, code: 2, want: []string{"no default connector", `"main"`}},
		{name: "default that is no connector", code: 2, want: []string{`"nul"`, `"main"`}, change: func(s *site) {
			s.file["services"] = demo.Object{"mail": demo.Object{"default": "nul"}}
		}},
		{name: "unknown service", code: 2, want: []string{`unknown service "fax"`, "mail"}, change: func(s *site) {
			s.file["services"] = demo.Object{"fax": demo.Object{}}
		}},
		{name: "unknown key", change: func(s *site) { s.settings()["acount"] = "x" }, code: 2, want: []string{"connectors[0].settings.acount", `"account"`}},
		{name: "unknown kind", change: func(s *site) { s.main["kind"] = "stmp" }, code: 2, want: []string{`unknown kind "stmp"`, `mean "smtp"`}},
		{name: "missing host", change: func(s *site) { delete(s.settings(), "host") }, code: 2, want: []string{"connectors[0].settings.host", "is missing"}},
		{name: "account without a key", change: func(s *site) {
			s.file["accounts"] = []any{demo.Object{"name": "compta", "kind": "microsoft", "settings": demo.Object{"client_id": "x"}}}
		}, code: 2, want: []string{"key: is missing", "openssl rand -base64 32", "VAGUEMESTRE_KEY"}},
		{name: "redelivery comes later", code: 2, want: []string{`unknown key "redelivery"`}, change: func(s *site) {
			s.file["services"].(demo.Object)["mail"].(demo.Object)["instances"] = demo.Object{"relances": demo.Object{"redelivery": demo.Object{}}}
		}},

		{name: "wrong password", change: func(s *site) { s.settings()["password"] = canary }, code: 1, want: []string{"535"}},
		{name: "refused recipient", change: func(s *site) { s.srv.Refuse("maire@example.org") }, code: 1, want: []string{"550 5.1.1"}},
		{name: "one refused of two", change: func(s *site) { s.srv.Refuse("parti@example.org") }, args: []string{"-to", "maire@example.org,parti@example.org"},
			code: 1, want: []string{"parti@example.org is rejected", "550 5.1.1"}},
		{name: "nobody there", change: func(s *site) { s.srv.Close() }, code: 1, want: []string{"refuses the connection"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if c.change != nil {
				c.change(s)
			}
			args := c.args
			if args == nil {
				args = good
			}
			r := s.run(args...)
			t.Logf("%s", r.stderr)
			if r.code != c.code {
				t.Errorf("exit %d, want %d", r.code, c.code)
			}
			if strings.Count(r.stderr, "\n") != 1 || !strings.HasSuffix(r.stderr, "\n") {
				t.Errorf("standard error is not one line:\n%s", r.stderr)
			}
			for _, w := range c.want {
				if !strings.Contains(r.stderr, w) {
					t.Errorf("the sentence does not say %q: %s", w, r.stderr)
				}
			}
			if strings.Contains(r.stdout+r.stderr, canary) {
				t.Errorf("the secret is shown:\n%s%s", r.stdout, r.stderr)
			}
			if n := len(s.srv.Sent()); c.code == 2 && n > 0 {
				t.Errorf("%d mails were sent all the same", n)
			}
		})
	}
	if r := program(t.Context(), "-config", filepath.Join(t.TempDir(), "absent.json"), "-to", "maire@example.org"); r.code != 2 ||
		strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "-config names the file") {
		t.Errorf("missing file: exit %d, %s", r.code, r.stderr)
	}
	if r := program(t.Context(), "-h"); r.code != 0 || !strings.Contains(r.stdout, "-attach F") {
		t.Errorf("help: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"":                                  nil,
		"a@example.org":                     {"a@example.org"},
		" a@example.org , b@example.org,,":  {"a@example.org", "b@example.org"},
		`"Dupont, Zoé" <z@example.org>,b@x`: {`"Dupont, Zoé" <z@example.org>`, "b@x"},
	} {
		if got := split(in); !slices.Equal(got, want) {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}
