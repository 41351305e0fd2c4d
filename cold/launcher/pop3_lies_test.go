package launcher

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// A mail over which connections die is blamed, and the others come; when all die, or none
// comes, the server is.
func TestPOP3Blame(t *testing.T) {
	t.Parallel()
	dies := func(which string) func(c *popConn, cmd string) bool {
		return func(c *popConn, cmd string) bool {
			if !strings.HasPrefix(cmd, "RETR") || which != "" && cmd != "RETR "+which {
				return false
			}
			fmt.Fprint(c, "+OK\r\nhalf")
			c.drop()
			return true
		}
	}
	refuses := func(text string) func(c *popConn, cmd string) bool {
		return func(c *popConn, cmd string) bool {
			if cmd != "RETR 3" {
				return false
			}
			c.say("%s", text)
			return true
		}
	}
	for name, c := range map[string]struct {
		on     func(c *popConn, cmd string) bool
		mails  int
		whole  int
		failed vaguemestre.Class // of the one that does not come
		class  vaguemestre.Class // of Open
	}{
		"dies over one":       {dies("3"), 6, 5, vaguemestre.ClassPoison, ""},
		"dies over the first": {dies("1"), 6, 5, vaguemestre.ClassPoison, ""},
		"dies over the last":  {dies("6"), 6, 5, vaguemestre.ClassPoison, ""},
		"dies over the only":  {dies("1"), 1, 0, vaguemestre.ClassPoison, ""},
		"dies over all":       {dies(""), 6, 0, "", vaguemestre.ClassSource},
		"dies over both":      {dies(""), 2, 0, "", vaguemestre.ClassSource},
		"refuses one":         {refuses("-ERR broken"), 6, 5, vaguemestre.ClassPoison, ""},
		"refuses one for now": {refuses("-ERR [SYS/TEMP] x"), 6, 5, vaguemestre.ClassSource, ""},
		"talks nonsense":      {refuses("what?"), 6, 5, vaguemestre.ClassPoison, ""},
	} {
		for _, caps := range [][]string{popCaps, {"UIDL"}} {
			srv := &popServer{caps: caps, mails: popMails(c.mails), on: c.on}
			k, err := popCollect(t, srv.start(t))
			if vaguemestre.ClassOf(err) != c.class || len(k.whole) != c.whole || len(k.unsure) > 0 {
				t.Errorf("%s: %d came, %d unsure, %v", name, len(k.whole), len(k.unsure), err)
			}
			for _, err := range k.failed {
				if vaguemestre.ClassOf(err) != c.failed {
					t.Errorf("%s: %v", name, err)
				}
			}
			if (len(k.failed) == 1) != (c.failed != "") {
				t.Errorf("%s: %v", name, k.failed)
			}
		}
	}
}

// A large mail goes on over another connection, byte by byte the same; one that changes, or
// that breaks off again and again, is never taken for whole.
func TestPOP3LargeMailIsMended(t *testing.T) {
	t.Parallel()
	large := "Subject: large\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n.\r\n", 100_000)
	for name, c := range map[string]struct {
		breaks int  // times
		other  bool // it is another mail the second time
		whole  int
		class  vaguemestre.Class
	}{
		"breaks once":        {1, false, 4, ""},
		"breaks twice":       {2, false, 4, ""},
		"breaks for ever":    {100, false, 3, ""}, // blamed, the others come
		"is another's later": {1, true, 0, vaguemestre.ClassSource},
	} {
		srv := &popServer{caps: popCaps, mails: popMails(4)}
		srv.mails[0].raw = large
		broke := 0
		srv.on = func(conn *popConn, cmd string) bool {
			if cmd != "RETR 1" {
				return false
			}
			text := large
			if c.other && broke > 0 {
				text = strings.ToUpper(large)
			}
			if broke++; broke > c.breaks {
				fmt.Fprint(conn, "+OK\r\n"+stuff(text))
				return true
			}
			fmt.Fprint(conn, "+OK\r\n"+stuff(text)[:700_000])
			conn.drop()
			return true
		}
		k, err := popCollect(t, srv.start(t))
		if name == "is another's later" {
			if err == nil || len(k.whole) != 0 {
				t.Errorf("%s: %d came, %v", name, len(k.whole), err)
			}
			continue
		}
		if vaguemestre.ClassOf(err) != c.class || len(k.whole) != c.whole {
			t.Errorf("%s: %d came, %v", name, len(k.whole), err)
		}
		if whole, ok := k.whole[k.items[0].Key]; ok && whole != large {
			t.Errorf("%s: %d bytes of %d", name, len(whole), len(large))
		}
	}
}

// A mail without end stops when its reader has enough, and costs no more than a bound.
func TestPOP3EndlessMail(t *testing.T) {
	t.Parallel()
	srv := &popServer{caps: popCaps, mails: popMails(3)}
	srv.on = func(c *popConn, cmd string) bool {
		if cmd != "RETR 2" {
			return false
		}
		c.say("+OK")
		block := strings.Repeat("Z", 64<<10)
		for {
			if _, err := io.WriteString(c, block); err != nil {
				return true
			}
		}
	}
	l := srv.start(t)
	s, err := l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, _ := s.List(t.Context(), "")
	whole := 0
	start := time.Now()
	err = s.Open(t.Context(), page.Items, func(_ cold.Item, c *cold.Content) error {
		if c == nil {
			whole++
			return nil
		}
		_, _ = io.CopyN(io.Discard, c.Body, 1<<20)
		return nil
	})
	if err != nil || whole != 2 || time.Since(start) > 10*time.Second {
		t.Errorf("%d came, %v, after %v", whole, err, time.Since(start))
	}
}

// Listings that contradict themselves, or never end, are refused; what can be read is read.
func TestPOP3Listings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list, uidl string // "" as it should be
		items      int    // -1: refused
	}{
		"number twice":        {"+OK\r\n1 10\r\n1 10\r\n.", "", -1},
		"nonsense":            {"+OK\r\nfoo\r\n.", "", -1},
		"LIST refused":        {"-ERR [SYS/TEMP] x", "", -1},
		"UIDL refused":        {"", "-ERR [SYS/TEMP] x", -1},
		"a line without end":  {"+OK\r\n" + strings.Repeat("1", 100_000), "", -1},
		"bare +OK":            {"+OK\r\n.", "+OK\r\n.", 0},
		"sizes that lie":      {"+OK\r\n1 0\r\n2 99999999999\r\n3 -1\r\n.", "", 3},
		"ids with more words": {"", "+OK\r\n1 id-long-1 x y\r\n2 id-long-2 x\r\n3 id-long-3\r\n.", 3},
	} {
		srv := &popServer{caps: popCaps, mails: popMails(3), on: func(conn *popConn, cmd string) bool {
			if cmd == "LIST" && c.list != "" {
				conn.say("%s", c.list)
				return true
			}
			if cmd == "UIDL" && c.uidl != "" {
				conn.say("%s", c.uidl)
				return true
			}
			return false
		}}
		k, err := popCollect(t, srv.start(t))
		if c.items < 0 {
			if vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || len(k.items) != c.items || len(k.whole) != c.items {
			t.Errorf("%s: %d items, %d came, %v", name, len(k.items), len(k.whole), err)
		}
	}
}
