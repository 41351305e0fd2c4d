package launcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/sasl"
	"github.com/vaguemestre/vaguemestre/internal/transport"
)

// session is an open folder. It opens a new connection when it had to drop one, but
// never after its context ended.
type session struct {
	l        IMAP
	log      *slog.Logger
	readOnly bool

	c       *link  // nil when the connection was dropped
	over    error  // the session is over for good
	folder  string // the source's name on the server, once known
	epoch   string // Item.Epoch of this folder
	prefix  string // Item.Key up to the UID
	names   naming
	targets map[string]string
	uids    []uint32 // what the running listing knows, ascending
	listed  bool
}

// reporter tells the steps of a check; nil tells nobody.
type reporter struct {
	step  func(vaguemestre.Step)
	start time.Time
}

func (r *reporter) begin() {
	if r != nil {
		r.start = time.Now()
	}
}

// done tells how a step ended and returns err.
func (r *reporter) done(name, detail string, err error) error {
	if r == nil {
		return err
	}
	st := vaguemestre.Step{Name: name, Status: vaguemestre.StatusOK, Detail: detail, Took: time.Since(r.start), Err: err}
	if err != nil {
		st.Status, st.Help = vaguemestre.StatusFailed, err.Error()
	}
	r.step(st)
	r.start = time.Now()
	return err
}

// connect opens a connection, logs in and opens the folder.
func (s *session) connect(ctx context.Context, r *reporter) error {
	if err := s.l.valid(); err != nil {
		return err
	}
	if err := s.logIn(ctx, r); err != nil {
		s.drop()
		return err
	}
	release := s.c.conn.Bind(ctx)
	defer release()
	r.begin()
	err := s.open(ctx)
	if err == nil {
		err = s.opened()
	}
	detail := ""
	if err == nil {
		detail = fmt.Sprintf("%q is open with %d messages", s.c.state.name, s.c.exists)
	}
	if err := r.done("folder", detail, err); err != nil {
		s.drop()
		return s.canceled(ctx, err)
	}
	return nil
}

// opened gives the session the names of its items.
func (s *session) opened() error {
	st := s.c.state
	epoch := epochURL(s.l.Account, s.l.Host, st.name, st.validity)
	if s.epoch != "" && s.epoch != epoch {
		// RFC 9051 section 2.3.1.1: all UIDs that are known are worth nothing now.
		s.over = errIMAP("open folder", vaguemestre.ClassSource, "the folder was rebuilt meanwhile (UIDVALIDITY changed); the next run begins anew")
		return s.over
	}
	s.folder, s.epoch, s.prefix = st.name, epoch, epoch+"/;UID="
	return nil
}

// logIn gets as far as an account that is logged in.
func (s *session) logIn(ctx context.Context, r *reporter) error {
	b := s.l.bearer()
	err := s.logInWith(ctx, b, r)
	if errors.Is(err, errAnew) {
		s.drop()
		err = r.done("auth", "logged in with a fresh token", s.logInWith(ctx, b, nil))
	}
	return err
}

