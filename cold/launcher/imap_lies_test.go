package launcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

func TestMain(m *testing.M) {
	// Whatever the servers do, nothing may be left running.
	goleak.VerifyTestMain(m,
		// QUIRK: go-imap's test server locks itself out when a client goes away mid-answer.
		goleak.IgnoreAnyFunction("github.com/emersion/go-imap/v2/imapserver.(*Conn).serve"))
}

// taken is what a job would make of one call of Open.
type taken struct {
	whole     map[string]string // given with a body that ended well
	confirmed map[string]bool
	broken    []string
	refused   map[string]error
}

func openAll(ctx context.Context, s cold.Session, items []cold.Item) (*taken, error) {
	k := &taken{whole: map[string]string{}, confirmed: map[string]bool{}, refused: map[string]error{}}
	err := s.Open(ctx, items, func(it cold.Item, c *cold.Content) error {
		uid := it.Key[strings.LastIndexByte(it.Key, '=')+1:]
		switch {
		case c == nil:
			k.confirmed[uid] = true
		case c.Err != nil:
			k.refused[uid] = c.Err
		default:
			if _, twice := k.whole[uid]; twice {
				return fmt.Errorf("%s came twice", uid)
			}
			b, err := io.ReadAll(c.Body)
			if vaguemestre.ClassOf(err) == vaguemestre.ClassPoison && errors.Is(err, io.ErrUnexpectedEOF) {
				k.refused[uid] = err
				return nil
			}
			if err != nil {
				return err // what a job does
			}
			if int64(len(b)) != c.Size {
				k.broken = append(k.broken, uid)
				return nil
			}
			k.whole[uid] = string(b)
		}
		return nil
	})
	if err == nil {
		for uid := range k.whole {
			k.confirmed[uid] = k.confirmed[uid] || k.refused[uid] == nil
		}
	}
	return k, err
}

