// Package graph speaks Microsoft Graph for one mailbox: what the Office365 connector and
// the Office365 launcher share. It knows requests, not mail.
//
//	c, err := graph.New(account, "", nil)                       // no I/O
//	var me struct{ Mail string }
//	err = c.JSON(ctx, &graph.Request{Op: "me", Path: "/me", Absolute: true}, &me)
//
// It adds the token, renews it once on 401, keeps within the mailbox's budget of requests at
// once, waits as Retry-After says, repeats what may be repeated, follows a nextLink to the
// configured host only, and turns every other answer into a [*Fault].
package graph
