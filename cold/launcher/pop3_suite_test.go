package launcher

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/cold/coldtest"
)

// popHarness looks at the fake server's mails behind the launcher's back.
type popHarness struct {
	s *popServer
	l *POP3
}

func (h *popHarness) Launcher() cold.Launcher { return h.l }

func (h *popHarness) Add(t *testing.T, raw []byte) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.mails = append(h.s.mails, &popFake{fmt.Sprintf("id-%08d", len(h.s.mails)), string(raw)})
}

func (h *popHarness) Contents(t *testing.T, folder string) []coldtest.Kept {
	var out []coldtest.Kept
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	for _, m := range h.s.mails {
		if folder == "" {
			out = append(out, coldtest.Kept{Data: []byte(m.raw)})
		}
	}
	return out
}

func TestPOP3KeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*popServer{
		"with everything":    {caps: popCaps},
		"without pipelining": {caps: []string{"UIDL", "TOP", "USER"}},
		"without CAPA":       {},
		"without UIDL":       {noUIDL: true},
		"without UIDL, TOP":  {noUIDL: true, noTop: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			coldtest.TestLauncher(t, func(t *testing.T) coldtest.LauncherHarness {
				one := &popServer{caps: s.caps, noUIDL: s.noUIDL, noTop: s.noTop}
				return &popHarness{one, one.start(t)}
			})
		})
	}
}

// However a launcher is printed, its password is not.
func TestPOP3NoSecretInPrint(t *testing.T) {
	t.Parallel()
	const canary = "canari-9f3a"
	l := &POP3{Host: "pop.example.org", Account: "ged", Password: canary}
	type host struct{ Launchers []*POP3 }
	for _, v := range []any{l, []*POP3{l}, host{[]*POP3{l}}, &host{[]*POP3{l}}, map[string]*POP3{"a": l}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of %T shows the password: %s", verb, v, got)
			}
		}
		if b, err := json.Marshal(v); err != nil || strings.Contains(string(b), canary) {
			t.Errorf("json of %T: %s, %v", v, b, err)
		}
	}
	if got, want := l.String(), "pop3 ged@pop.example.org:995"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
