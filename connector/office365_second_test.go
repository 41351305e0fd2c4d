package connector

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
)

// TestOffice365SecondFault: while one call fails, the calls that find out about it or clean up
// fail too, with every status. No mail goes out twice, and the receipt never claims what is
// not so.
func TestOffice365SecondFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first, second string
		reply         graphtest.Reply // to the first
		size          int             // of the attachment; 0 is a mail that goes out at once
	}{
		{"sendMail", "messages.list", graphtest.Reply{Status: 504}, 0},
		{"sendMail", "messages.list", graphtest.Reply{Status: 504, After: true}, 0},
		{"messages.create", "messages.list", graphtest.Reply{Drop: true, After: true}, 10},
		{"messages.send", "messages.get", graphtest.Reply{Status: 504}, 10},
		{"messages.send", "messages.get", graphtest.Reply{Status: 504, After: true}, 10},
		{"messages.send", "messages.list", graphtest.Reply{Drop: true, After: true}, 10},
		{"messages.send", "messages.delete", graphtest.Reply{Status: 502}, 10},
		{"attachments.create", "attachments.list", graphtest.Reply{Status: 500, After: true}, 10},
		{"attachments.create", "messages.delete", graphtest.Reply{Status: 413}, 10},
		{"upload.put", "upload.delete", graphtest.Reply{Status: 413}, 3 << 20},
		{"upload.put", "attachments.list", graphtest.Reply{Status: 404, After: true}, 3 << 20},
	} {
		for _, status := range []int{0, 302, 400, 401, 403, 404, 405, 409, 410, 412, 413, 423, 429, 500, 502, 503, 504, 507} {
			t.Run(fmt.Sprint(c.first, c.reply.Status, c.reply.After, "/", c.second, status), func(t *testing.T) {
				t.Parallel()
				w := newTown(t, nil)
				w.Script(func(call *graphtest.Call) *graphtest.Reply {
					switch call.Op {
					case c.first:
						return &c.reply
					case c.second:
						return &graphtest.Reply{Status: status, Drop: status == 0}
					}
					return nil
				})
				o := w.connector()
				m, send := letterOf("seconde@mondaine.fr", c.size), o.SendMail
				if c.size > 0 {
					send = func(ctx context.Context, m *router.Message) (*router.Receipt, error) { return drafted(ctx, o, m) }
				}
				rc, err := send(t.Context(), m)
				if rc == nil {
					t.Fatalf("no receipt: %v", err)
				}
				out, drafts := len(w.Outbox()), w.drafts()
				switch {
				case out > 1,
					rc.State == router.Accepted && out != 1,
					(rc.State == router.Deferred || rc.State == router.Rejected) && out != 0:
					t.Errorf("%s, and %d went out: %v", rc.State, out, err)
				case rc.State == router.InDoubt && !strings.HasSuffix(c.first, "send") && c.first != "sendMail":
					t.Errorf("in doubt without need: %v", err)
				case drafts > 0 && status == 404: // then it would be gone
				case drafts > 0 && rc.State != router.InDoubt && !strings.Contains(strings.Join(rc.Notes, " "), "Drafts"):
					t.Errorf("%s: %d drafts are left, and the notes are %q", rc.State, drafts, rc.Notes)
				case (rc.State == router.Accepted) != (err == nil):
					t.Errorf("%s and %v", rc.State, err)
				}
			})
		}
	}
}
