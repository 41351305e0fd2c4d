package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// TestMain runs the program itself where a test wants to kill it.
func TestMain(m *testing.M) {
	if args := os.Getenv("ACCOUNT_TEST_ARGS"); args != "" {
		os.Exit(run(context.Background(), strings.Split(args, "\n"), "en", os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const person = "florian@mondaine.fr"

// site is a fake Microsoft 365 and a configuration file with the account "compta" at it.
type site struct {
	t    *testing.T
	dir  string
	srv  *graphtest.Server
	file demo.Object
}

func newSite(t *testing.T, o *graphtest.Options, roles ...string) *site {
	t.Helper()
	srv, err := graphtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	srv.AddUser(graphtest.User{Address: person, Name: "Florian", Language: "fr"})
	s := &site{t: t, dir: t.TempDir(), srv: srv}
	a, err := demo.Microsoft(srv, s.dir, "compta", roles...)
	if err != nil {
		t.Fatal(err)
	}
	s.file = demo.Object{"key": demo.Key, "accounts": []any{a}}
	return s
}

func (s *site) settings() demo.Object {
	return s.file["accounts"].([]any)[0].(demo.Object)["settings"].(demo.Object)
}

// args puts the file and the account before more.
func (s *site) args(more ...string) []string {
	s.t.Helper()
	path, err := demo.Write(s.dir, s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	return append([]string{"-config", path, "-name", "compta"}, more...)
}

// output is what a program prints while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// program is a run of the program in this process.
type program struct {
	t         *testing.T
	out, errs output
	stop      context.CancelFunc // as Ctrl-C does
	ended     chan int
}

func (s *site) start(lang string, more ...string) *program {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	p := &program{t: s.t, stop: cancel, ended: make(chan int, 1)}
	args := s.args(more...)
	go func() { p.ended <- run(ctx, args, lang, &p.out, &p.errs) }()
	s.t.Cleanup(func() { cancel() })
	return p
}

// run is start and wait.
func (s *site) run(lang string, more ...string) (int, string, string) {
	s.t.Helper()
	p := s.start(lang, more...)
	code := <-p.ended
	return code, p.out.String(), p.errs.String()
}

// wait returns the exit code.
func (p *program) wait(want int) {
	p.t.Helper()
	if code := <-p.ended; code != want {
		p.t.Errorf("exit %d, want %d\n%s%s", code, want, p.out.String(), p.errs.String())
	}
}

// says waits until the output has matched and returns what the parentheses hold.
func (o *output) says(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m[len(m)-1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not say %s:\n%s", pattern, o.String())
		}
	}
}

const (
	codeEN = `(?m)Type this code:  (\S+)$`
	codeFR = `(?m)Saisissez ce code :  (\S+)$`
)

// TestProcedure: the procedure of the product, in both languages: code and link, waiting, who
// signed in and what was granted.
func TestProcedure(t *testing.T) {
	t.Parallel()
	for lang, c := range map[string]struct {
		code string
		want []string
	}{
		"en": {codeEN, []string{`Associating the account "compta"`, "Open this page in a browser, on any device:  URL", "accept what is asked", "Waiting: 1[45]m\\d+s left",
			"Associated: florian@mondaine.fr signed in", `Granted:  .*Mail\.Send`}},
		"fr": {codeFR, []string{"Association du compte « compta »", "Ouvrez cette page dans un navigateur, sur n'importe quel appareil :  URL", "acceptez les autorisations",
			"En attente : encore 1[45]m", "Compte associé : florian@mondaine.fr", `Accordé : .*Mail\.Send`}},
	} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nil)
			p := s.start(lang)
			code := p.out.says(t, c.code)
			if err := s.srv.Approve(code, graphtest.Consent{User: person}); err != nil {
				t.Fatal(err)
			}
			p.wait(0)
			for _, want := range c.want {
				want = strings.ReplaceAll(want, "URL", regexp.QuoteMeta(s.srv.URL)+`\S*`)
				if !regexp.MustCompile(want).MatchString(p.out.String()) {
					t.Errorf("it does not say %s:\n%s", want, p.out.String())
				}
			}
			if e := p.errs.String(); e != "" || strings.Contains(p.out.String(), "Missing") || strings.Contains(p.out.String(), "Manquant") {
				t.Errorf("standard error %q, output\n%s", e, p.out.String())
			}
			lang := "en-US"
			if c.code == codeFR {
				lang = "fr-FR"
			}
			for _, call := range s.srv.Calls() {
				if call.Op == "devicecode" && !strings.Contains(call.Query, lang) {
					t.Errorf("the page was asked for in %q", call.Query)
				}
			}
		})
	}
}