// logInWith does that over one connection; b may be nil.
func (s *session) logInWith(ctx context.Context, b *sasl.Bearer, r *reporter) error {
	t := s.l.transport()
	var conn *transport.Conn
	var err error
	if r == nil {
		conn, err = transport.Dial(ctx, t)
	} else {
		conn, err = transport.Check(ctx, t, r.step)
	}
	if err != nil {
		return s.canceled(ctx, err)
	}
	release := conn.Bind(ctx)
	defer release()
	s.c = &link{conn: conn, g: newGuard(conn)}
	s.c.fetch.s = s.c.g.in
	s.names = naming{}
	r.begin()
	if err := s.greet(ctx); err != nil {
		return r.done("greeting", "", err)
	}
	if t.Mode == transport.StartTLS {
		if err := s.startTLS(ctx, t, r); err != nil {
			return err
		}
		r.begin()
	}
	if s.c.caps == nil { // the greeting did not tell, or it came before TLS
		if err := s.capabilities(ctx); err != nil {
			return r.done("capabilities", "", err)
		}
	}
	_ = r.done("capabilities", capsDetail(s.c.caps), nil)
	name, err := s.authenticate(ctx, b)
	if errors.Is(err, errAnew) {
		return err
	}
	if err := r.done("auth", "logged in with "+name, err); err != nil {
		return err
	}
	if s.c.caps == nil {
		if err := s.capabilities(ctx); err != nil {
			return err
		}
	}
	// The library begins behind the login: it never sees a password.
	s.c.g.preload("* PREAUTH [CAPABILITY " + strings.Join(libraryCaps(s.c.caps), " ") + "] ready\r\n")
	s.c.client = imapclient.New(s.c.g, nil)
	if err := s.c.client.WaitGreeting(); err != nil {
		return s.lost(ctx, "login", err)
	}
	s.c.g.giveBack()
	return nil
}

// greet reads the server's first line.
func (s *session) greet(ctx context.Context) error {
	line, err := s.c.line(64 << 10)
	if err != nil {
		return s.lost(ctx, "greeting", err)
	}
	word, rest, _ := bytes.Cut(line, []byte(" "))
	a := parseStatus(rest)
	switch {
	case string(word) == "*" && a.status == "OK":
		// RFC 9051 section 7.2.2: what was said before TLS counts for nothing.
		if s.l.mode() != transport.StartTLS {
			s.codeCaps(a)
		}
		return nil
	case string(word) == "*" && a.status == "PREAUTH":
		// RFC 9051 section 11.1: PREAUTH makes STARTTLS impossible, so it is an attack.
		return errIMAP("greeting", vaguemestre.ClassConfig, "the server says that somebody is logged in already (PREAUTH): "+
			"nothing was sent; check host and port, or use tls implicit")
	case string(word) == "*" && a.status == "BYE":
		return serverError("greeting", a)
	}
	return errIMAP("greeting", vaguemestre.ClassConfig, "this is no IMAP server, it says %s: check host, port and tls", quote(line))
}

// startTLS turns the plain connection into one under TLS, or fails.
func (s *session) startTLS(ctx context.Context, t transport.Target, r *reporter) error {
	a, err := s.talk("STARTTLS", nil)
	if err != nil {
		return r.done("tls", "", s.lost(ctx, "starttls", err))
	}
	if !a.ok() {
		// The capabilities are not asked for: who strips them would decide.
		e := errIMAP("starttls", vaguemestre.ClassConfig, "the server refuses STARTTLS, so nothing was sent to it: "+
			"use tls implicit with port 993 (server: %s)", quote(a.text))
		e.Code = a.status
		if yes, _ := temporary(a); yes {
			e.Class = vaguemestre.ClassSource
		}
		return r.done("tls", "", e)
	}
	if n := s.c.g.in.buffered(); n > 0 {
		// RFC 9051 section 6.2.1: the answer ends the plain text.
		s.c.g.fail(fmt.Errorf("%d bytes behind STARTTLS", n))
		return r.done("tls", "", errIMAP("starttls", vaguemestre.ClassConfig,
			"%d bytes came behind the answer to STARTTLS: somebody may be interfering with the connection; nothing was sent", n))
	}
	if r == nil {
		err = s.c.conn.Upgrade(ctx, t)
	} else {
		err = transport.UpgradeStep(ctx, s.c.conn, t, r.step)
	}
	return s.canceled(ctx, err)
}

// talk does one command before the library comes in.
func (s *session) talk(command string, each func([]byte) error) (answer, error) {
	s.c.g.in.begin()
	tag, err := s.c.send(command)
	if err != nil {
		return answer{}, err
	}
	return s.c.await(tag, each)
}