// collect connects, lists and opens all.
func collect(t *testing.T, l *IMAP) (*taken, error) {
	t.Helper()
	s, err := l.Connect(t.Context(), nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	p, err := s.List(t.Context(), "")
	if err != nil {
		return nil, err
	}
	return openAll(t.Context(), s, p.Items)
}

// wantHonest fails if anything that counts differs from the mailbox.
func (k *taken) wantHonest(t *testing.T, mails map[uint32]string) {
	t.Helper()
	for uid := range k.confirmed {
		var n uint32
		fmt.Sscan(uid, &n)
		if raw, there := k.whole[uid]; there && k.refused[uid] == nil && raw != mails[n] {
			t.Errorf("mail %s counts with %q", uid, raw)
		}
	}
}

// body lets a server answer BODY fetches in its own way.
func body(f func(c *fakeConn, tag, set string)) func(*fakeConn, string, string) bool {
	return func(c *fakeConn, tag, command string) bool {
		if !strings.HasPrefix(command, "UID FETCH") || !strings.Contains(command, "BODY") {
			return false
		}
		f(c, tag, strings.Fields(command)[2])
		return true
	}
}

func TestOpenAgainstLies(t *testing.T) {
	t.Parallel()
	first := func(set string) bool { return strings.ContainsAny(set, ",:") } // the range, not one alone
	for _, tt := range []struct {
		name   string
		answer func(c *fakeConn, tag, set string)
		whole  int      // mails that count
		poison []string // mails that are blamed
		err    vaguemestre.Class
	}{
		{name: "honest", whole: 4, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				c.say("%s", c.s.row(uid))
			}
			c.say("%s OK done", tag)
		}},
		{name: "short literal with OK", whole: 3, poison: []string{"2"}, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				if uid == 2 {
					c.say("* 2 FETCH (UID 2 BODY[] {5000}\r\n%s)", c.s.mails[2])
					continue
				}
				c.say("%s", c.s.row(uid))
			}
			c.say("%s OK done", tag)
			c.Close() // a literal that is too short ends with the connection
		}},
		{name: "row missing at first", whole: 4, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				if uid != 3 || !first(set) {
					c.say("%s", c.s.row(uid))
				}
			}
			c.say("%s OK done", tag)
		}},
		{name: "row missing always", whole: 3, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				if uid != 3 {
					c.say("%s", c.s.row(uid))
				}
			}
			c.say("%s OK done", tag)
		}},
		{name: "BODY[] NIL", whole: 3, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				if uid == 3 {
					c.say("* 3 FETCH (UID 3 BODY[] NIL)")
					continue
				}
				c.say("%s", c.s.row(uid))
			}
			c.say("%s OK done", tag)
		}},
		{name: "empty body", whole: 3, poison: []string{"3"}, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				if uid == 3 {
					c.say(`* 3 FETCH (UID 3 BODY[] "")`)
					continue
				}
				c.say("%s", c.s.row(uid))
			}
			c.say("%s OK done", tag)
		}},
		{name: "body before UID, rows about flags, odd blanks and attributes", whole: 4, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				raw := c.s.mails[uid]
				c.say("* %d FETCH (FLAGS (\\Seen))", uid)
				c.say("* %d FETCH (UID %d FLAGS (\\Seen $X))", uid, uid)
				c.say("* 9 EXISTS")
				c.say("* VANISHED 77")
				c.say(`* %d FETCH (X-GM-MSGID 123 X-LIST (("a" NIL) {3}`+"\r\nabc)  BODY[] {%d}\r\n%s MODSEQ (12) UID %d )", uid, len(raw), raw, uid)
			}
			c.say("%s OK done", tag)
		}},
		{name: "another mail's UID", whole: 3, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				if uid == 2 {
					c.say("* 2 FETCH (UID 999 BODY[] {3}\r\nabc)")
					continue
				}
				c.say("%s", c.s.row(uid))
			}
			c.say("%s OK done", tag)
		}},
		{name: "garbage row", whole: 3, poison: []string{"2"}, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				if uid == 2 {
					c.say("* 2 FETCH (UID 2 BODY[ {oops")
					return
				}
				c.say("%s", c.s.row(uid))
			}
			c.say("%s OK done", tag)
		}},
		{name: "NO for one mail", whole: 3, poison: []string{"4"}, answer: func(c *fakeConn, tag, set string) {
			bad := false
			for _, uid := range c.s.uids(set) {
				if bad = bad || uid == 4; uid != 4 {
					c.say("%s", c.s.row(uid))
				}
			}
			if bad {
				c.say("%s NO some messages cannot be read", tag)
				return
			}
			c.say("%s OK done", tag)
		}},
		{name: "NO for now", err: vaguemestre.ClassSource, answer: func(c *fakeConn, tag, set string) {
			c.say("%s NO [UNAVAILABLE] later", tag)
		}},
		{name: "every fetch kills", err: vaguemestre.ClassSource, answer: func(c *fakeConn, tag, set string) { c.Close() }},
		{name: "one mail kills", whole: 3, poison: []string{"3"}, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				if uid == 3 {
					c.Close()
					return
				}
				c.say("%s", c.s.row(uid))
			}
			c.say("%s OK done", tag)
		}},
		{name: "two mails kill", whole: 2, poison: []string{"2", "3"}, answer: func(c *fakeConn, tag, set string) {
			for _, uid := range c.s.uids(set) {
				if uid == 3 || uid == 2 {
					fmt.Fprintf(c, "* 2 FETCH (UID %d BODY[] {90}\r\nbroken", uid)
					c.Close()
					return
				}
				c.say("%s", c.s.row(uid))
			}
			c.say("%s OK done", tag)
		}},
		{name: "BYE in the middle", whole: 4, answer: func(c *fakeConn, tag, set string) {
			if c.n == 1 {
				c.say("%s", c.s.row(1))
				c.say("* BYE server is restarting")
				c.Close()
				return
			}
			for _, uid := range c.s.uids(set) {
				c.say("%s", c.s.row(uid))
			}
			c.say("%s OK done", tag)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &fakeServer{mails: mailbox(4), on: body(tt.answer)}
			k, err := collect(t, s.start(t))
			if vaguemestre.ClassOf(err) != tt.err {
				t.Fatalf("error %v, want class %q", err, tt.err)
			}
			k.wantHonest(t, s.mails)
			if n := len(k.whole); tt.err == "" && n != tt.whole {
				t.Errorf("%d mails came, want %d", n, tt.whole)
			}
			if tt.err == "" && len(k.confirmed) != tt.whole {
				t.Errorf("%d mails are confirmed, want %d", len(k.confirmed), tt.whole)
			}
			if len(k.refused) != len(tt.poison) {
				t.Errorf("refused %v, want %v", k.refused, tt.poison)
			}
			for _, uid := range tt.poison {
				if vaguemestre.ClassOf(k.refused[uid]) != vaguemestre.ClassPoison {
					t.Errorf("mail %s: %v", uid, k.refused[uid])
				}
			}
		})
	}
}