// TestNotApproved: every end but approval is 1, and says what happened and what to do next.
func TestNotApproved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o      *graphtest.Options
		do     func(s *graphtest.Server, code string) error
		en, fr string
	}{
		"declined": {nil, (*graphtest.Server).Decline, "Declined (", "Refusé ("},
		"blocked":  {nil, (*graphtest.Server).Block, "Blocked (AADSTS53003): ", "Bloqué (AADSTS53003) : "},
		"expired":  {&graphtest.Options{CodeLife: 2 * time.Second}, func(*graphtest.Server, string) error { return nil }, "Expired (", "Expiré ("},
	} {
		for _, lang := range []string{"en", "fr"} {
			t.Run(name+" "+lang, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, c.o)
				p := s.start(lang)
				code, want := codeEN, c.en
				if lang == "fr" {
					code, want = codeFR, c.fr
				}
				if err := c.do(s.srv, p.out.says(t, code)); err != nil {
					t.Fatal(err)
				}
				p.wait(1)
				_, rest, ok := strings.Cut(p.out.String(), want)
				if !ok || len(rest) < 30 {
					t.Errorf("%q is wanted with a sentence of help:\n%s", want, p.out.String())
				}
				if p.errs.String() != "" {
					t.Errorf("standard error: %s", p.errs.String())
				}
				if code, out, _ := s.run(lang, "-status"); code != 1 {
					t.Errorf("the status is %d: %s", code, out)
				}
			})
		}
	}
}

// TestMissingScopes: what somebody did not grant is named, with what to do about it.
func TestMissingScopes(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "send", "collect", "shared")
	p := s.start("fr")
	if err := s.srv.Approve(p.out.says(t, codeFR), graphtest.Consent{User: person, Scopes: []string{"User.Read", "Mail.Send"}}); err != nil {
		t.Fatal(err)
	}
	p.wait(0)
	missing := p.out.says(t, `Manquant : (.*)`)
	if !strings.Contains(missing, "Mail.ReadWrite") || !strings.Contains(missing, "Mail.Send.Shared") || strings.Contains(missing, "User.Read ") {
		t.Errorf("missing: %s", missing)
	}
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	if last := lines[len(lines)-1]; len(last) < 30 || strings.Contains(last, "Manquant") {
		t.Errorf("the last line is no help: %q", last)
	}
	if code, out, _ := s.run("en", "-status"); code != 0 || !strings.Contains(out, "Missing:  ") {
		t.Errorf("status: exit %d, %s", code, out)
	}
}

