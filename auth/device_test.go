package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
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

// A host that restarts between Begin and Wait goes on with the same code.
func TestResumeAfterRestart(t *testing.T) {
	t.Parallel()
	s, k, store := newIDP(t, refuse("slow_down"), pending, granted1), newClock(), new(Memory)
	first := begin(t, s.microsoft(t, store, k).Account("a"), nil)
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	if _, err := first.Wait(ctx, func(p Progress) {
		if p.Interval > 5*time.Second { // after slow_down
			once.Do(cancel)
		}
	}); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Fatalf("Wait whose ctx ended: %v", err)
	}
	if p := first.Progress(); p.State != StateWaiting {
		t.Fatalf("state %q after ctx ended", p.State)
	}

	a := s.microsoft(t, store, k).Account("a")
	if st, err := a.Status(t.Context()); err != nil || !st.Pending {
		t.Errorf("status %+v, %v: want pending", st, err)
	}
	f, err := a.Resume(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := f.Progress(); p.UserCode.Reveal() != canaryUserCode || p.State != StateWaiting || p.Interval != 10*time.Second || !p.Expires.Equal(first.Progress().Expires) {
		t.Errorf("resumed as %+v", p)
	}
	p, err := f.Wait(t.Context(), nil)
	if err != nil || p.User != "florian@mondaine.fr" {
		t.Fatalf("%+v, %v", p, err)
	}
	if n := len(s.forms); n != 1 {
		t.Errorf("%d codes were asked for", n)
	}
	// The first process learns of it.
	if p, err := first.Wait(t.Context(), nil); err != nil || p.State != StateApproved || p.User != "florian@mondaine.fr" {
		t.Errorf("the other process sees %+v, %v", p, err)
	}
	if st, err := a.Status(t.Context()); err != nil || st.Pending || st.Standing != StandingReady {
		t.Errorf("status %+v, %v", st, err)
	}
}

// Other settings of the provider cannot go on with a code of the former ones.
func TestResumeNeedsTheSameApplication(t *testing.T) {
	t.Parallel()
	s, store := newIDP(t, granted1), new(Memory)
	begin(t, s.microsoft(t, store, nil).Account("a"), nil)
	other := s.microsoft(t, store, nil, func(m *Microsoft) { m.ClientID = "another" }).Account("a")
	if _, err := other.Resume(t.Context()); !errors.Is(err, ErrNoFlow) {
		t.Errorf("Resume: %v", err)
	}
}

// However many wait, the provider is asked by one at a time, at its pace.
func TestManyWaitsAreOneStream(t *testing.T) {
	t.Parallel()
	key, err := settings.ParseKey(base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789ABCDEF")))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := settings.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	memory, dir := new(Memory), filepath.Join(t.TempDir(), "tokens")
	for name, open := range map[string]func() Store{
		"memory": func() Store { return memory },
		"files":  func() Store { return &Files{Dir: dir, Key: keys} }, // each time as another process would
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			manyWaits(t, open)
		})
	}
}

