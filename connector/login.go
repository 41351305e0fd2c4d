package connector

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/internal/sasl"
)

// oauth reports whether the token of an account logs in.
func (s *SMTP) oauth() bool { return s.OAuthAccount != auth.Account{} }

// bearer gives the tokens of OAuthAccount; nil if a password logs in, or nothing.
func (s *SMTP) bearer() *sasl.Bearer {
	if !s.oauth() {
		return nil
	}
	if s.ask != nil {
		return &sasl.Bearer{Ask: s.ask}
	}
	return &sasl.Bearer{Ask: func(ctx context.Context, stale string) (string, error) {
		a, err := s.accounts.Resolve(s.OAuthAccount)
		if err != nil {
			return "", err
		}
		t, err := a.Refresh(ctx, auth.SMTP, stale)
		if err != nil {
			return "", err
		}
		return t.AccessToken, nil
	}}
}

// errAnew asks for a new connection: the server ended this one because it refused a token,
// and there is another.
var errAnew = errors.New("the server closed the connection over a token that was refused")

// login is RFC 4954, with the token of b if there is one. It returns the mechanism's name.
//
// A token that the server refuses is renewed once and tried again, on the same connection if
// the server lets it, else the error is errAnew and b has the new one.
func (x *session) login(ctx context.Context, s *SMTP, b *sasl.Bearer) (string, error) {
	c := s.credentials()
	if b == nil {
		name, _, err := x.exchange(ctx, s, c)
		return name, err
	}
	if c.Account == "" {
		return "", &vaguemestre.Error{Op: atAuth.op(), Class: config, Err: errors.New("account is empty: enter the address of the mailbox that the token is for")}
	}
	var err error
	c.Password = ""
	if c.Token, err = b.Token(ctx); err != nil {
		return "", broken(ctx, atAuth, err)
	}
	x.mask = sasl.Mask(c)
	again := b.Renewed()
	name, p, err := x.exchange(ctx, s, c)
	if err == nil || !refusesToken(p) {
		return name, err
	}
	if again {
		return name, s.refusal(err)
	}
	if rerr := b.Renew(ctx); rerr != nil {
		e := broken(ctx, atAuth, rerr)
		if e.Class != vaguemestre.ClassCanceled {
			e.Err = fmt.Errorf("%w; a new token was asked for, since with the last one %w", e.Err, err)
		}
		return name, e
	}
	if x.dead {
		return name, errAnew
	}
	c.Token, _ = b.Token(ctx)
	x.mask = sasl.Mask(c)
	name, p, err = x.exchange(ctx, s, c)
	switch {
	case err == nil:
		return name, nil
	case refusesToken(p):
		return name, s.refusal(err)
	case x.dead && ctx.Err() == nil:
		return name, errAnew
	}
	return name, err
}

// refusesToken reports whether a new token may change the server's mind: not about a mailbox
// for which SMTP is switched off.
func refusesToken(p reply) bool { return p.code == 535 && p.enh != "5.7.139" }

// refusal is the error of a token that was refused twice.
func (s *SMTP) refusal(err error) error {
	var e *vaguemestre.Error
	if !errors.As(err, &e) {
		return err
	}
	return &vaguemestre.Error{Op: e.Op, Class: denied, Code: e.Code, Err: fmt.Errorf(
		"%w; a fresh token of the account %q was refused too: see that who signed in may use this mailbox, and that sending by SMTP is among what was granted, then associate the account again",
		e.Err, s.OAuthAccount.Name())}
}

// exchange runs one mechanism. p is the server's answer if that is a refusal.
func (x *session) exchange(ctx context.Context, s *SMTP, c sasl.Credentials) (name string, p reply, err error) {
	fail := func(class vaguemestre.Class, err error) error {
		if ctx.Err() != nil {
			return canceled(atAuth.op(), ctx.Err())
		}
		return &vaguemestre.Error{Op: atAuth.op(), Class: class, Err: errors.New(x.mask(err.Error()))}
	}
	offered := strings.Fields(strings.ToUpper(x.ext["AUTH"]))
	client, name, err := sasl.Choose(s.Auth, offered, x.conn.Secure(), s.AllowInsecureAuth, c)
	if err != nil {
		var e *vaguemestre.Error
		if errors.As(err, &e) {
			return "", p, fail(e.Class, e.Err)
		}
		return "", p, fail(config, err)
	}
	_, ir, err := client.Start()
	if err != nil {
		return name, p, fail(denied, err)
	}
	line := "AUTH " + name
	first := ir != nil
	if first {
		enc := base64.StdEncoding.EncodeToString(ir)
		if enc == "" {
			enc = "="
		}
		// RFC 4954 section 4: a command line holds 512 bytes; a longer answer waits.
		if len(line)+1+len(enc)+2 <= 512 {
			line, first = line+" "+enc, false
		}
	}
	for range 10 {
		p, err := x.ask(line)
		if err != nil {
			return name, reply{}, broken(ctx, atAuth, err)
		}
		if p.code == 235 {
			if err := sasl.Verify(client); err != nil {
				return name, reply{}, fail(denied, err)
			}
			return name, reply{}, nil
		}
		if p.code != 334 {
			if p.code/100 < 4 {
				return name, reply{}, broken(ctx, atAuth, errGarbage)
			}
			e := explain(atAuth, p)
			if c.Token != "" && refusesToken(p) {
				e.Err = fmt.Errorf("the server says %q: it does not take the token for the mailbox %q", p.words(), c.Account)
			}
			if why := sasl.Problem(client); why != "" {
				e.Err = fmt.Errorf("%w (it adds %q)", e.Err, x.mask(clean(why, 200)))
			}
			return name, p, e
		}
		var answer []byte
		if first {
			answer, first = ir, false
		} else {
			challenge, derr := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.Join(p.lines, "")))
			if derr == nil {
				answer, derr = client.Next(challenge)
			} else {
				derr = errors.New("the server's challenge is not base64")
			}
			if derr != nil {
				_, _ = x.ask("*") // RFC 4954 section 4 cancels so; the answer says nothing new
				return name, reply{}, fail(denied, derr)
			}
		}
		line = base64.StdEncoding.EncodeToString(answer)
	}
	return name, reply{}, fail(source, errors.New("the server's login has no end"))
}
