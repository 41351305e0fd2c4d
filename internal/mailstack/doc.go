// Package mailstack runs real mail servers for tests and measurements: Dovecot
// (IMAP, IMAPS, POP3, POP3S, LMTP) and Postfix (25, 587 and 465 alike), and stunnel in
// client mode in front of POP3S, on free loopback ports, with a certificate authority and
// users of their own, in a throw-away folder.
//
//	st, err := mailstack.Start(ctx, nil)
//	if errors.Is(err, mailstack.ErrMissing) { … } // the packages are not installed
//	defer st.Stop()
//	st.Append("accueil", "INBOX", raw)
//	// collect from st.Host(mailstack.Good) and st.IMAPS with st.CAFile …
//	mails, err := st.Folder("accueil", "Traités")
//
// Passwords are one way to log in; the other are access tokens of [Stack.OAuth], a provider
// that runs in this process and whose tokens a test ends when it likes.
//
// Mailboxes are filled and read on disk, behind the server's back: what a test
// compares was never touched by the code under test.
//
// One server answers on several loopback addresses, and each address is another
// [Variant]: good, strict (LOGINDISABLED before TLS), misnamed or expired
// certificate, and so on. As root the whole stack runs; as another user there is no
// Postfix, since its master process insists on root, and [Stack.SMTP] is 0.
//
// The package does not import testing: benchmarks and programs use it too.
package mailstack
