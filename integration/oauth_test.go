package integration

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold/launcher"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
	"github.com/vaguemestre/vaguemestre/store/sqlite"
)

// signIn associates an account as a person does, by the device flow, for the mailbox of user.
// Its grant is kept in an SQLite store. age makes its access tokens look a minute older: one
// that was refused just after it was issued is not renewed.
func signIn(t *testing.T, user string) (a auth.Account, age func()) {
	t.Helper()
	key, err := settings.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := settings.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), &sqlite.Options{Key: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	p := &auth.OAuth2{ClientID: "vaguemestre", DeviceURL: servers.OAuth.DeviceURL(), TokenURL: servers.OAuth.TokenURL(),
		Scopes: []string{mailstack.Scope}, Tokens: st.Tokens()}
	a = p.Account("compta")
	f, err := a.Begin(testContext(t), &auth.BeginOptions{Method: auth.MethodDevice})
	if err != nil {
		t.Fatal(err)
	}
	if !servers.OAuth.Approve(f.Progress().UserCode.Reveal(), servers.Address(user)) {
		t.Fatalf("nobody asked for the code: %+v", f.Progress())
	}
	if got, err := f.Wait(testContext(t), nil); err != nil || got.State != auth.StateApproved {
		t.Fatalf("%+v, %v", got, err)
	}
	return a, func() {
		t.Helper()
		value, rev, err := st.Tokens().Load(t.Context(), "grant/compta")
		var grant map[string]any
		if err == nil {
			err = json.Unmarshal(value, &grant)
		}
		tokens, _ := grant["tokens"].(map[string]any)
		if err != nil || len(tokens) == 0 {
			t.Fatalf("the grant is not as this test knows it: %v", err)
		}
		for _, token := range tokens {
			token.(map[string]any)["issued"] = time.Now().Add(-time.Minute)
		}
		if value, err = json.Marshal(grant); err == nil {
			_, err = st.Tokens().Save(t.Context(), "grant/compta", value, rev)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Access tokens log in to Dovecot and, through its SASL, to Postfix, by both mechanisms. One
// that the server refuses is renewed once; what cannot be renewed says why.
func TestLoginsByAccessToken(t *testing.T) {
	imap := func(mech string) func(context.Context, string, auth.Account) error {
		return func(ctx context.Context, mailbox string, a auth.Account) error {
			l := &launcher.IMAP{Host: servers.Host(mailstack.Good), Port: servers.IMAPS, CAFile: servers.CAFile,
				Account: mailbox, OAuthAccount: a, Auth: mech}
			s, err := l.Connect(ctx, nil)
			if err != nil {
				return err
			}
			defer s.Close()
			_, err = s.List(ctx, "")
			return err
		}
	}
	smtp := func(mech string, mode connector.TLSMode) func(context.Context, string, auth.Account) error {
		return func(ctx context.Context, mailbox string, a auth.Account) error {
			c := &connector.SMTP{Host: servers.Host(mailstack.Good), Port: servers.SMTPS, TLS: mode, CAFile: servers.CAFile,
				Account: mailbox, OAuthAccount: a, Auth: mech}
			if mode == connector.TLSStartTLS {
				c.Port = servers.Submission
			}
			defer c.Close()
			_, err := c.SendMail(ctx, &router.Message{To: []string{mailbox}, Subject: "jeton", Text: "Bonjour"})
			return err
		}
	}
	for name, login := range map[string]func(context.Context, string, auth.Account) error{
		"imap-auto":        imap("auto"),
		"imap-oauthbearer": imap("oauthbearer"),
		"smtp-auto":        smtp("auto", connector.TLSImplicit),
		"smtp-oauthbearer": smtp("oauthbearer", connector.TLSImplicit),
		"smtp-starttls":    smtp("xoauth2", connector.TLSStartTLS),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(name, "smtp") {
				postfix(t)
			}
			mailbox := stack(t).Address(user(t))
			a, age := signIn(t, user(t))
			refused := func(what string, err error, is error) {
				t.Helper()
				if vaguemestre.ClassOf(err) != vaguemestre.ClassAuth || is != nil && !errors.Is(err, is) {
					t.Errorf("%s: class %q: %v", what, vaguemestre.ClassOf(err), err)
				}
			}
			refreshes := func(what string, want int) {
				t.Helper()
				if got := servers.OAuth.Refreshes(mailbox); got != want {
					t.Errorf("%s: %d refreshes so far, want %d", what, got, want)
				}
			}

			for range 2 {
				if err := login(testContext(t), mailbox, a); err != nil {
					t.Fatal(err)
				}
			}
			refreshes("a good token", 0)

			servers.OAuth.Expire(mailbox)
			age()
			if err := login(testContext(t), mailbox, a); err != nil {
				t.Errorf("an expired token: %v", err)
			}
			refreshes("an expired token", 1)

			for _, refreshed := range []int{1, 2} { // at once, and with a token that may have expired
				err := login(testContext(t), "autre@"+mailstack.Domain, a)
				refused("another's mailbox", err, nil)
				if err != nil && (!strings.Contains(err.Error(), `\"status\":`) || !strings.Contains(err.Error(), "autre@"+mailstack.Domain)) {
					t.Errorf("neither challenge nor mailbox are in %v", err)
				}
				refreshes("another's mailbox", refreshed)
				age()
			}

			servers.OAuth.Revoke(mailbox)
			err := login(testContext(t), mailbox, a)
			refused("a revoked grant", err, auth.ErrReauth)
			if err != nil && !strings.Contains(err.Error(), `\"status\":`) {
				t.Errorf("the server's challenge is not in %v", err)
			}
			refused("a revoked grant, again", login(testContext(t), mailbox, a), auth.ErrReauth)
			refreshes("a revoked grant", 2)
			if st, err := a.Status(t.Context()); err != nil || st.Standing != auth.StandingReauth {
				t.Errorf("the account stands as %+v, %v", st, err)
			}
		})
	}
}
