package launcher

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/settings"
)

// tokenServer takes access tokens.
type tokenServer struct {
	good    string
	json    string // the challenge before a refusal; "" is none
	refusal string // "" is NO [AUTHENTICATIONFAILED]
	cut     bool   // closes after it
	echo    bool   // repeats what it was told

	mu    sync.Mutex
	auths []string
	ended []string // the answers to the challenge
}

func bearerOf(line string) string {
	b, _ := base64.StdEncoding.DecodeString(line)
	_, rest, _ := strings.Cut(string(b), "auth=Bearer ")
	token, _, _ := strings.Cut(rest, "\x01\x01")
	return token
}

func (s *tokenServer) on(c *fakeConn, tag, command string) bool {
	rest, ok := strings.CutPrefix(command, "AUTHENTICATE ")
	if !ok {
		return false
	}
	mech, ir, _ := strings.Cut(rest, " ")
	read := func() string {
		l, _ := c.r.ReadString('\n')
		return strings.TrimRight(l, "\r\n")
	}
	if ir == "" {
		c.say("+ ")
		ir = read()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auths = append(s.auths, mech+" "+bearerOf(ir))
	if bearerOf(ir) == s.good {
		c.say("%s OK [CAPABILITY IMAP4rev1 MOVE UIDPLUS] logged in", tag)
		return true
	}
	if s.json != "" {
		c.say("+ %s", base64.StdEncoding.EncodeToString([]byte(s.json)))
		s.ended = append(s.ended, read())
	}
	refusal := s.refusal
	if refusal == "" {
		refusal = "NO [AUTHENTICATIONFAILED] no"
	}
	if s.echo {
		refusal = fmt.Sprintf(refusal, ir)
	}
	c.say("%s %s", tag, refusal)
	if s.cut {
		c.Close()
	}
	return true
}

// issuer is an account's tokens: one after the other, then the error.
type issuer struct {
	mu     sync.Mutex
	tokens []string
	err    error
	asked  []string
}

func (i *issuer) ask(_ context.Context, stale string) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = append(i.asked, stale)
	if stale == "" && len(i.tokens) > 0 {
		return i.tokens[0], nil
	}
	if at := slices.Index(i.tokens, stale); at >= 0 && at+1 < len(i.tokens) {
		return i.tokens[at+1], nil
	}
	return "", i.err
}

func tokenMailbox(t *testing.T, s *tokenServer, is *issuer, caps string) (*fakeServer, *IMAP) {
	t.Helper()
	srv := &fakeServer{caps: "IMAP4rev1 " + caps, mails: mailbox(2), on: s.on}
	l := srv.start(t)
	var p auth.OAuth2
	l.Account, l.Password, l.OAuthAccount, l.ask = "compta@mondaine.fr", "", p.Account("compta"), is.ask
	return srv, l
}

const challengeJSON = `{"status":"401","schemes":"bearer","scope":"https://mail.example.org/"}`

// An expired token costs one new token and one more AUTHENTICATE, whatever the server does
// after its refusal.
func TestATokenThatExpiredIsRenewedOnce(t *testing.T) {
	t.Parallel()
	for _, mech := range []string{"XOAUTH2", "OAUTHBEARER"} {
		for _, ir := range []string{"", " SASL-IR"} {
			for _, json := range []string{"", challengeJSON} {
				for _, cut := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s%s %v %v", mech, ir, json != "", cut), func(t *testing.T) {
						t.Parallel()
						s := &tokenServer{good: "fresh", json: json, cut: cut}
						is := &issuer{tokens: []string{"stale", "fresh"}}
						srv, l := tokenMailbox(t, s, is, "AUTH=PLAIN AUTH="+mech+ir)
						x, err := l.Connect(t.Context(), nil)
						if err != nil {
							t.Fatal(err)
						}
						if p, err := x.List(t.Context(), ""); err != nil || len(p.Items) != 2 {
							t.Errorf("%d items, %v", len(p.Items), err)
						}
						x.Close()
						if want := []string{mech + " stale", mech + " fresh"}; !slices.Equal(s.auths, want) {
							t.Errorf("the server saw %q", s.auths)
						}
						if want := []string{"", "stale"}; !slices.Equal(is.asked, want) {
							t.Errorf("the account was asked %q", is.asked)
						}
						if want := map[bool]int{false: 1, true: 2}[cut]; srv.conns != want {
							t.Errorf("%d connections, want %d", srv.conns, want)
						}
						end := map[string]string{"XOAUTH2": "", "OAUTHBEARER": "AQ=="}[mech]
						if json != "" && !slices.Equal(s.ended, []string{end}) {
							t.Errorf("the challenge was answered by %q", s.ended)
						}
					})
				}
			}
		}
	}
}

