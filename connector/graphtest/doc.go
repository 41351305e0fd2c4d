// Package graphtest is Microsoft 365 for tests: an https server on loopback that speaks
// Entra ID and the mail part of Microsoft Graph, with their limits and their faults.
//
//	srv, err := graphtest.Start(nil)
//	defer srv.Close()
//	box := srv.AddUser(graphtest.User{Address: "compta@mondaine.fr", Language: "fr"})
//	ms := srv.Provider(&auth.Memory{})                  // an *auth.Microsoft that asks this server
//	account := ms.Account("compta")
//	err = srv.SignIn(ctx, account, "compta@mondaine.fr") // what the person does in the browser
//	c := &connector.Office365{Account: account}
//
// [Server.Script] decides about single calls, [Server.Calls] tells what was asked, and why
// a call was refused. A person can sign in by hand as well: the page of the device flow and
// that of the authorization endpoint are small forms, which a browser that trusts CAFile
// shows; [Server.Approve] and [Server.Authorize] are the same in Go.
//
// Refusals are Microsoft's: scopes per call, rights per mailbox, four requests at once on a
// mailbox, 4 MB for a request, ids that change with a move. What is not documented is a
// choice of [Options] where programs may meet both.
package graphtest
