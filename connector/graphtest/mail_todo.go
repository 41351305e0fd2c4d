package graphtest

import "net/http"

// To be written with the mailboxes. The server's half calls:

// mails is what the mail part keeps on a Server, in its field mails; the zero value is ready.
type mails struct{}

// close ends it: temporary files.
func (m *mails) close() {}

// newMailbox makes the mailbox of p, before p is known to anybody.
func newMailbox(s *Server, p *person) *Mailbox { return &Mailbox{Address: p.Address} }

// mail does c. It reads the body from c.body, not from r.
func (s *Server) mail(w http.ResponseWriter, r *http.Request, c *request) {
	fail(w, http.StatusNotImplemented, "notImplemented", "not written yet")
}

// For batch: s.within(c, method, target, header, body) does one inner request and returns
// its answer.