func TestATokenThatIsRefusedTwiceIsAnError(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		s := &tokenServer{good: "another", json: challengeJSON, cut: cut}
		_, l := tokenMailbox(t, s, &issuer{tokens: []string{"one", "two", "three"}}, "AUTH=XOAUTH2 SASL-IR")
		_, err := l.Connect(t.Context(), nil)
		if vaguemestre.ClassOf(err) != vaguemestre.ClassAuth {
			t.Fatalf("class %s: %v", vaguemestre.ClassOf(err), err)
		}
		for _, want := range []string{`\"status\":\"401\"`, `"compta"`, `"compta@mondaine.fr"`, "associate the account again"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %s", err, want)
			}
		}
		if want := []string{"XOAUTH2 one", "XOAUTH2 two"}; !slices.Equal(s.auths, want) {
			t.Errorf("the server saw %q", s.auths)
		}
	}
}

func TestWhatNoNewTokenWouldMend(t *testing.T) {
	t.Parallel()
	for refusal, want := range map[string]vaguemestre.Class{
		"NO [UNAVAILABLE] later":                         vaguemestre.ClassSource,
		"BAD User is authenticated but not connected.":   vaguemestre.ClassSource,
		"NO Request is throttled. Backoff Time: 9000":    vaguemestre.ClassSource,
		"NO [AUTHORIZATIONFAILED] not this mailbox":      vaguemestre.ClassAuth,
		"BAD AUTHENTICATE is not for this server at all": vaguemestre.ClassAuth,
	} {
		s := &tokenServer{refusal: refusal}
		is := &issuer{tokens: []string{"one", "two"}}
		_, l := tokenMailbox(t, s, is, "AUTH=XOAUTH2")
		_, err := l.Connect(t.Context(), nil)
		if vaguemestre.ClassOf(err) != want || len(s.auths) != 1 || len(is.asked) != 1 {
			t.Errorf("%q: class %s, %d logins: %v", refusal, vaguemestre.ClassOf(err), len(s.auths), err)
		}
	}
}

// What is wrong with the account keeps its cause; a provider that is down is an outage.
func TestAnAccountWithoutATokenKeepsItsReason(t *testing.T) {
	t.Parallel()
	reauth := &vaguemestre.Error{Op: "auth: token", Class: vaguemestre.ClassAuth, Code: "invalid_grant", Err: auth.ErrReauth}
	down := &vaguemestre.Error{Op: "auth: token", Class: vaguemestre.ClassDeferred, RetryAfter: 7e9, Err: errors.New("no route")}
	for name, c := range map[string]struct {
		tokens []string
		err    *vaguemestre.Error
		class  vaguemestre.Class
	}{
		"reauth":          {nil, reauth, vaguemestre.ClassAuth},
		"provider down":   {nil, down, vaguemestre.ClassSource},
		"reauth at renew": {[]string{"stale"}, reauth, vaguemestre.ClassAuth},
		"down at renew":   {[]string{"stale"}, down, vaguemestre.ClassSource},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &tokenServer{json: challengeJSON}
			_, l := tokenMailbox(t, s, &issuer{tokens: c.tokens, err: c.err}, "AUTH=XOAUTH2")
			_, err := l.Connect(t.Context(), nil)
			var e *vaguemestre.Error
			if !errors.As(err, &e) || e.Class != c.class || e.RetryAfter != c.err.RetryAfter || e.Code != c.err.Code || !errors.Is(err, c.err.Err) {
				t.Fatalf("%+v", err)
			}
			if len(c.tokens) > 0 && !strings.Contains(err.Error(), `\"status\":\"401\"`) {
				t.Errorf("the server's reason is lost: %v", err)
			}
			var last vaguemestre.Step
			_ = l.Check(t.Context(), func(st vaguemestre.Step) { last = st })
			if last.Name != "auth" || last.Status != vaguemestre.StatusFailed {
				t.Errorf("check ends with %+v", last)
			}
		})
	}
	_, l := tokenMailbox(t, &tokenServer{}, &issuer{}, "AUTH=XOAUTH2")
	l.ask, l.accounts = nil, &auth.Accounts{}
	if err := l.OAuthAccount.UnmarshalText([]byte("nobody")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("an unknown account: %v", err)
	}
}

func TestCheckRenewsATokenToo(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		_, l := tokenMailbox(t, &tokenServer{good: "fresh", cut: cut}, &issuer{tokens: []string{"stale", "fresh"}}, "AUTH=XOAUTH2")
		var steps []string
		err := l.Check(t.Context(), func(st vaguemestre.Step) { steps = append(steps, st.Name) })
		if got := strings.Join(steps, " "); err != nil || got != "dns tcp capabilities auth folder tls list write move" && got != "dns tcp tls capabilities auth folder list write move" {
			t.Errorf("%s, %v", got, err)
		}
	}
}

