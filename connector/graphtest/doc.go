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
// [Server.Script] decides about single calls, [Server.Calls] tells what was asked.
package graphtest
