package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

const opCheck = "office365: check"

// Check proves the settings in steps: token (the account gives one), scopes (what was granted
// suffices; a warning if mails over 3.5 MB cannot be sent), me (who that is) and mailbox (it
// can be reached). It sends and changes nothing. The right to send in another's name shows
// only with the first mail: Microsoft 365 cannot be asked for it.
func (o *Office365) Check(ctx context.Context, step func(vaguemestre.Step)) error {
	if step == nil {
		step = func(vaguemestre.Step) {}
	}
	t := &tour{left: []string{"token", "scopes", "me", "mailbox"}, step: step, since: time.Now()}
	err := o.walk(ctx, t)
	if err != nil && !t.failed && len(t.left) > 0 {
		t.tell(vaguemestre.Step{Name: t.left[0], Status: vaguemestre.StatusFailed, Help: err.Error(), Err: err})
	}
	t.end(err)
	return err
}

func (o *Office365) walk(ctx context.Context, t *tour) error {
	ok := func(name, detail string) {
		t.tell(vaguemestre.Step{Name: name, Status: vaguemestre.StatusOK, Detail: detail})
	}
	if err := ctx.Err(); err != nil {
		return canceled(opCheck, err)
	}
	a, err := o.accounts.Resolve(o.Account)
	if err != nil {
		return err
	}
	token, err := a.Token(ctx, auth.Graph)
	if err != nil {
		return explainGraph(opCheck, err, identity{})
	}
	who, err := o.who(ctx)
	if err != nil {
		return err
	}
	detail := fmt.Sprintf("account %q gives tokens", a.Name())
	if !token.Expiry.IsZero() {
		detail += ", this one until " + token.Expiry.UTC().Format("2006-01-02 15:04 MST")
	}
	ok("token", detail)

	me, err := o.me(ctx, &who)
	st := o.scopes(ctx, who)
	t.tell(st)
	if st.Status == vaguemestre.StatusFailed {
		return st.Err
	}
	if err != nil {
		return err
	}
	t.tell(me)
	return o.reach(ctx, who, t)
}

// scopes compares what was granted with what sending needs.
func (o *Office365) scopes(ctx context.Context, who identity) vaguemestre.Step {
	st := vaguemestre.Step{Name: "scopes", Status: vaguemestre.StatusSkipped, Detail: "what was granted is not told; it shows when it is used"}
	if who.app {
		return st
	}
	status, err := who.account.Status(ctx)
	if err != nil || len(status.Granted) == 0 {
		return st
	}
	st.Status, st.Detail = vaguemestre.StatusOK, "granted: "+clean(strings.Join(status.Granted, " "), 500)
	send, write, role := "Mail.Send", "Mail.ReadWrite", "send_large"
	if who.shared() {
		send, write, role = "Mail.Send.Shared", "Mail.ReadWrite.Shared", "send_large and shared"
	}
	switch {
	case !granted(status.Granted, send):
		st.Status = vaguemestre.StatusFailed
		st.Help = fmt.Sprintf("the permission %s is missing: associate the account again and consent to it (roles send and, for another mailbox, shared)", send)
		st.Err = &vaguemestre.Error{Op: opCheck, Class: denied, Err: errors.New(st.Help)}
	case !granted(status.Granted, write):
		st.Status = vaguemestre.StatusWarning
		st.Help = fmt.Sprintf("the permission %s is missing: mails over 3.5 MB cannot be sent, and a mail in doubt cannot be looked for; associate the account again (roles %s) if that is needed", write, role)
	}
	return st
}

// granted looks for a scope. Names may be short or full ("https://graph.microsoft.com/Mail.Send").
func granted(list []string, scope string) bool {
	for _, g := range list {
		if strings.EqualFold(g[strings.LastIndexByte(g, '/')+1:], scope) {
			return true
		}
	}
	return false
}

// me asks who signed in. If Mailbox turns out to be an address of theirs, it is their own:
// it may differ from the name that they sign in with.
func (o *Office365) me(ctx context.Context, who *identity) (vaguemestre.Step, error) {
	if who.app {
		return vaguemestre.Step{Name: "me", Status: vaguemestre.StatusSkipped, Detail: "the account stands for an application: nobody signed in"}, nil
	}
	c, err := o.client(who.account, "")
	if err != nil {
		return vaguemestre.Step{}, err
	}
	var me struct {
		Name string `json:"displayName"`
		Mail string `json:"mail"`
		UPN  string `json:"userPrincipalName"`
	}
	err = c.JSON(ctx, &graph.Request{Op: "ask who signed in", Path: "/me", Absolute: true, Query: query("$select", "displayName,mail,userPrincipalName")}, &me)
	if f := faultOf(err); f != nil && f.Kind == graph.Denied && f.Status == 403 {
		return vaguemestre.Step{Name: "me", Status: vaguemestre.StatusWarning, Detail: "Microsoft 365 does not tell who signed in",
			Help: "the permission User.Read is missing; sending works without it"}, nil
	}
	if err != nil {
		return vaguemestre.Step{}, explainGraph(opCheck, err, *who)
	}
	address := me.Mail
	if address == "" {
		address = me.UPN // mail may be null: learn.microsoft.com/graph/api/resources/user
	}
	if who.mailbox != "" && (strings.EqualFold(who.mailbox, me.Mail) || strings.EqualFold(who.mailbox, me.UPN)) {
		who.mailbox = ""
	}
	return vaguemestre.Step{Name: "me", Status: vaguemestre.StatusOK, Detail: clean(me.Name+" <"+address+">", 200)}, nil
}

// reach looks at the mailbox that sends.
func (o *Office365) reach(ctx context.Context, who identity, t *tour) error {
	c, err := o.client(who.account, who.mailbox)
	if err != nil {
		return err
	}
	box := who.mailbox
	if box == "" {
		box = "the account's own mailbox"
	}
	var f graph.Folder
	err = c.JSON(ctx, &graph.Request{Op: "look at mailbox", Path: "/mailFolders/drafts", Query: query("$select", "id,displayName")}, &f)
	if fault := faultOf(err); fault != nil && fault.Kind == graph.Denied && fault.Status == 403 && !who.app {
		st := vaguemestre.Step{Name: "mailbox", Status: vaguemestre.StatusWarning, Detail: box + " cannot be looked at",
			Help: "without the permission Mail.ReadWrite it shows with the first mail whether the mailbox can send"}
		if who.shared() {
			st.Help = fmt.Sprintf("mails go out from the account's own mailbox in the name of %s, if an administrator gave the account the right \"Send As\" in Exchange; with \"Full Access\" and the permission Mail.ReadWrite.Shared they go out from %[1]s itself, and copies stay there", who.mailbox)
		}
		t.tell(st)
		return nil
	}
	if err != nil {
		return explainGraph(opCheck, err, who)
	}
	t.tell(vaguemestre.Step{Name: "mailbox", Status: vaguemestre.StatusOK, Detail: box + " is reached"})
	return nil
}
