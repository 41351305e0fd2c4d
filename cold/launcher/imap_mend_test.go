package launcher

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/vaguemestre/vaguemestre"
)

// TestLargeMailsOverBadLines cuts connections in the middle of a streamed body.
func TestLargeMailsOverBadLines(t *testing.T) {
	t.Parallel()
	const whole = 1 << 20
	for _, tt := range []struct {
		name   string
		limit  func(conn int) int // bytes of mail 2 that a connection gives; negative: all
		others bool               // other mails come
		came   int
		poison bool
		err    vaguemestre.Class
	}{
		{"sound", func(int) int { return -1 }, true, 4, false, ""},
		{"cut once", func(n int) int { return []int{0, 600_001, -1}[min(n, 2)] }, true, 4, false, ""},
		{"cut before its first byte", func(n int) int { return []int{0, 0, -1}[min(n, 2)] }, true, 4, false, ""},
		{"cut before its end", func(n int) int { return []int{0, whole, -1}[min(n, 2)] }, true, 4, false, ""},
		{"cut every 300,000 bytes", func(int) int { return 300_000 }, true, 4, false, ""},
		{"never a byte", func(int) int { return 0 }, true, 3, true, ""},
		{"no mail comes", func(int) int { return 0 }, false, 0, false, vaguemestre.ClassSource},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &fakeServer{mails: mailbox(4)}
			var b strings.Builder
			for i := 0; b.Len() < whole; i++ {
				fmt.Fprintf(&b, "line %d of a long mail\r\n", i)
			}
			s.mails[2] = b.String()[:whole]
			given := map[int]int{}
			var mu sync.Mutex
			s.on = func(c *fakeConn, tag, cmd string) bool {
				mu.Lock()
				defer mu.Unlock()
				_, what, ok := strings.Cut(cmd, "BODY.PEEK[]")
				if !ok {
					return false
				}
				for _, uid := range s.uids(strings.Fields(cmd)[2]) {
					raw, origin := s.mails[uid], ""
					var from, n int
					if k, _ := fmt.Sscanf(what, "<%d.%d>", &from, &n); k == 2 {
						raw, origin = raw[min(from, len(raw)):], fmt.Sprintf("<%d>", from)
						raw = raw[:min(n, len(raw))]
					}
					if !tt.others && uid != 2 {
						c.Close()
						return true
					}
					send := len(raw)
					if limit := tt.limit(c.n); uid == 2 && limit >= 0 {
						send = min(send, limit-given[c.n])
						given[c.n] += send
						if send < len(raw) || limit == whole {
							fmt.Fprintf(c, "* 2 FETCH (UID 2 BODY[]%s {%d}\r\n%s", origin, len(raw), raw[:send])
							c.Close()
							return true
						}
					}
					c.say("* %d FETCH (UID %d BODY[]%s {%d}\r\n%s)", uid, uid, origin, len(raw), raw)
				}
				c.say("%s OK done", tag)
				return true
			}
			k, err := collect(t, s.start(t))
			if vaguemestre.ClassOf(err) != tt.err {
				t.Fatalf("error %v, want class %q", err, tt.err)
			}
			if err != nil {
				return
			}
			k.wantHonest(t, s.mails)
			if len(k.whole) != tt.came || len(k.confirmed) != tt.came || len(k.broken) > 0 {
				t.Errorf("%d mails came and %d are confirmed, want %d; broken %v", len(k.whole), len(k.confirmed), tt.came, k.broken)
			}
			if poison := vaguemestre.ClassOf(k.refused["2"]) == vaguemestre.ClassPoison; poison != tt.poison {
				t.Errorf("refused: %v", k.refused)
			}
		})
	}
}