func (s *session) capabilities(ctx context.Context) error {
	a, err := s.talk("CAPABILITY", func(line []byte) error {
		if hasPrefixFold(line, "CAPABILITY ") {
			s.setCaps(string(line[len("CAPABILITY "):]))
		}
		return nil
	})
	if err != nil {
		return s.lost(ctx, "capability", err)
	}
	if !a.ok() {
		return serverError("capability", a)
	}
	if s.c.caps == nil {
		s.c.caps = map[string]bool{}
	}
	return nil
}

// codeCaps takes the capabilities that an answer carries.
func (s *session) codeCaps(a answer) {
	if a.codeWord() == "CAPABILITY" {
		s.setCaps(a.code[len("CAPABILITY"):])
	}
}

func (s *session) setCaps(list string) {
	s.c.caps = map[string]bool{}
	for _, w := range strings.Fields(list) {
		s.c.caps[strings.ToUpper(w)] = true
	}
}

func capsDetail(caps map[string]bool) string {
	var out []string
	for _, c := range []string{"IMAP4REV2", "IMAP4REV1", "MOVE", "UIDPLUS", "ESEARCH", "NAMESPACE", "ACL", "LOGINDISABLED"} {
		if caps[c] {
			out = append(out, c)
		}
	}
	for c := range caps {
		if strings.HasPrefix(c, "AUTH=") && isKeyword(c) && len(c) < 40 {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// libraryCaps are the capabilities that change how the library writes or reads.
func libraryCaps(caps map[string]bool) []string {
	out := []string{"IMAP4rev1"}
	for _, c := range []string{"MOVE", "UIDPLUS", "NAMESPACE", "UNSELECT", "ACL"} {
		if caps[c] || caps["IMAP4REV2"] && c != "ACL" {
			out = append(out, c)
		}
	}
	return out
}

// patient lengthens the silence for what large folders make slow.
func (s *session) patient(on bool) {
	if s.c == nil {
		return
	}
	d := s.l.timeout()
	if on {
		d *= 5
	}
	s.c.conn.SetSilence(d)
}

// lost drops the connection and explains why it broke.
func (s *session) lost(ctx context.Context, op string, err error) error {
	if s.c != nil {
		if cause := s.c.g.ended(); cause != nil {
			err = cause // the library only knows that something ended
		}
	}
	s.drop()
	return s.canceled(ctx, lineError(ctx, op, err))
}

// canceled makes the end of ctx the reason, whatever broke because of it.
func (s *session) canceled(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	s.drop()
	if s.over == nil {
		s.over = &vaguemestre.Error{Op: "imap", Class: vaguemestre.ClassCanceled, Err: context.Cause(ctx)}
	}
	return s.over
}

// drop closes the connection at once.
func (s *session) drop() {
	if s.c == nil {
		return
	}
	c := s.c
	s.c = nil
	_ = c.g.Close()
	if c.client != nil {
		_ = c.client.Close() // waits for its goroutine
	}
}

// ready gives a live connection, a new one if the last was dropped.
func (s *session) ready(ctx context.Context) error {
	if s.over != nil {
		return s.over
	}
	if ctx.Err() != nil {
		return s.canceled(ctx, ctx.Err())
	}
	if s.c != nil && s.c.g.ended() == nil {
		return nil
	}
	s.drop()
	if err := s.connect(ctx, nil); err != nil {
		return err
	}
	return nil
}

// Close implements [cold.Session]: it says LOGOUT, which expunges nothing.
func (s *session) Close() error {
	if s.over == nil {
		s.over = errIMAP("session", vaguemestre.ClassSource, "the session was closed; connect again")
	}
	if s.c == nil {
		return nil
	}
	if s.c.g.ended() == nil {
		s.c.conn.SetSilence(2 * time.Second)
		if s.c.g.take() == nil {
			_, _ = s.c.send("LOGOUT") // its answer could only say goodbye: not worth a round trip
		}
	}
	s.drop()
	return nil
}
