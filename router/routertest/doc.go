// Package routertest helps to test what has to do with package router.
//
// A host's unit tests send to a [Recorder]: a connector that keeps what it is given and
// answers as it is told.
//
//	var rec routertest.Recorder
//	rec.Refuse("parti@example.org", router.Rejected, "550 5.1.1", "no such user")
//	err := rt.AddConnector("test", &rec)
//	…
//	sent := rec.Sent() // messages with envelope, attachments and raw bytes
//
// The author of a connector that carries mail runs [TestMailSender] on it. A connector that
// passes keeps the contract of router.MailSender; each case is named for what it checks and
// quotes the sentence of the contract:
//
//	func TestContract(t *testing.T) {
//		routertest.TestMailSender(t, func(t *testing.T) routertest.Harness {
//			srv := startFakeServer(t)
//			c := &MyConnector{Addr: srv.Addr}
//			t.Cleanup(func() { c.Close() })
//			return routertest.Harness{Sender: c, Received: srv.Received, RefuseForGood: srv.Refuse550}
//		})
//	}
//
// What the harness cannot do (a nil function) is skipped, and the log says so.
package routertest