// TestTakenUpAgain: whoever stops, or is killed, loses nothing: the same command shows the same
// code; -new shows another.
func TestTakenUpAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	p := s.start("en")
	first := p.out.says(t, codeEN)
	p.stop()
	p.wait(1)
	if e := p.errs.String(); !regexp.MustCompile(`^Stopped\. The request stays open until \d\d:\d\d: the same command .* -new begins another\.\n$`).MatchString(e) {
		t.Errorf("standard error: %s", e)
	}

	if _, out, _ := s.run("en", "-status"); !strings.Contains(out, "A request to sign in is open.") {
		t.Errorf("status: %s", out)
	}

	// killed in the middle of waiting
	var out output
	killed := exec.CommandContext(t.Context(), os.Args[0])
	killed.Env = append(os.Environ(), "ACCOUNT_TEST_ARGS="+strings.Join(s.args(), "\n"))
	killed.Stdout, killed.Stderr = &out, &out
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	if code := out.says(t, codeEN); code != first || !strings.Contains(out.String(), "taken up again") {
		t.Errorf("the code was %s, now\n%s", first, out.String())
	}
	killed.Process.Kill()
	killed.Wait()

	p = s.start("en", "-new")
	if code := p.out.says(t, codeEN); code == first || strings.Contains(p.out.String(), "taken up again") {
		t.Errorf("-new shows the code %s again:\n%s", code, p.out.String())
	}
	p.stop()
	p.wait(1)

	p = s.start("en")
	code := p.out.says(t, codeEN)
	if code == first {
		t.Error("the request that -new replaced came back")
	}
	if err := s.srv.Approve(code, graphtest.Consent{User: person}); err != nil {
		t.Fatal(err)
	}
	p.wait(0)
}

// TestTrouble: a fault of the line is told once and changes nothing else.
func TestTrouble(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.srv.Script(func(c *graphtest.Call) *graphtest.Reply {
		if c.Op == "token" && c.N <= 1 {
			return &graphtest.Reply{Status: 503, Body: []byte("<html>sorry</html>")}
		}
		return nil
	})
	p := s.start("en")
	code := p.out.says(t, codeEN)
	p.out.says(t, "Trouble on the way, it goes on: .")
	if err := s.srv.Approve(code, graphtest.Consent{User: person}); err != nil {
		t.Fatal(err)
	}
	p.wait(0)
	if n := strings.Count(p.out.String(), "Trouble"); n != 1 {
		t.Errorf("it tells %d times:\n%s", n, p.out.String())
	}
}

func TestStatusAndForget(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	if code, out, errs := s.run("en", "-status"); code != 1 || !strings.HasPrefix(out, "compta: not associated\n") || errs != "" {
		t.Errorf("before: exit %d, %s%s", code, out, errs)
	}
	if err := demo.Associate(t.Context(), s.srv, filepath.Join(s.dir, "state.db"), "compta", person); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := s.run("fr", "-status"); code != 0 || !strings.HasPrefix(out, "compta : prêt\n") || !strings.Contains(out, person) ||
		!strings.Contains(out, "Depuis :") || errs != "" {
		t.Errorf("associated: exit %d, %s%s", code, out, errs)
	}
	if code, out, errs := s.run("en", "-forget"); code != 0 || out != "What was stored of the account \"compta\" is removed.\n" || errs != "" {
		t.Errorf("forget: exit %d, %s%s", code, out, errs)
	}
	if code, out, _ := s.run("en", "-status"); code != 1 || !strings.HasPrefix(out, "compta: not associated\n") {
		t.Errorf("after: exit %d, %s", code, out)
	}
}

// TestSignedInBefore: whoever replaces an account is told whose it was.
func TestSignedInBefore(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	if err := demo.Associate(t.Context(), s.srv, filepath.Join(s.dir, "state.db"), "compta", person); err != nil {
		t.Fatal(err)
	}
	s.srv.AddUser(graphtest.User{Address: "compta@mondaine.fr"})
	p := s.start("en")
	code := p.out.says(t, codeEN)
	if !strings.Contains(p.out.String(), person+" has signed in before") {
		t.Errorf("it does not tell:\n%s", p.out.String())
	}
	if err := s.srv.Approve(code, graphtest.Consent{User: "compta@mondaine.fr"}); err != nil {
		t.Fatal(err)
	}
	p.wait(0)
	if _, out, _ := s.run("en", "-status"); !strings.Contains(out, "compta@mondaine.fr") || strings.Contains(out, person) {
		t.Errorf("status: %s", out)
	}
}
