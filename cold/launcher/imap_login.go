package launcher

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/sasl"
)

// authenticate logs in and returns the mechanism's name. With the token of b, one that the
// server refuses is renewed once and tried again, on the same connection if the server lets
// it, else the error is errAnew and b has the new one.
func (s *session) authenticate(ctx context.Context, b *sasl.Bearer) (string, error) {
	c := sasl.Credentials{Account: s.l.Account, Password: s.l.password(), Host: s.l.Host, Port: s.l.port()}
	caps := s.c.caps
	if b == nil {
		name, _, err := s.exchange(ctx, c)
		return name, err
	}
	var err error
	c.Password = ""
	if c.Token, err = b.Token(ctx); err != nil {
		return "", tokenError(ctx, err)
	}
	again := b.Renewed()
	name, refused, err := s.exchange(ctx, c)
	if err == nil || !refused {
		return name, err
	}
	if again {
		return name, s.l.refusal(err)
	}
	if rerr := b.Renew(ctx); rerr != nil {
		e := tokenError(ctx, rerr)
		if e.Class != vaguemestre.ClassCanceled {
			e.Err = fmt.Errorf("%w; a new token was asked for, since with the last one %w", e.Err, err)
		}
		return name, e
	}
	if s.c.g.ended() != nil {
		return name, errAnew
	}
	s.c.caps = caps
	c.Token, _ = b.Token(ctx)
	switch name, refused, err = s.exchange(ctx, c); {
	case err == nil:
		return name, nil
	case refused:
		return name, s.l.refusal(err)
	case s.c == nil && ctx.Err() == nil:
		return name, errAnew
	}
	return name, err
}

// exchange runs one mechanism. refused tells that the server does not take the token.
func (s *session) exchange(ctx context.Context, c sasl.Credentials) (name string, refused bool, err error) {
	var offered []string
	for c := range s.c.caps {
		if m, ok := strings.CutPrefix(c, "AUTH="); ok {
			offered = append(offered, m)
		}
	}
	secure := s.c.conn.Secure()
	auto := s.l.Auth == "" || strings.EqualFold(s.l.Auth, "auto")
	client, name, err := sasl.Choose(s.l.Auth, offered, secure, s.l.AllowInsecureAuth, c)
	if err != nil {
		// The old LOGIN command, where the server has it and the line may carry it.
		if c.Token == "" && (auto || strings.EqualFold(s.l.Auth, "login")) {
			switch {
			case s.c.caps["LOGINDISABLED"]: // RFC 9051 section 6.2.3
				if len(offered) == 0 {
					return "", false, errIMAP("login", vaguemestre.ClassConfig,
						"the server allows no login on this line (LOGINDISABLED): set tls to implicit or starttls")
				}
			case secure || s.l.AllowInsecureAuth:
				return "LOGIN command", false, s.login(ctx, c.Account, c.Password)
			}
		}
		return "", false, err
	}
	mask := sasl.Mask(c)
	initial := []byte(nil)
	if _, initial, err = client.Start(); err != nil {
		return name, false, errIMAP("login", vaguemestre.ClassConfig, "%w", err)
	}
	command := "AUTHENTICATE " + name
	if initial != nil && s.c.has("SASL-IR") { // RFC 4959 section 3
		command += " " + encodeSASL(initial)
		initial = nil
	}
	s.c.caps = nil
	var failed error
	rounds := 0
	a, err := s.talk(command, func(line []byte) error {
		if line[0] != '+' {
			s.untaggedCaps(line)
			return nil
		}
		if rounds++; rounds > 10 {
			return fmt.Errorf("the server does not end the login")
		}
		var reply []byte
		switch text := strings.TrimSpace(string(line[1:])); {
		case initial != nil:
			reply, initial = initial, nil
		default:
			challenge, err := base64.StdEncoding.DecodeString(text)
			if err == nil {
				reply, err = client.Next(challenge)
			}
			if err != nil {
				failed = err
				_, err = s.c.conn.Write([]byte("*\r\n")) // RFC 9051 section 6.2.2: gives up the exchange
				return err
			}
		}
		out := ""
		if len(reply) > 0 {
			out = base64.StdEncoding.EncodeToString(reply)
		}
		_, err := s.c.conn.Write([]byte(out + "\r\n"))
		return err
	})
	if err != nil {
		return name, false, masked(mask, s.lost(ctx, "login", err))
	}
	a.code, a.text = mask(a.code), mask(a.text)
	if failed != nil {
		return name, false, errIMAP("login", vaguemestre.ClassAuth, "%s failed: %w", name, failed)
	}
	if !a.ok() {
		problem := mask(sasl.Problem(client))
		if refused = c.Token != "" && refusesToken(a); refused {
			return name, true, s.l.noToken(a, problem)
		}
		return name, false, s.l.loginError(a, problem)
	}
	if err := sasl.Verify(client); err != nil {
		return name, false, errIMAP("login", vaguemestre.ClassAuth, "%w", err)
	}
	s.codeCaps(a)
	return name, false, nil
}

// masked is err without the secrets that the server repeats in it.
func masked(mask func(string) string, err error) error {
	var e *vaguemestre.Error
	if !errors.As(err, &e) || mask(e.Err.Error()) == e.Err.Error() {
		return err
	}
	return &vaguemestre.Error{Op: e.Op, Class: e.Class, Code: e.Code, RetryAfter: e.RetryAfter, Err: errors.New(mask(e.Err.Error()))}
}

func encodeSASL(b []byte) string {
	if len(b) == 0 {
		return "=" // RFC 4959 section 3: an empty first answer
	}
	return base64.StdEncoding.EncodeToString(b)
}

func (s *session) untaggedCaps(line []byte) {
	if hasPrefixFold(line, "CAPABILITY ") {
		s.setCaps(string(line[len("CAPABILITY "):]))
	}
}

// login is the LOGIN command. What a quoted string may not hold goes as a literal.
func (s *session) login(ctx context.Context, account, password string) error {
	s.c.caps = nil
	parts := []string{"LOGIN "}
	for i, word := range []string{account, password} {
		if i > 0 {
			parts[len(parts)-1] += " "
		}
		if isQuotable(word) {
			parts[len(parts)-1] += `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
			continue
		}
		parts[len(parts)-1] += fmt.Sprintf("{%d}", len(word))
		parts = append(parts, word)
	}
	sent := 1
	a, err := s.talk(parts[0], func(line []byte) error {
		if line[0] != '+' {
			s.untaggedCaps(line)
			return nil
		}
		if sent >= len(parts) {
			return fmt.Errorf("the server asks to go on where nothing more is to be sent")
		}
		sent++
		_, err := s.c.conn.Write([]byte(parts[sent-1] + "\r\n"))
		return err
	})
	mask := sasl.Mask(sasl.Credentials{Account: account, Password: password})
	if err != nil {
		return masked(mask, s.lost(ctx, "login", err))
	}
	a.code, a.text = mask(a.code), mask(a.text)
	if !a.ok() {
		return s.l.loginError(a, "")
	}
	s.codeCaps(a)
	return nil
}

func isQuotable(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
