package auth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

func TestDeviceEnds(t *testing.T) {
	t.Parallel()
	html := reply{status: 502, body: "<html>Bad gateway</html>"}
	tests := []struct {
		name   string
		script []reply
		state  State
		class  vaguemestre.Class
		code   string
		polls  int
	}{
		{"approved at once", []reply{granted1}, StateApproved, "", "", 1},
		{"approved after some time", []reply{pending, pending, pending, granted1}, StateApproved, "", "", 4},
		{"declined in Entra's word", []reply{pending, refuse("authorization_declined")}, StateDeclined, vaguemestre.ClassAuth, "authorization_declined", 2},
		{"declined in the RFC's word", []reply{refuse("access_denied")}, StateDeclined, vaguemestre.ClassAuth, "access_denied", 1},
		{"consent refused", []reply{refuse("invalid_grant", 65004)}, StateDeclined, vaguemestre.ClassAuth, "AADSTS65004", 1},
		{"expired", []reply{refuse("expired_token")}, StateExpired, vaguemestre.ClassAuth, "expired_token", 1},
		{"expired in the older word", []reply{refuse("code_expired")}, StateExpired, vaguemestre.ClassAuth, "code_expired", 1},
		{"expired by code", []reply{refuse("invalid_grant", 70020)}, StateExpired, vaguemestre.ClassAuth, "AADSTS70020", 1},
		{"expired by our clock", []reply{pending}, StateExpired, vaguemestre.ClassAuth, "expired_token", 179},
		{"unknown code", []reply{refuse("bad_verification_code", 70018)}, StateFailed, vaguemestre.ClassAuth, "AADSTS70018", 1},
		{"Conditional Access", []reply{refuse("invalid_grant", 53003)}, StateBlocked, vaguemestre.ClassAuth, "AADSTS53003", 1},
		{"security defaults", []reply{refuse("access_denied", 530035)}, StateBlocked, vaguemestre.ClassAuth, "AADSTS530035", 1},
		{"not assigned", []reply{refuse("interaction_required", 50105)}, StateBlocked, vaguemestre.ClassAuth, "AADSTS50105", 1},
		{"public clients not allowed", []reply{{status: 401, body: refuse("invalid_client", 7000218).body}}, StateFailed, vaguemestre.ClassConfig, "AADSTS7000218", 1},
		{"unknown application", []reply{refuse("unauthorized_client", 700016)}, StateFailed, vaguemestre.ClassConfig, "AADSTS700016", 1},
		{"unknown code of Entra", []reply{refuse("invalid_grant", 1)}, StateFailed, vaguemestre.ClassAuth, "AADSTS1", 1},
		{"unknown word", []reply{refuse("no_idea")}, StateFailed, vaguemestre.ClassAuth, "no_idea", 1},
		{"the line breaks", []reply{pending, {}, pending, granted1}, StateApproved, "", "", 4},
		{"a page of HTML", []reply{html, html, granted1}, StateApproved, "", "", 3},
		{"a page of HTML that looks well", []reply{{status: 200, body: "<html>"}, granted1}, StateApproved, "", "", 2},
		{"out of order", []reply{refuse("temporarily_unavailable"), {status: 503, body: `{"error":"invalid_grant"}`}, granted1}, StateApproved, "", "", 3},
		{"1 MiB and more", []reply{{status: 200, body: `{"access_token":"` + strings.Repeat("x", 2<<20)}, granted1}, StateApproved, "", "", 2},
		{"a loop detected", []reply{refuse("invalid_grant", 50196), granted1}, StateApproved, "", "", 2},
		{"without a refresh token", []reply{{status: 200, body: `{"access_token":"a","token_type":"Bearer","expires_in":3599}`}}, StateFailed, vaguemestre.ClassConfig, "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, k := newIDP(t, tt.script...), newClock()
			store := new(Memory)
			a := s.microsoft(t, store, k).Account("compta")
			f := begin(t, a, nil)
			if p := f.Progress(); p.State != StateWaiting || p.UserCode.Reveal() != canaryUserCode || p.URL != "https://login.example.org/device" ||
				p.Interval != 5*time.Second || !p.Expires.Equal(k.now().Add(15*time.Minute)) {
				t.Fatalf("progress after Begin: %+v", p)
			}
			p, err := f.Wait(t.Context(), nil)
			if p.State != tt.state || p.Code != tt.code || vaguemestre.ClassOf(err) != tt.class {
				t.Errorf("state %q, code %q, class %q (%v); want %q, %q, %q", p.State, p.Code, vaguemestre.ClassOf(err), err, tt.state, tt.code, tt.class)
			}
			if n := len(s.tokenForms()); n != tt.polls {
				t.Errorf("%d polls, want %d", n, tt.polls)
			}
			if (err == nil) != (tt.state == StateApproved) || err != p.Err {
				t.Errorf("error %v, Progress.Err %v", err, p.Err)
			}
			if tt.state != StateApproved && (p.Help.EN == "" || p.Help.FR == "") {
				t.Errorf("no help: %+v", p.Help)
			}
			if help, ok := Explain(err); err != nil && (!ok || help != p.Help) {
				t.Errorf("Explain gives %v, %v; Progress.Help is %v", help, ok, p.Help)
			}
			// A second Wait sees the outcome and asks nobody.
			if again, _ := f.Wait(t.Context(), nil); again.State != tt.state || len(s.tokenForms()) != tt.polls {
				t.Errorf("a second Wait: %q after %d polls", again.State, len(s.tokenForms()))
			}
			if _, err := a.Resume(t.Context()); !errors.Is(err, ErrNoFlow) {
				t.Errorf("Resume of a flow that has ended: %v", err)
			}
			value, _, _ := store.Load(t.Context(), flowName("compta"))
			if strings.Contains(string(value), canaryDevice) || strings.Contains(string(value), canaryUserCode) {
				t.Errorf("the record of a flow that has ended holds its codes: %s", value)
			}
		})
	}
}