func TestUIDValidityChangesInARun(t *testing.T) {
	t.Parallel()
	s := &fakeServer{mails: mailbox(4), on: func(c *fakeConn, tag, cmd string) bool {
		switch {
		case strings.HasPrefix(cmd, "SELECT") && c.n > 1: // the folder was rebuilt
			c.say("* 4 EXISTS")
			c.say("* OK [UIDVALIDITY 8] ok")
			c.say("%s OK done", tag)
			return true
		case strings.Contains(cmd, "BODY"):
			c.Close()
			return true
		}
		return false
	}}
	l := s.start(t)
	k, err := collect(t, l)
	if vaguemestre.ClassOf(err) != vaguemestre.ClassSource || k != nil && len(k.whole) > 0 {
		t.Errorf("%v, %v", k, err)
	}
}

func TestItemsOfAnEarlierEpochAreGone(t *testing.T) {
	t.Parallel()
	srv := &fakeServer{mails: mailbox(2)}
	l := srv.start(t)
	s, err := l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	old := p.Items[0]
	old.Key = strings.Replace(old.Key, "UIDVALIDITY=7", "UIDVALIDITY=6", 1)
	old.Epoch = strings.Replace(old.Epoch, "UIDVALIDITY=7", "UIDVALIDITY=6", 1)
	other := cold.Item{Key: "imap://bob@elsewhere/INBOX;UIDVALIDITY=7/;UID=1", Epoch: "imap://bob@elsewhere/INBOX;UIDVALIDITY=7"}
	got, err := s.Settle(t.Context(), []cold.Item{other, old, p.Items[1]}, cold.MarkSeen())
	if err != nil || got[0].Outcome != cold.SettleUnknown || got[1].Outcome != cold.SettleGone || got[2].Outcome != cold.SettleDone {
		t.Errorf("%+v %v", got, err)
	}
	for _, c := range srv.commands() {
		if strings.HasPrefix(c, "UID STORE 1") {
			t.Errorf("an item of an earlier epoch was touched: %s", c)
		}
	}
}

// TestRefusedCopyRemovesNothing is the loss that the library's own fallback leads to.
func TestRefusedCopyRemovesNothing(t *testing.T) {
	t.Parallel()
	for _, caps := range []string{"IMAP4rev1", "IMAP4rev1 UIDPLUS", "IMAP4rev1 MOVE UIDPLUS"} {
		srv := &fakeServer{mails: mailbox(2), caps: caps, on: func(c *fakeConn, tag, cmd string) bool {
			if strings.HasPrefix(cmd, "UID COPY") || strings.HasPrefix(cmd, "UID MOVE") {
				c.say("%s NO [OVERQUOTA] full", tag)
				return true
			}
			return false
		}}
		s, err := srv.start(t).Connect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := s.List(t.Context(), "")
		got, err := s.Settle(t.Context(), p.Items, cold.MoveTo("Traités"))
		s.Close()
		if err != nil || len(got) != 2 || got[0].Outcome != cold.SettleFailed || got[1].Err == nil {
			t.Errorf("%s: %+v %v", caps, got, err)
		}
		for _, c := range srv.commands() {
			if strings.Contains(c, "STORE") || strings.Contains(c, "EXPUNGE") || c == "CLOSE" {
				t.Errorf("%s: %s was sent", caps, c)
			}
		}
	}
}

