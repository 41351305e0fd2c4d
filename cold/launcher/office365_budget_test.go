package launcher

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/router"
)

// TestOffice365SharesItsBudgetWithTheConnector: connectors and launchers on one mailbox keep
// to four requests at once together, by whatever name they call it.
func TestOffice365SharesItsBudgetWithTheConnector(t *testing.T) {
	t.Parallel()
	for _, whose := range []string{"a person", "an application"} {
		c := startCloud(t, &graphtest.Options{Latency: 5 * time.Millisecond})
		c.app.ClientSecret, c.app.ClientID = "both-secret", "both"
		c.AddApp(graphtest.App{ID: "both", Secret: "both-secret", Permissions: []string{"Mail.ReadWrite", "Mail.Send"}})
		var box *graphtest.Mailbox
		var account auth.Account
		names := []string{"compta@mondaine.fr", "Compta@Mondaine.FR"}
		if whose == "a person" {
			box = c.AddUser(graphtest.User{Address: "compta@mondaine.fr"})
			ms := c.Provider(&auth.Memory{})
			ms.Roles = []auth.Role{auth.RoleCollect, auth.RoleSend, auth.RoleSendLarge, auth.RoleShared}
			account = ms.Account("compta")
			if err := c.SignIn(t.Context(), account, "compta@mondaine.fr"); err != nil {
				t.Fatal(err)
			}
			names = append(names, "")
		} else {
			box = c.AddUser(graphtest.User{Address: "compta@mondaine.fr", Shared: true})
			account = c.app.Account("both")
		}
		box.DeliverAll("inbox", invoices(40))
		var wg sync.WaitGroup
		for i, name := range names {
			o := &connector.Office365{Account: account, Mailbox: strings.ToLower(name)}
			for k := range 4 {
				wg.Go(func() {
					m := &router.Message{To: []string{"destinataire@example.org"}, Subject: "Facture", Text: "Bonjour", MessageID: fmt.Sprintf("%d-%d@mondaine.fr", i, k)}
					if k == 0 {
						m.Attachments = []router.Attachment{router.Bytes("a.pdf", "", make([]byte, 3_000_000))}
					}
					if rc, err := o.SendMail(t.Context(), m); err != nil || rc.State != router.Accepted {
						t.Errorf("%s: %+v, %v", whose, rc, err)
					}
				})
			}
			wg.Go(func() {
				sink := &counted{}
				run(t, sink.job(c.launcher(account, name), cold.NewMemoryLedger(), cold.MarkSeen()))
				sink.want(t, 40)
			})
		}
		wg.Wait()
		if c.Peak() != 4 || c.Over() > 0 {
			t.Errorf("%s: %d requests at once, %d beyond the budget", whose, c.Peak(), c.Over())
		}
	}
}
