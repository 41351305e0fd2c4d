package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// printed is everything that a careless program may do with a value.
func printed(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	if j, err := json.Marshal(v); err == nil {
		b.Write(j)
	}
	if e, ok := v.(error); ok {
		b.WriteString(e.Error())
	}
	return b.String()
}

// No code, verifier, state, secret or token of a flow is in a print, log, JSON or error,
// also if the provider repeats them all in its refusals. The address that the browser opens
// holds the state: that is what it is for.
func TestFlowKeepsItsSecrets(t *testing.T) {
	t.Parallel()
	echo := func(word string) reply {
		b, _ := json.Marshal(map[string]any{"error": word, "error_description": canaryDevice + " " + canarySecret + " " + canaryUserCode,
			"suberror": canaryDevice, "trace_id": canaryDevice, "error_codes": []string{canaryDevice}})
		return reply{status: 400, body: string(b)}
	}
	for name, script := range map[string][]reply{
		"approved": {pending, granted1}, "refused": {pending, echo("invalid_grant")}, "odd": {echo(canaryDevice)},
		"out of order": {echo("temporarily_unavailable"), {}, {status: 503, body: canaryDevice}, echo("expired_token")},
	} {
		for _, method := range []Method{MethodDevice, MethodCode} {
			t.Run(name+" "+string(method), func(t *testing.T) {
				t.Parallel()
				s, k := newIDP(t, script...), newClock()
				m := s.microsoft(t, new(Memory), k, func(m *Microsoft) { m.ClientSecret = canarySecret })
				a := m.Account("a")
				f := begin(t, a, &BeginOptions{Method: method, Redirect: hostRedirect})
				at := f.r.known()
				secrets := []string{canarySecret, canaryRefresh, canaryAccess, "c0de-canary"}
				if method == MethodDevice {
					secrets = append(secrets, canaryUserCode, canaryDevice)
				}
				for _, v := range []string{at.Verifier, at.State} {
					if v != "" {
						secrets = append(secrets, v)
					}
				}
				var shown strings.Builder
				show := func(p Progress) {
					p.URL = ""
					shown.WriteString(printed(t, p) + printed(t, &p) + printed(t, f) + printed(t, *f))
					shown.WriteString(printed(t, p.Err) + printed(t, p.Fault) + printed(t, m) + printed(t, a))
				}
				show(f.Progress())
				var err error
				if method == MethodDevice {
					_, err = f.Wait(t.Context(), show)
				} else {
					_, err = f.Finish(t.Context(), back(t, f, "code", "c0de-canary"))
				}
				show(f.Progress())
				shown.WriteString(printed(t, err))
				if method == MethodCode {
					_, err = f.Finish(t.Context(), back(t, f, "error", "c0de-canary"))
					shown.WriteString(printed(t, err))
				}
				st, err := a.Status(t.Context())
				shown.WriteString(printed(t, st) + printed(t, err))
				for _, secret := range secrets {
					if i := strings.Index(shown.String(), secret); i >= 0 {
						t.Errorf("%q is shown: %q", secret, shown.String()[max(0, i-200):i+len(secret)])
					}
				}
			})
		}
	}
}