// A token goes out neither in clear nor by LOGIN or any mechanism of passwords.
func TestATokenNeedsTLSAndItsMechanism(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		caps, auth string
		insecure   bool
	}{
		{"AUTH=XOAUTH2 AUTH=OAUTHBEARER", "auto", false},
		{"AUTH=PLAIN AUTH=LOGIN", "auto", true},
		{"", "auto", true},
		{"", "login", true},
		{"AUTH=XOAUTH2 AUTH=PLAIN", "plain", true},
		{"AUTH=XOAUTH2", "oauthbearer", true},
	} {
		s := &tokenServer{}
		srv, l := tokenMailbox(t, s, &issuer{tokens: []string{"canari"}}, c.caps)
		l.Auth, l.AllowInsecureAuth = c.auth, c.insecure
		_, err := l.Connect(t.Context(), nil)
		if vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
			t.Errorf("%+v: %v", c, err)
		}
		for _, cmd := range srv.commands() {
			if strings.HasPrefix(cmd, "AUTH") || strings.HasPrefix(cmd, "LOGIN") {
				t.Errorf("%+v: %q was sent", c, cmd)
			}
		}
	}
}

// Whatever a server repeats, no error has the token or the password.
func TestTokensAreInNoError(t *testing.T) {
	t.Parallel()
	token := "canari-" + strings.Repeat("Jet0n.", 60)
	for _, refusal := range []string{"NO you said %s", "NO [AUTHENTICATIONFAILED] %s", "NO [%s] no", "BAD %.120s", "NO [UNAVAILABLE] %s", "SURE %s", "OK %s\r\n* BYE %[1]s"} {
		s := &tokenServer{refusal: refusal, echo: true, json: `{"status":"` + token[:150] + `"}`}
		_, l := tokenMailbox(t, s, &issuer{tokens: []string{token, token + "2"}}, "AUTH=XOAUTH2 SASL-IR")
		x, err := l.Connect(t.Context(), nil)
		if err == nil {
			x.Close()
		}
		all := fmt.Sprintf("%v %+v %#v %v %+v", err, err, err, l, l)
		_ = l.Check(t.Context(), func(st vaguemestre.Step) { all += fmt.Sprintf("%+v %v", st, st.Err) })
		for _, piece := range []string{"canari", "Jet0n.Jet0n", base64.StdEncoding.EncodeToString([]byte("auth=Bearer " + token))[20:60], base64.StdEncoding.EncodeToString([]byte("Jet0n.Jet0n."))[:12]} {
			if strings.Contains(all, piece) {
				t.Errorf("%q: %q is in %s", refusal, piece, all)
			}
		}
	}
}

func TestOAuthSettings(t *testing.T) {
	t.Parallel()
	var accounts auth.Accounts
	kinds, err := Kinds(&accounts)
	if err != nil {
		t.Fatal(err)
	}
	for doc, want := range map[string]string{
		`{"host":"h.fr","account":"a@b.fr","oauth_account":"compta"}`:                                            "oauth_account:required",
		`{"host":"h.fr","account":"a@b.fr"}`:                                                                     "password:required",
		`{"host":"h.fr"}`:                                                                                        "account:required password:required",
		`{"host":"h.fr","oauth_account":"compta"}`:                                                               "account:required oauth_account:required",
		`{"host":"h.fr","account":"a@b.fr","oauth_account":"compta","auth":"plain"}`:                             "auth:not_one_of oauth_account:required",
		`{"host":"h.fr","account":"a@b.fr","oauth_account":"compta","tls":"none"}`:                               "oauth_account:required tls:not_one_of",
		`{"host":"h.fr","account":"a@b.fr","oauth_account":"compta","tls":"none","allow_insecure_auth":true}`:    "oauth_account:required",
		`{"host":"h.fr","account":"a@b.fr","oauth_account":"compta","tls":"starttls","auth":"xoauth2","port":1}`: "oauth_account:required",
	} {
		_, err := kinds.Open(settings.Instance{Kind: "imap", Settings: []byte(doc)}, nil)
		var is settings.Issues
		errors.As(err, &is)
		var got []string
		for _, i := range is {
			got = append(got, i.Path+":"+i.Code)
			if i.Message.EN == "" || i.Message.FR == "" {
				t.Errorf("%s lacks a language", i.Path)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", doc, got, want)
		}
		var inc *settings.Incomplete
		if only := !strings.Contains(want, "not_one_of"); errors.As(err, &inc) != only {
			t.Errorf("%s: incomplete is %v", doc, !only)
		}
	}
	var p auth.OAuth2
	both := &IMAP{Host: "h.fr", Account: "a@b.fr", Password: "x", OAuthAccount: p.Account("compta"), accounts: &accounts}
	if is := settings.Validate(both); len(is) != 1 || is[0].Path != "password" || is.Incomplete() {
		t.Errorf("password and account: %v", is)
	}
	both.Password = ""
	if is := settings.Validate(both); len(is) != 0 {
		t.Errorf("an account with its provider: %v", is)
	}
}