func manyWaits(t *testing.T, open func() Store) {
	const waits = 8
	var polling, most int
	var mu sync.Mutex
	slow := pending
	slow.before = func() {
		mu.Lock()
		polling++
		most = max(most, polling)
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		polling--
		mu.Unlock()
	}
	s, k := newIDP(t, slow, slow, slow, slow, granted1), newClock()
	f := begin(t, s.microsoft(t, open(), k).Account("a"), nil)
	var wg sync.WaitGroup
	for i := range waits {
		g := f
		if i%2 == 1 { // another process
			var err error
			if g, err = s.microsoft(t, open(), k).Account("a").Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wg.Go(func() {
			if p, err := g.Wait(t.Context(), nil); err != nil || p.State != StateApproved || p.User == "" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
	wg.Wait()
	if n := len(s.tokenForms()); n != 5 || most != 1 {
		t.Errorf("%d polls, at most %d at once; want 5 and 1", n, most)
	}
	for _, d := range k.slept() {
		if d < 5*time.Second {
			t.Errorf("a gap of %s", d)
		}
	}
}

func TestCancelEndsWait(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprint("elsewhere ", elsewhere), func(t *testing.T) {
			t.Parallel()
			s, store, k := newIDP(t, pending), new(Memory), newClock()
			a := s.microsoft(t, store, k).Account("a")
			f := begin(t, a, nil)
			g := f
			if elsewhere {
				var err error
				if g, err = s.microsoft(t, store, k).Account("a").Resume(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			canceled := make(chan error, 1)
			s.script[0].before = sync.OnceFunc(func() { canceled <- g.Cancel(t.Context()) })
			p, werr := f.Wait(t.Context(), nil)
			err := <-canceled
			if err != nil || p.State != StateCanceled || vaguemestre.ClassOf(werr) != vaguemestre.ClassCanceled || p.UserCode != "" {
				t.Errorf("%+v, %v, %v", p, werr, err)
			}
			if _, err := a.Resume(t.Context()); !errors.Is(err, ErrNoFlow) {
				t.Errorf("Resume after Cancel: %v", err)
			}
			if n := len(s.tokenForms()); n != 1 {
				t.Errorf("%d polls", n)
			}
		})
	}
}

// What somebody has signed in for while Cancel was on its way is not taken.
func TestCancelWhileTheAnswerComes(t *testing.T) {
	t.Parallel()
	s, store, k := newIDP(t, granted1), new(Memory), newClock()
	a := s.microsoft(t, store, k).Account("a")
	f := begin(t, a, nil)
	g, err := s.microsoft(t, store, k).Account("a").Resume(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	canceled := make(chan error, 1)
	s.script[0].before = func() { canceled <- g.Cancel(t.Context()) }
	p, _ := f.Wait(t.Context(), nil)
	if err := <-canceled; p.State != StateCanceled || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if st, err := a.Status(t.Context()); err != nil || st.Standing != StandingNone {
		t.Errorf("status %+v, %v", st, err)
	}
}

func TestBeginReplaces(t *testing.T) {
	t.Parallel()
	s, store, k := newIDP(t, pending, granted1), new(Memory), newClock()
	a := s.microsoft(t, store, k).Account("a")
	f := begin(t, a, nil)
	second := make(chan *Flow, 1)
	s.script[0].before = func() {
		g, err := a.Begin(t.Context(), nil)
		if err != nil {
			t.Error(err)
		}
		second <- g
	}
	p, err := f.Wait(t.Context(), nil)
	g := <-second
	if p.State != StateCanceled || p.Help != helpReplaced || vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
		t.Errorf("the first: %+v, %v", p, err)
	}
	if p, err := g.Wait(t.Context(), nil); err != nil || p.State != StateApproved {
		t.Errorf("the second: %+v, %v", p, err)
	}
	if err := f.Cancel(t.Context()); err != nil || g.Progress().State != StateApproved {
		t.Errorf("Cancel of the first: %v", err)
	}
	if st, err := a.Status(t.Context()); err != nil || st.Standing != StandingReady {
		t.Errorf("status %+v, %v", st, err)
	}
}

func TestExpectedUser(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]State{"Florian@Mondaine.fr": StateApproved, "maire@mondaine.fr": StateFailed, "": StateApproved} {
		s, k := newIDP(t, granted1), newClock()
		a := s.microsoft(t, new(Memory), k).Account("a")
		f := begin(t, a, &BeginOptions{User: user})
		p, err := f.Wait(t.Context(), nil)
		if p.State != want {
			t.Errorf("%q: %+v, %v", user, p, err)
		}
		if st, _ := a.Status(t.Context()); (st.Standing == StandingReady) != (want == StateApproved) {
			t.Errorf("%q: standing %q", user, st.Standing)
		}
	}
}

func TestMissingScopes(t *testing.T) {
	t.Parallel()
	s, k := newIDP(t, grantOf("florian@mondaine.fr", "https://graph.microsoft.com/mail.send user.read"), refuse("invalid_grant", 65001)), newClock()
	a := s.microsoft(t, new(Memory), k, func(m *Microsoft) { m.Roles = []Role{RoleSend, RoleCollect, RoleIMAP} }).Account("a")
	p, err := begin(t, a, nil).Wait(t.Context(), nil)
	want := []string{"https://graph.microsoft.com/Mail.ReadWrite", "https://outlook.office.com/IMAP.AccessAsUser.All"}
	if err != nil || p.State != StateApproved || !slices.Equal(p.Missing, want) || p.Help != helpMissing {
		t.Errorf("%+v, %v", p, err)
	}
	if !slices.Equal(p.Granted, []string{"https://graph.microsoft.com/mail.send", "user.read"}) {
		t.Errorf("granted %q", p.Granted)
	}
}

// brittle is a store that fails while fail says so.
type brittle struct {
	Memory
	fail func(op, name string) bool
}

func (b *brittle) Load(ctx context.Context, name string) ([]byte, int64, error) {
	if b.fail("load", name) {
		return nil, 0, errors.New("disk full")
	}
	return b.Memory.Load(ctx, name)
}

func (b *brittle) Save(ctx context.Context, name string, value []byte, rev int64) (int64, error) {
	if b.fail("save", name) {
		return 0, errors.New("disk full")
	}
	return b.Memory.Save(ctx, name, value, rev)
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	t.Run("at Begin", func(t *testing.T) {
		t.Parallel()
		for _, at := range []string{"load", "save"} {
			s := newIDP(t, granted1)
			store := &brittle{fail: func(op, _ string) bool { return op == at }}
			_, err := s.microsoft(t, store, nil).Account("a").Begin(t.Context(), nil)
			if vaguemestre.ClassOf(err) != vaguemestre.ClassDeferred {
				t.Errorf("%s: %v", at, err)
			}
		}
	})
	t.Run("while waiting", func(t *testing.T) {
		t.Parallel()
		s, k := newIDP(t, granted1), newClock()
		loads := 0
		store := &brittle{fail: func(op, name string) bool {
			if op == "load" && strings.HasPrefix(name, "flow/") {
				loads++
			}
			return loads == 4 // before the first poll
		}}
		f := begin(t, s.microsoft(t, store, k).Account("a"), nil)
		faults := 0
		p, err := f.Wait(t.Context(), func(p Progress) {
			if p.Fault != nil {
				faults++
			}
		})
		if err != nil || p.State != StateApproved || faults != 1 {
			t.Errorf("%+v, %v, %d faults told", p, err, faults)
		}
	})
	t.Run("when it is approved", func(t *testing.T) {
		t.Parallel()
		s, k := newIDP(t, granted1), newClock()
		store := &brittle{fail: func(op, name string) bool { return op == "save" && strings.HasPrefix(name, "grant/") }}
		a := s.microsoft(t, store, k).Account("a")
		p, err := begin(t, a, nil).Wait(t.Context(), nil)
		if p.State != StateFailed || err == nil || p.Help != helpNotStored {
			t.Errorf("%+v, %v", p, err)
		}
		if tok, err := a.Token(t.Context(), Graph); err != nil || tok.AccessToken != canaryAccess {
			t.Errorf("the grant is lost: %v", err)
		}
	})
}

func TestWaitReturnsWithCtx(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	slow := pending
	slow.before = func() { <-hang }
	s := newIDP(t, slow)
	defer close(hang)
	s.device = deviceReply(map[string]any{"interval": 1})
	f := begin(t, s.microsoft(t, new(Memory), newClock()).Account("a"), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	p, err := f.Wait(ctx, nil)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || !errors.Is(err, context.DeadlineExceeded) || p.State != StateWaiting || time.Since(start) > time.Second {
		t.Errorf("%+v, %v after %s", p, err, time.Since(start))
	}
}

func TestNoFlow(t *testing.T) {
	t.Parallel()
	s := newIDP(t, granted1)
	app := &Microsoft{ClientID: "id", Tenant: "mondaine.fr", Grant: Application, ClientSecret: "s"}
	if _, err := app.Account("a").Begin(t.Context(), nil); vaguemestre.ClassOf(err) != config {
		t.Errorf("Begin of an application: %v", err)
	}
	if _, err := s.microsoft(t, new(Memory), nil).Account("a").Resume(t.Context()); !errors.Is(err, ErrNoFlow) || vaguemestre.ClassOf(err) != config {
		t.Errorf("Resume of nothing: %v", err)
	}
	var f Flow
	if p := f.Progress(); p.State != StateCreated || p.State.Final() {
		t.Errorf("zero Flow: %+v", p)
	}
	if _, err := f.Wait(t.Context(), nil); vaguemestre.ClassOf(err) != config {
		t.Errorf("Wait of a zero Flow: %v", err)
	}
	if err := f.Cancel(t.Context()); vaguemestre.ClassOf(err) != config {
		t.Errorf("Cancel of a zero Flow: %v", err)
	}
	if _, err := f.Finish(t.Context(), nil); vaguemestre.ClassOf(err) != config {
		t.Errorf("Finish of a zero Flow: %v", err)
	}
}