// TestPipeline proves that the round trips do not add up: all ranges are asked for
// before the first is answered.
func TestPipeline(t *testing.T) {
	t.Parallel()
	s := &fakeServer{mails: mailbox(800)}
	var tags, sets []string
	s.on = body(func(c *fakeConn, tag, set string) {
		if tags, sets = append(tags, tag), append(sets, set); len(tags) < 4 {
			return
		}
		// QUIRK: Dovecot ends the first command after the data of the second.
		for i := range tags {
			for _, uid := range s.uids(sets[i]) {
				c.say("%s", s.row(uid))
			}
		}
		for _, i := range []int{1, 0, 3, 2} {
			c.say("%s OK done", tags[i])
		}
	})
	k, err := collect(t, s.start(t))
	if err != nil || len(k.whole) != 800 || len(k.confirmed) != 800 {
		t.Fatalf("%d mails: %v", len(k.whole), err)
	}
	k.wantHonest(t, s.mails)
}

// TestCutAtEveryByte cuts the server's side of a session after every byte.
func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	mails := mailbox(3)
	step := 1
	if testing.Short() {
		step = 7
	}
	for cut := 0; ; cut += step {
		whole := false
		srv := &fakeServer{mails: mails}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		left := cut
		done := make(chan struct{})
		go func() {
			defer close(done)
			srv.caps, srv.validity = "IMAP4rev1 MOVE UIDPLUS", 7
			for n := 1; ; n++ {
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				c := &cutConn{Conn: nc, left: &left, cut: n == 1}
				srv.serve(&fakeConn{Conn: c, s: srv, n: n, r: newReader(c)})
				nc.Close()
			}
		}()
		l := &IMAP{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, TLS: TLSNone, AllowInsecureAuth: true,
			Account: "alice", Password: "geheim", Timeout: 5 * time.Second}
		k, err := collect(t, l)
		if k != nil {
			k.wantHonest(t, mails)
			if err == nil && len(k.confirmed) != 3 {
				t.Errorf("cut after %d bytes: no error and %d mails", cut, len(k.confirmed))
			}
		}
		if err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
		ln.Close()
		<-done
		whole = left > 0
		if whole {
			if cut < 500 {
				t.Errorf("the session has only %d bytes", cut)
			}
			return
		}
	}
}

func TestContextEndsEverywhere(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"CAPABILITY", "LOGIN", "SELECT", "UID FETCH 1:* (UID F", "UID FETCH 1:4", "UID STORE"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			hit := make(chan struct{}, 10)
			srv := &fakeServer{mails: mailbox(4), greeting: "* OK ready", on: func(c *fakeConn, tag, cmd string) bool {
				if strings.HasPrefix(cmd, verb) {
					hit <- struct{}{}
					return true // silence
				}
				return false
			}}
			l := srv.start(t)
			l.Timeout = time.Minute
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end := make(chan error, 1)
			go func() {
				s, err := l.Connect(ctx, nil)
				if err != nil {
					end <- err
					return
				}
				defer s.Close()
				p, err := s.List(ctx, "")
				if err == nil {
					_, err = openAll(ctx, s, p.Items)
				}
				if err == nil {
					_, err = s.Settle(ctx, p.Items, cold.MarkSeen())
				}
				end <- err
			}()
			<-hit
			start := time.Now()
			cancel()
			select {
			case err := <-end:
				if vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
					t.Errorf("%v", err)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("it hangs")
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
