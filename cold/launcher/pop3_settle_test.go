package launcher

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// Deleting takes 100 mails a connection, each ended by a QUIT.
func TestPOP3DeletesInSmallSessions(t *testing.T) {
	t.Parallel()
	for _, caps := range [][]string{popCaps, {"UIDL"}} {
		srv := &popServer{caps: caps, mails: popMails(250)}
		l := srv.start(t)
		rs, err := popDelete(t, l)
		if err != nil || outcomes(rs) != "map[done:250]" || len(srv.subjects()) != 0 || srv.conns != 3 {
			t.Errorf("%v, %v, %d connections, %d left", outcomes(rs), err, srv.conns, len(srv.subjects()))
		}
	}
	srv := &popServer{caps: append([]string{"LOGIN-DELAY 60"}, popCaps...), mails: popMails(250)}
	if rs, err := popDelete(t, srv.start(t)); err != nil || outcomes(rs) != "map[done:250]" || srv.conns != 1 {
		t.Errorf("with LOGIN-DELAY: %v, %v, %d connections", outcomes(rs), err, srv.conns)
	}
}

// done is said only after the answer to QUIT. Whatever else happens the next session finds
// out: what is listed is deleted, what is not is gone.
func TestPOP3UnansweredQuit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		on   func(c *popConn, command string) bool
		want string
		left int
		then string
	}{
		"no answer, committed": {func(c *popConn, cmd string) bool {
			if cmd != "QUIT" || c.n > 1 {
				return false
			}
			c.commit()
			c.drop()
			return true
		}, "map[unknown:3]", 0, "map[gone:3]"},
		"no answer, not committed": {func(c *popConn, cmd string) bool {
			if cmd != "QUIT" || c.n > 1 {
				return false
			}
			c.drop()
			return true
		}, "map[unknown:3]", 3, "map[done:3]"},
		"refused": {func(c *popConn, cmd string) bool {
			if cmd != "QUIT" || c.n > 1 {
				return false
			}
			c.say("-ERR some deleted messages not removed")
			c.drop()
			return true
		}, "map[unknown:3]", 3, "map[done:3]"},
		"garbage": {func(c *popConn, cmd string) bool {
			if cmd != "QUIT" || c.n > 1 {
				return false
			}
			c.say("221 bye")
			return true
		}, "map[unknown:3]", 3, "map[done:3]"},
		"cut in DELE": {func(c *popConn, cmd string) bool {
			if cmd != "DELE 2" || c.n > 1 {
				return false
			}
			c.drop()
			return true
		}, "map[unknown:3]", 3, "map[done:3]"},
		"one DELE is refused": {func(c *popConn, cmd string) bool {
			if cmd != "DELE 2" || c.n > 1 {
				return false
			}
			c.say("-ERR no")
			return true
		}, "map[done:2 failed:1]", 1, "map[done:1 gone:2]"},
	} {
		for _, caps := range [][]string{popCaps, nil} {
			srv := &popServer{caps: caps, mails: popMails(3), on: c.on}
			l := srv.start(t)
			k, _ := popCollect(t, &POP3{Host: l.Host, Port: l.Port, TLS: TLSNone, Account: l.Account, Password: l.Password, AllowInsecureAuth: true, MinInterval: 1})
			srv.mu.Lock()
			srv.conns = 0
			srv.mu.Unlock()
			s, err := l.Connect(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			rs, err := s.Settle(t.Context(), k.items, cold.Delete())
			if outcomes(rs) != c.want || err != nil && vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
				t.Errorf("%s: %v, %v", name, outcomes(rs), err)
			}
			for _, r := range rs {
				if (r.Outcome == cold.SettleUnknown || r.Outcome == cold.SettleFailed) != (r.Err != nil) {
					t.Errorf("%s: %+v", name, r)
				}
			}
			s.Close()
			time.Sleep(5 * time.Millisecond)
			if got := srv.subjects(); len(got) != c.left {
				t.Errorf("%s: %q are left", name, got)
			}
			s, err = l.Connect(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if rs, err = s.Settle(t.Context(), k.items, cold.Delete()); err != nil || outcomes(rs) != c.then || len(srv.subjects()) != 0 {
				t.Errorf("%s, then: %v, %v", name, outcomes(rs), err)
			}
			s.Close()
		}
	}
}

// A session that fails in between deletes nothing that was not handed over: its connection is
// dropped without QUIT, and Close of a quiet one deletes nothing.
func TestPOP3DeletesNothingElse(t *testing.T) {
	t.Parallel()
	srv := &popServer{caps: popCaps, mails: popMails(5)}
	l := srv.start(t)
	k, err := popCollect(t, l)
	if err != nil || len(srv.subjects()) != 5 {
		t.Fatal(err, srv.subjects())
	}
	s, _ := l.Connect(t.Context(), nil)
	other := k.items[0]
	other.Key = strings.Replace(other.Key, "alice", "bob", 1)
	rs, err := s.Settle(t.Context(), []cold.Item{other, {Key: "imap://x", Size: 3}}, cold.Delete())
	if err != nil || outcomes(rs) != "map[unknown:2]" {
		t.Errorf("another's items: %v, %v", outcomes(rs), err)
	}
	s.Close()
	if len(srv.subjects()) != 5 {
		t.Errorf("%q are left", srv.subjects())
	}
}

// A mailbox that a dropped connection still locks is waited for, within bounds.
func TestPOP3WaitsForItsOwnLock(t *testing.T) {
	t.Parallel()
	srv := &popServer{caps: []string{"UIDL"}, mails: popMails(150)}
	locked := 0
	srv.on = func(c *popConn, cmd string) bool {
		if strings.HasPrefix(cmd, "PASS") && c.n > 1 && locked > 0 {
			locked--
			c.say("-ERR [IN-USE] locked")
			return true
		}
		return false
	}
	l := srv.start(t)
	var slept []time.Duration
	l.sleep = func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil }
	locked = 2
	if rs, err := popDelete(t, l); err != nil || outcomes(rs) != "map[done:150]" || fmt.Sprint(slept) != "[1s 2s]" {
		t.Errorf("%v, %v, slept %v", outcomes(rs), err, slept)
	}
	srv.put(popMails(150)...)
	locked = 100
	srv.mu.Lock()
	srv.conns = 0
	srv.mu.Unlock()
	if rs, err := popDelete(t, l); vaguemestre.ClassOf(err) != vaguemestre.ClassBusy || outcomes(rs) != "map[done:100 unknown:50]" {
		t.Errorf("%v, %v", outcomes(rs), err)
	}
}
