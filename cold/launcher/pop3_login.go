package launcher

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/internal/pop3"
	"github.com/vaguemestre/vaguemestre/internal/sasl"
	"github.com/vaguemestre/vaguemestre/settings"
)

var _ settings.Validator = (*POP3)(nil)

// oauth reports whether the token of an account logs in.
func (l *POP3) oauth() bool { return l.OAuthAccount != auth.Account{} }

// bearer gives the tokens of OAuthAccount; nil if a password logs in.
func (l *POP3) bearer() *sasl.Bearer {
	if !l.oauth() {
		return nil
	}
	if l.ask != nil {
		return &sasl.Bearer{Ask: l.ask}
	}
	return &sasl.Bearer{Ask: func(ctx context.Context, stale string) (string, error) {
		a, err := l.accounts.Resolve(l.OAuthAccount)
		if err != nil {
			return "", err
		}
		t, err := a.Token(ctx, auth.POP)
		if stale != "" {
			t, err = a.Refresh(ctx, auth.POP, stale)
		}
		if err != nil {
			return "", err
		}
		return t.AccessToken, nil
	}}
}

// authenticate logs in and returns the mechanism's name. With the token of b, one that the
// server refuses is renewed once and tried again, on the same connection if the server lets
// it, else the error is errAnew and b has the new one.
func (s *popSession) authenticate(b *sasl.Bearer) (string, error) {
	c := sasl.Credentials{Account: s.l.Account, Password: s.l.Password.Reveal(), Host: s.l.Host, Port: s.l.port()}
	if b == nil {
		name, _, err := s.exchange(c)
		return name, err
	}
	tokenErr := func(err error) *vaguemestre.Error {
		e := tokenError(s.ctx, err)
		e.Op = "pop3: login"
		return e
	}
	var err error
	c.Password = ""
	if c.Token, err = b.Token(s.ctx); err != nil {
		return "", tokenErr(err)
	}
	again := b.Renewed()
	name, refused, err := s.exchange(c)
	if err == nil || !refused {
		return name, err
	}
	if again {
		return name, s.l.refusal(err)
	}
	if rerr := b.Renew(s.ctx); rerr != nil {
		e := tokenErr(rerr)
		if e.Class != vaguemestre.ClassCanceled {
			e.Err = fmt.Errorf("%w; a new token was asked for, since with the last one %w", e.Err, err)
		}
		return name, e
	}
	c.Token, _ = b.Token(s.ctx)
	switch name, refused, err = s.exchange(c); {
	case err == nil:
		return name, nil
	case refused:
		return name, s.l.refusal(err)
	case s.conn == nil && s.ctx.Err() == nil:
		return name, errAnew // the server ended the connection over the first token
	}
	return name, err
}

// exchange runs one way to log in. refused tells that the server does not take the token.
func (s *popSession) exchange(c sasl.Credentials) (name string, refused bool, err error) {
	mask := sasl.Mask(c)
	end := func(name string, r pop3.Reply, problem string, err error) (string, bool, error) {
		if err != nil {
			return name, false, masked(mask, s.lost("login", err))
		}
		r.Code, r.Text = mask(r.Code), mask(r.Text)
		if r.OK {
			return name, false, nil
		}
		if refused := c.Token != "" && !r.Temporary() && r.Code != "SYS/PERM"; refused {
			return name, true, s.l.noToken(r, problem)
		}
		return name, false, s.l.loginError(r, problem)
	}
	how := strings.ToLower(s.l.Auth)
	auto := how == "" || how == "auto"
	secure := s.conn.Secure()
	if c.Token == "" && (how == "user" || auto && !s.offersSASL()) {
		if !secure && !s.l.AllowInsecureAuth {
			return "", false, errPOP3("login", vaguemestre.ClassConfig, "USER would send the password in clear over an unencrypted line: "+
				"set tls to implicit or starttls, or allow_insecure_auth if the network is trusted or the line ends at a tunnel on this machine")
		}
		r, err := s.c.User(c.Account, c.Password)
		return end("USER", r, "", err)
	}
	if how == "apop" {
		if c.Token != "" {
			return "", false, errPOP3("login", vaguemestre.ClassConfig, "APOP carries no access token: set auth to auto, xoauth2 or oauthbearer")
		}
		if s.c.Timestamp() == "" {
			return "", false, errPOP3("login", vaguemestre.ClassConfig, "the server does not offer APOP: set auth to auto")
		}
		r, err := s.c.APOP(c.Account, c.Password)
		return end("APOP", r, "", err)
	}
	client, name, err := sasl.Choose(s.l.Auth, strings.Fields(strings.ToUpper(s.c.Param("SASL"))), secure, s.l.AllowInsecureAuth, c)
	if err != nil {
		return "", false, err
	}
	r, failed, err := s.c.Auth(name, client)
	if err == nil && failed != nil {
		return name, false, errPOP3("login", vaguemestre.ClassAuth, "%s failed: %s", name, mask(failed.Error()))
	}
	if err == nil && r.OK {
		if err := sasl.Verify(client); err != nil {
			return name, false, errPOP3("login", vaguemestre.ClassAuth, "%w", err)
		}
	}
	return end(name, r, mask(sasl.Problem(client)), err)
}

// offersSASL tells whether the server has a mechanism that auto may choose for a password.
func (s *popSession) offersSASL() bool {
	for _, m := range strings.Fields(strings.ToUpper(s.c.Param("SASL"))) {
		switch m {
		case "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256":
			return true
		}
	}
	return false
}

// noToken is the error of a token that is refused.
func (l *POP3) noToken(r pop3.Reply, problem string) error {
	e := l.refused("login", r)
	e.Class = vaguemestre.ClassAuth
	e.Err = fmt.Errorf("the server does not take the token for the mailbox %s, it says %s", quote(l.Account), quote(r.Text))
	if problem != "" {
		e.Err = fmt.Errorf("%w, and adds %s", e.Err, quote(problem))
	}
	return e
}

// refusal is the error of a token that was refused twice.
func (l *POP3) refusal(err error) error {
	var e *vaguemestre.Error
	if !errors.As(err, &e) {
		return err
	}
	return &vaguemestre.Error{Op: e.Op, Class: e.Class, Code: e.Code, Err: fmt.Errorf(
		"%w; a fresh token of the account %q was refused too: see that who signed in may open this mailbox, and that reading by POP3 is among what was granted, then associate the account again",
		e.Err, l.OAuthAccount.Name())}
}

// ValidateSettings checks what concerns several keys.
func (l *POP3) ValidateSettings() []settings.Issue {
	return loginIssues(l.accounts, l.OAuthAccount, l.oauth(), l.Password, l.Auth, l.TLS == TLSNone && !l.AllowInsecureAuth)
}
