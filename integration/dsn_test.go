package integration

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/connector"
	"github.com/vaguemestre/vaguemestre/internal/mailstack"
	"github.com/vaguemestre/vaguemestre/router"
)

// TestSMTPReports has Postfix report to the sender, or keep silent when told so. Dovecot
// takes no address outside ASCII, so those fail after Postfix accepted them.
func TestSMTPReports(t *testing.T) {
	postfix(t)
	u := user(t)
	sender := u + "-expediteur"
	c := smtpOf(t, connector.TLSImplicit)
	c.Sender = servers.Address(sender)
	both := []router.Notify{router.NotifySuccess, router.NotifyFailure}
	for _, mail := range []struct {
		to     string
		notify []router.Notify
		id     string
	}{
		{"zoé@" + mailstack.Domain, []router.Notify{router.NotifyNever}, "lot silence"},
		{"zoé+lot=1@" + mailstack.Domain, both, "lot 1+2=3 perdu"},
		{servers.Address(u + "+lot"), both, "lot 4+5=9"},
	} {
		m, _ := letter(mail.to)
		m.DSN = &router.DSN{Notify: mail.notify, Return: router.ReturnHeaders, EnvelopeID: mail.id}
		if rec, err := send(t, c, m); err != nil || len(rec.Notes) != 0 {
			t.Fatalf("%s: %+v, %v", mail.to, rec, err)
		}
	}
	var failed, relayed int
	for _, report := range await(t, sender, 2) {
		has := func(lines ...string) bool {
			ok := true
			for _, l := range lines {
				ok = ok && bytes.Contains(report.Raw, []byte("\n"+l+"\n"))
			}
			return ok
		}
		switch {
		case has("Original-Envelope-Id: lot 1+2=3 perdu", "Original-Recipient: utf-8;zoé+lot=1@"+mailstack.Domain, "Action: failed"):
			failed++
		case has("Original-Envelope-Id: lot 4+5=9", "Original-Recipient: rfc822;"+servers.Address(u+"+lot"), "Action: relayed"):
			relayed++
		default:
			t.Errorf("another report:\n%s", report.Raw)
		}
		if strings.Contains(string(report.Raw), "filename") {
			t.Error("more than the headers came back")
		}
	}
	if failed != 1 || relayed != 1 {
		t.Errorf("%d reports of failure and %d of success, want one of each", failed, relayed)
	}
}
