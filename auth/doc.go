// Package auth associates accounts with Microsoft 365 and other OAuth2 providers, and gives
// access tokens for them.
//
// # An account
//
// A provider is one registered application: [Microsoft], or [OAuth2] for Google and the
// rest. An [Account] is a name and its provider; connectors and launchers hold it.
//
//	ms := &auth.Microsoft{ClientID: id, Tokens: st.Tokens()} // st of store/sqlite; or &auth.Files{…}
//	account := ms.Account("compta")
//	c := &connector.Office365{Account: account}
//
// # Signing in
//
// Somebody signs in once, by a [Flow]. With a device code the program shows a page and a
// code, and waits; the person may use any device:
//
//	flow, err := account.Begin(ctx, &auth.BeginOptions{Language: "fr-FR"})
//	p := flow.Progress()
//	fmt.Println("open", p.URL, "and enter", p.UserCode.Reveal())
//	p, err = flow.Wait(ctx, func(p auth.Progress) { log.Print(p.State) })
//	// p.User signed in; p.Missing was asked for and not granted
//
// The flow lies in the store until it has ended: after a restart [Account.Resume] gives it
// back and Wait goes on with the same code. While the provider cannot be reached it goes on
// asking until the code expires.
//
// An organisation may block device codes (a Conditional Access policy, state blocked). The
// other way is the browser: [MethodCode] with a port of loopback for a program beside the
// browser, or with an address of the host's own for a server:
//
//	flow, err := account.Begin(ctx, &auth.BeginOptions{Method: auth.MethodCode, Redirect: "https://ged.mondaine.fr/back"})
//	http.Redirect(w, r, flow.Progress().URL, http.StatusFound)
//	// and where the browser comes back, in this process or another one:
//	flow, err := account.Resume(r.Context())
//	p, err := flow.Finish(r.Context(), r.URL.Query())
//
// With [Application] nobody signs in: the application proves itself by its secret or its
// certificate and reaches all mailboxes that the administrator has not closed to it.
//
// # Permissions
//
// [Microsoft].Roles decide which permissions are asked for: to send ([RoleSend]), with mails
// over 3.5 MB ([RoleSendLarge]), to collect ([RoleCollect]), with shared mailboxes
// ([RoleShared]), to log in to IMAP, POP3 or SMTP. What was not granted is told by
// Progress.Missing and [Status].Missing; more roles need a new sign-in.
//
// # Registering the application
//
// In Entra ID, under App registrations: the delegated permissions of the roles; for device
// codes "Allow public client flows" set to Yes under Authentication; for the browser the
// redirect address (http://localhost as a mobile and desktop application for loopback). A
// public client needs no secret.
//
// # Tokens
//
// [Account.Token] gives a token that is good for some minutes at least. Grants are kept in
// a [Store] that seals them; of all goroutines and processes one refreshes. When the
// provider takes a grant no more the error matches [ErrReauth], [Status] and [Event] tell
// why, and the provider is not asked again until somebody has signed in.
//
// What a refresh brings is stored before it is used. A process that is killed between the
// provider's answer and the store leaves the refresh token from before: Microsoft takes it
// again, and nothing is lost; a provider that takes each one once does not, and the account
// must be associated again.
//
// # Errors
//
// Errors are *vaguemestre.Error. [Explain] says of any of them, in English and French, what
// to do and who can do it: the user, the administrator of the organisation, or whoever
// configures the program. No error, log, print or JSON of this package holds a secret.
package auth