func TestDeviceRequest(t *testing.T) {
	t.Parallel()
	s := newIDP(t, granted1)
	begin(t, s.microsoft(t, new(Memory), nil).Account("a"), &BeginOptions{Language: "fr-FR"})
	r := s.asked[0]
	if r.URL.Path != "/common/oauth2/v2.0/devicecode" || r.URL.Query().Get("mkt") != "fr-FR" {
		t.Errorf("asked %s", r.URL)
	}
	want := "openid profile offline_access https://graph.microsoft.com/User.Read https://graph.microsoft.com/Mail.Send https://graph.microsoft.com/Mail.ReadWrite"
	if f := s.forms[0]; f.Get("scope") != want || f.Get("client_id") != "11111111-2222" || len(f) != 2 || r.Header.Get("Authorization") != "" {
		t.Errorf("form %v", f)
	}
}

func TestPollForm(t *testing.T) {
	t.Parallel()
	s := newIDP(t, granted1)
	f := begin(t, s.microsoft(t, new(Memory), newClock()).Account("a"), nil)
	if _, err := f.Wait(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	form := s.tokenForms()[0]
	if form.Get("grant_type") != deviceGrant || form.Get("device_code") != canaryDevice || form.Get("client_id") == "" || len(form) != 3 {
		t.Errorf("form %v", form)
	}
}

func TestPollingKeepsThePace(t *testing.T) {
	t.Parallel()
	sec := func(n ...int) (out []time.Duration) {
		for _, s := range n {
			out = append(out, time.Duration(s)*time.Second)
		}
		return out
	}
	later := reply{status: 429, body: `{}`, header: http.Header{"Retry-After": {"40"}}}
	tests := []struct {
		name   string
		device map[string]any
		script []reply
		gaps   []time.Duration
	}{
		{"the interval before the first question too", nil, []reply{pending, pending, granted1}, sec(5, 5, 5)},
		{"an interval of its own", map[string]any{"interval": 7}, []reply{pending, granted1}, sec(7, 7)},
		{"no interval is 5 s", map[string]any{"interval": nil}, []reply{pending, granted1}, sec(5, 5)},
		{"an interval as a text", map[string]any{"interval": "7"}, []reply{granted1}, sec(7)},
		{"an interval without sense is 5 s", map[string]any{"interval": -3}, []reply{granted1}, sec(5)},
		{"an interval for ever is cut", map[string]any{"interval": 1e12}, []reply{granted1}, sec(300)},
		{"slow_down holds for all later questions", nil, []reply{refuse("slow_down"), pending, refuse("slow_down"), pending, granted1}, sec(5, 10, 10, 15, 15)},
		{"faults slow down and an answer ends that", nil, []reply{{}, {}, {}, pending, granted1}, sec(5, 10, 15, 25, 5)},
		{"Retry-After is honoured", nil, []reply{later, granted1}, sec(5, 40)},
		{"the last pause ends with the code", map[string]any{"expires_in": 12}, []reply{pending}, sec(5, 5, 2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, k := newIDP(t, tt.script...), newClock()
			s.device = deviceReply(tt.device)
			f := begin(t, s.microsoft(t, new(Memory), k).Account("a"), nil)
			_, _ = f.Wait(t.Context(), nil)
			if got := k.slept(); !slices.Equal(got, tt.gaps) {
				t.Errorf("gaps %v, want %v", got, tt.gaps)
			}
		})
	}
}

func TestBeginRefusesWhatIsNotSafe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		device reply
		class  vaguemestre.Class
	}{
		{"plain http", deviceReply(map[string]any{"verification_uri": "http://login.example.org/device"}), config},
		{"javascript", deviceReply(map[string]any{"verification_uri": "javascript:alert(1)"}), config},
		{"no page", deviceReply(map[string]any{"verification_uri": nil}), config},
		{"a user name in it", deviceReply(map[string]any{"verification_uri": "https://login.example.org@evil.example.org/"}), config},
		{"control characters in the page", deviceReply(map[string]any{"verification_uri": "https://login.example.org/\u009b2J"}), config},
		{"a code that turns the writing", deviceReply(map[string]any{"user_code": "AB\u202eCD"}), config},
		{"control characters in the code", deviceReply(map[string]any{"user_code": "AB\x1b[2J"}), config},
		{"no code", deviceReply(map[string]any{"user_code": nil}), config},
		{"no device code", deviceReply(map[string]any{"device_code": ""}), config},
		{"unknown client", refuse("unauthorized_client", 700016), config},
		{"blocked", refuse("invalid_grant", 53003), vaguemestre.ClassAuth},
		{"out of order", reply{status: 503, body: "<html>"}, vaguemestre.ClassDeferred},
		{"line dropped", reply{}, vaguemestre.ClassDeferred},
		{"1 MiB and more", reply{status: 200, body: strings.Repeat(" ", 2<<20)}, vaguemestre.ClassDeferred},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, store := newIDP(t, granted1), new(Memory)
			s.device = tt.device
			f, err := s.microsoft(t, store, nil).Account("a").Begin(t.Context(), nil)
			if f != nil || vaguemestre.ClassOf(err) != tt.class {
				t.Fatalf("Begin: %v, %v", f, err)
			}
			if help, ok := Explain(err); !ok || help.FR == "" {
				t.Errorf("no help for %v", err)
			}
			if v, _, _ := store.Load(t.Context(), flowName("a")); v != nil {
				t.Errorf("stored all the same: %s", v)
			}
		})
	}
	// Loopback is this machine: plain http is as good.
	s := newIDP(t, granted1)
	s.device = deviceReply(map[string]any{"verification_uri": "http://127.0.0.1:8080/device"})
	begin(t, s.microsoft(t, new(Memory), nil).Account("a"), nil)
}

func TestWaitTellsEveryChange(t *testing.T) {
	t.Parallel()
	s, k := newIDP(t, pending, reply{}, pending, refuse("slow_down"), granted1), newClock()
	f := begin(t, s.microsoft(t, new(Memory), k).Account("a"), nil)
	var seen []string
	_, err := f.Wait(t.Context(), func(p Progress) {
		seen = append(seen, fmt.Sprintf("%s fault=%t help=%t %s", p.State, p.Fault != nil, p.Help.EN != "", p.Interval))
	})
	want := []string{
		"waiting fault=false help=false 5s",
		"waiting fault=true help=true 5s",
		"waiting fault=false help=false 5s",
		"waiting fault=false help=false 10s",
		"approved fault=false help=false 10s",
	}
	if err != nil || !slices.Equal(seen, want) {
		t.Errorf("%v: saw\n%s", err, strings.Join(seen, "\n"))
	}
}
