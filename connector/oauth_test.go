package connector

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

// tokenServer takes access tokens in the place of the fake's passwords.
type tokenServer struct {
	mech   string                         // what is offered
	refuse string                         // the answer to a bad token; "" is 535
	json   string                         // the challenge before it; "" is none
	cut    bool                           // closes after the refusal
	over   func(verb, cmd string) *action // in place of all of it

	mu    sync.Mutex
	good  string
	auths []string // the tokens that came, with their mechanism
	last  string   // the mechanism under way
	ended []string // what came in answer to the challenge
}

// bearerOf takes a token out of either mechanism's message.
func bearerOf(line string) string {
	b, _ := base64.StdEncoding.DecodeString(line)
	_, rest, _ := strings.Cut(string(b), "auth=Bearer ")
	token, _, _ := strings.Cut(rest, "\x01\x01")
	return token
}

func (s *tokenServer) on(_ *fake, verb, cmd string) *action {
	if s.over != nil {
		return s.over(verb, cmd)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	refuse := &action{say: s.refuse, cut: s.cut}
	if s.refuse == "" {
		refuse.say = "535 5.7.8 no"
	}
	if s.last == "challenged" {
		s.last = ""
		s.ended = append(s.ended, cmd)
		return refuse
	}
	ir := cmd
	if verb == "AUTH" {
		_, rest, _ := strings.Cut(cmd, " ")
		s.last, ir, _ = strings.Cut(rest, " ")
		if ir == "" {
			return &action{say: "334 "}
		}
	}
	if s.last == "" {
		return nil
	}
	mech := s.last
	s.last = ""
	s.auths = append(s.auths, mech+" "+bearerOf(ir))
	switch {
	case bearerOf(ir) == s.good:
		return &action{say: "235 2.7.0 welcome"}
	case s.json != "":
		s.last = "challenged"
		return &action{say: "334 " + base64.StdEncoding.EncodeToString([]byte(s.json))}
	}
	return refuse
}

// issuer is an account's tokens: one after the other, then the error.
type issuer struct {
	mu     sync.Mutex
	tokens []string
	err    error
	asked  []string // the stale tokens
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

func oauthPair(t *testing.T, srv *tokenServer, is *issuer) (*fake, *SMTP) {
	t.Helper()
	f, s := secure(t, TLSImplicit, func(f *fake) {
		f.ext = append(slices.DeleteFunc(f.ext, func(e string) bool { return strings.HasPrefix(e, "AUTH") }), "AUTH PLAIN LOGIN "+srv.mech)
		f.on = srv.on
	})
	var ms auth.OAuth2
	s.Account, s.Password, s.OAuthAccount, s.ask = "compta@mondaine.fr", "", ms.Account("compta"), is.ask
	return f, s
}

const challengeJSON = `{"status":"401","schemes":"bearer","scope":"https://mail.example.org/"}`

// An expired token costs one new token and one more AUTH, whatever the server does after its
// refusal; the mail goes out.
func TestATokenThatExpiredIsRenewedOnce(t *testing.T) {
	t.Parallel()
	for _, mech := range []string{"XOAUTH2", "OAUTHBEARER"} {
		for _, json := range []string{"", challengeJSON} {
			for _, cut := range []bool{false, true} {
				for _, long := range []string{"", strings.Repeat("long", 600)} { // with and without an initial response
					t.Run(fmt.Sprintf("%s %v %v %v", mech, json != "", cut, long != ""), func(t *testing.T) {
						t.Parallel()
						srv := &tokenServer{mech: mech, json: json, cut: cut, good: "fresh" + long}
						is := &issuer{tokens: []string{"stale" + long, "fresh" + long}}
						f, s := oauthPair(t, srv, is)
						for range 2 { // the second mail goes over the kept session
							if _, err := send(s, message("a@b.fr")); err != nil {
								t.Fatal(err)
							}
						}
						if want := []string{mech + " stale" + long, mech + " fresh" + long}; !slices.Equal(srv.auths, want) {
							t.Errorf("the server saw %.200q", srv.auths)
						}
						if want := []string{"", "stale" + long}; !slices.Equal(is.asked, want) {
							t.Errorf("the account was asked %.200q", is.asked)
						}
						if want := 1; len(f.sent()) != 2 || !cut && f.connections() != want {
							t.Errorf("%d mails over %d connections", len(f.sent()), f.connections())
						}
						end := map[string]string{"XOAUTH2": "", "OAUTHBEARER": "AQ=="}[mech] // RFC 7628 section 3.2.3
						if json != "" && !slices.Equal(srv.ended, []string{end}) {
							t.Errorf("the challenge was answered by %q", srv.ended)
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
		srv := &tokenServer{mech: "XOAUTH2", json: challengeJSON, cut: cut, good: "another"}
		is := &issuer{tokens: []string{"one", "two", "three"}}
		f, s := oauthPair(t, srv, is)
		r, err := send(s, message("a@b.fr"))
		if class(err) != vaguemestre.ClassAuth || r.State != "deferred" || len(f.sent()) != 0 {
			t.Errorf("%v, %+v", err, r)
		}
		for _, want := range []string{"535", `\"status\":\"401\"`, `"compta"`, `"compta@mondaine.fr"`} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %s", err, want)
			}
		}
		if want := []string{"XOAUTH2 one", "XOAUTH2 two"}; !slices.Equal(srv.auths, want) {
			t.Errorf("the server saw %q", srv.auths)
		}
	}
}

func TestWhatNoNewTokenWouldMend(t *testing.T) {
	t.Parallel()
	for say, want := range map[string]struct {
		class vaguemestre.Class
		says  string
	}{
		"454 4.7.0 temporary":                                  {vaguemestre.ClassSource, "later"},
		"432 4.3.2 concurrent connections":                     {vaguemestre.ClassDeferred, "max_connections"},
		"535 5.7.139 SmtpClientAuthentication is disabled":     {vaguemestre.ClassAuth, "Authenticated SMTP"},
		"504 5.7.4 unrecognized authentication type":           {vaguemestre.ClassConfig, "auth"},
		"421 4.7.0 too many errors":                            {vaguemestre.ClassDeferred, "later"},
		"550 5.7.30 Basic authentication is not supported now": {vaguemestre.ClassAuth, "oauth_account"},
	} {
		srv := &tokenServer{mech: "XOAUTH2", refuse: say}
		is := &issuer{tokens: []string{"one", "two"}}
		_, s := oauthPair(t, srv, is)
		_, err := send(s, message("a@b.fr"))
		if class(err) != want.class || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%q: class %s: %v", say, class(err), err)
		}
		if len(srv.auths) != 1 || len(is.asked) != 1 {
			t.Errorf("%q: %d logins, %d tokens", say, len(srv.auths), len(is.asked))
		}
	}
}

// What is wrong with the account keeps its class and its cause; no mail is refused for it.
func TestAnAccountWithoutATokenKeepsItsReason(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tokens []string
		err    error
		class  vaguemestre.Class
		is     error
	}{
		"reauth":          {nil, &vaguemestre.Error{Op: "auth: token", Class: vaguemestre.ClassAuth, Code: "AADSTS50173", Err: auth.ErrReauth}, vaguemestre.ClassAuth, auth.ErrReauth},
		"provider down":   {nil, &vaguemestre.Error{Op: "auth: token", Class: vaguemestre.ClassDeferred, RetryAfter: 7e9, Err: errors.New("no route")}, vaguemestre.ClassDeferred, nil},
		"reauth at renew": {[]string{"stale"}, &vaguemestre.Error{Op: "auth: refresh", Class: vaguemestre.ClassAuth, Err: auth.ErrReauth}, vaguemestre.ClassAuth, auth.ErrReauth},
		"down at renew":   {[]string{"stale"}, &vaguemestre.Error{Op: "auth: refresh", Class: vaguemestre.ClassDeferred, RetryAfter: 7e9, Err: errors.New("no route")}, vaguemestre.ClassDeferred, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := &tokenServer{mech: "XOAUTH2", json: challengeJSON}
			f, s := oauthPair(t, srv, &issuer{tokens: c.tokens, err: c.err})
			r, err := send(s, message("a@b.fr"))
			var e, from *vaguemestre.Error
			errors.As(c.err, &from)
			if !errors.As(err, &e) || e.Class != c.class || c.is != nil && !errors.Is(err, c.is) || e.RetryAfter != from.RetryAfter || e.Code != from.Code {
				t.Fatalf("%+v, %+v", r, err)
			}
			if r != nil && r.State != "deferred" || len(f.sent()) != 0 || len(srv.auths) != len(c.tokens) {
				t.Errorf("%+v, %q", r, srv.auths)
			}
			if len(c.tokens) > 0 && !strings.Contains(err.Error(), `\"status\":\"401\"`) {
				t.Errorf("the server's reason is lost: %v", err)
			}
			var steps []string
			_ = s.Check(t.Context(), func(st vaguemestre.Step) { steps = append(steps, st.Name+":"+string(st.Status)) })
			if got := strings.Join(steps, " "); got != "dns:ok tcp:ok tls:ok greeting:ok ehlo:ok auth:failed sender:skipped" {
				t.Errorf("check tells %s", got)
			}
		})
	}
	_, s := oauthPair(t, &tokenServer{mech: "XOAUTH2"}, &issuer{})
	s.ask, s.accounts = nil, &auth.Accounts{}
	if err := s.OAuthAccount.UnmarshalText([]byte("nobody")); err != nil {
		t.Fatal(err)
	}
	if _, err := send(s, message("a@b.fr")); class(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("an unknown account: %v", err)
	}
}

func TestCheckRenewsATokenToo(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		srv := &tokenServer{mech: "OAUTHBEARER", good: "fresh", cut: cut}
		_, s := oauthPair(t, srv, &issuer{tokens: []string{"stale", "fresh"}})
		var steps []string
		err := s.Check(t.Context(), func(st vaguemestre.Step) { steps = append(steps, st.Name+":"+string(st.Status)) })
		if got := strings.Join(steps, " "); err != nil || got != "dns:ok tcp:ok tls:ok greeting:ok ehlo:ok auth:ok sender:ok" || len(srv.auths) != 2 {
			t.Errorf("%s, %v, %q", got, err, srv.auths)
		}
	}
}

func TestATokenNeedsTLSAndItsMechanism(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(f *fake) { f.ext = append(f.ext, "AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER") })
	s := f.smtp(func(s *SMTP) {
		var p auth.OAuth2
		s.Account, s.OAuthAccount = "a@b.fr", p.Account("compta")
		s.ask = func(context.Context, string) (string, error) { return canary, nil }
	})
	if _, err := send(s, message("a@b.fr")); class(err) != vaguemestre.ClassConfig || strings.Contains(f.inClear(), "AUTH") {
		t.Errorf("over a line in clear: %v, %q", err, f.inClear())
	}
	for auth, mech := range map[string]string{"auto": "CRAM-MD5 SCRAM-SHA-256", "plain": "XOAUTH2", "login": "XOAUTH2", "oauthbearer": "XOAUTH2"} {
		srv := &tokenServer{mech: mech}
		f, s := oauthPair(t, srv, &issuer{tokens: []string{canary}})
		s.Auth = auth
		if _, err := send(s, message("a@b.fr")); class(err) != vaguemestre.ClassConfig {
			t.Errorf("%s: %v", auth, err)
		}
		if slices.ContainsFunc(f.commands(), func(c string) bool { return strings.HasPrefix(c, "AUTH") }) {
			t.Errorf("%s: %q", auth, f.commands())
		}
	}
	_, s = oauthPair(t, &tokenServer{mech: "XOAUTH2"}, &issuer{tokens: []string{canary}})
	s.Account = ""
	if _, err := send(s, message("a@b.fr")); class(err) != vaguemestre.ClassConfig || !strings.Contains(err.Error(), "account is empty") {
		t.Errorf("without a mailbox: %v", err)
	}
}

// Whatever a server repeats, neither error nor receipt, step or print has the token.
func TestTokensAreInNoError(t *testing.T) {
	t.Parallel()
	token := "canary-" + strings.Repeat("T0ken.", 60)
	for _, say := range []string{"535 5.7.8 you said %s", "535 5.7.8 %s", "454 4.7.0 %s", "334 %s", "334", "535 5.7.8 " + token, "501 5.5.4 " + token[:300], "535 5.7.8 <%.200s>"} {
		echo := func(verb, cmd string) *action {
			if verb != "AUTH" && bearerOf(cmd) == "" {
				return nil
			}
			ir := strings.TrimPrefix(cmd, "AUTH XOAUTH2 ")
			if ir == "AUTH XOAUTH2" {
				return &action{say: "334 "}
			}
			if strings.Contains(say, "%") {
				return &action{say: fmt.Sprintf(say, ir), cut: strings.HasPrefix(say, "334")}
			}
			return &action{say: say, cut: strings.HasPrefix(say, "334")}
		}
		_, s := oauthPair(t, &tokenServer{mech: "XOAUTH2", over: echo}, &issuer{tokens: []string{token, token + "2"}})
		r, err := send(s, message("a@b.fr"))
		if err == nil {
			t.Fatal("accepted")
		}
		all := fmt.Sprintf("%v %+v %#v %+v %v %+v", err, err, err, r, s, s)
		_ = s.Check(t.Context(), func(st vaguemestre.Step) { all += fmt.Sprintf("%+v %v", st, st.Err) })
		for _, piece := range []string{"canary", "T0ken.T0ken", base64.StdEncoding.EncodeToString([]byte(token))[:16], base64.StdEncoding.EncodeToString([]byte("T0ken.T0ken."))[:12]} {
			if strings.Contains(all, piece) {
				t.Errorf("%q: %q is in %s", say, piece, all)
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
		`{"host":"h.fr","account":"a@b.fr","oauth_account":"compta"}`:                                   "oauth_account:required",
		`{"host":"h.fr","oauth_account":"compta"}`:                                                      "account:required oauth_account:required",
		`{"host":"h.fr","account":"a@b.fr"}`:                                                            "password:required",
		`{"host":"h.fr","account":"a@b.fr","oauth_account":"compta","auth":"plain"}`:                    "auth:not_one_of oauth_account:required",
		`{"host":"h.fr","account":"a@b.fr","oauth_account":"compta","tls":"none"}`:                      "oauth_account:required tls:not_one_of",
		`{"host":"h.fr","account":"a@b.fr","oauth_account":"compta","tls":"none","auth":"oauthbearer"}`: "oauth_account:required tls:not_one_of",
	} {
		_, err := kinds.Open(settings.Instance{Kind: "smtp", Settings: []byte(doc)}, nil)
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
	both := &SMTP{Host: "h.fr", Account: "a@b.fr", Password: "x", OAuthAccount: p.Account("compta"), accounts: &accounts}
	if is := settings.Validate(both); len(is) != 1 || is[0].Path != "password" || is.Incomplete() {
		t.Errorf("password and account: %v", is)
	}
	both.Password = ""
	if is := settings.Validate(both); len(is) != 0 {
		t.Errorf("an account with its provider: %v", is)
	}
}
