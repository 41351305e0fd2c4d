package connector

import (
	"context"
	"errors"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/graph"
	"github.com/vaguemestre/vaguemestre/router"
)

const opResolve = "office365: resolve"

// ResolveMail tells what became of m, by its Message-ID: see [router.MailResolver]. It is
// Accepted if a copy that is no draft is in the mailbox, Deferred if there is nothing but a
// draft, which is deleted, so that it cannot go out any more, and InDoubt otherwise: a mail
// that was sent without a copy, or has got another Message-ID, is not found. It needs the
// permission Mail.ReadWrite (Mail.Read while there is no draft).
func (o *Office365) ResolveMail(ctx context.Context, m *router.Message) (router.State, error) {
	if err := ctx.Err(); err != nil {
		return router.InDoubt, canceled(opResolve, err)
	}
	if m == nil || m.MessageID == "" {
		return router.InDoubt, &vaguemestre.Error{Op: opResolve, Class: vaguemestre.ClassPoison, Err: errors.New("the message has no Message-ID to look for")}
	}
	who, err := o.who(ctx)
	if err != nil {
		return router.InDoubt, err
	}
	boxes := []string{who.mailbox}
	if who.shared() {
		boxes = append(boxes, "") // large ones go out from the account's own
	}
	var drafts []stray
	var trouble error
	for _, box := range boxes {
		c, err := o.client(who.account, box)
		if err != nil {
			return router.InDoubt, err
		}
		found, err := byMessageID(ctx, c, m.MessageID)
		if err != nil {
			trouble = errors.Join(trouble, explainGraph(opResolve, err, who))
			continue
		}
		for _, f := range found {
			if !f.Draft {
				return router.Accepted, nil
			}
			drafts = append(drafts, stray{c, f.ID})
		}
	}
	if trouble != nil {
		var e *vaguemestre.Error
		errors.As(trouble, &e)
		return router.InDoubt, e
	}
	if len(drafts) == 0 {
		return router.InDoubt, nil
	}
	for _, d := range drafts {
		// 404: it has just gone, and perhaps out.
		err := d.delete(ctx)
		if f := faultOf(err); f != nil && f.Kind == graph.Missing {
			return router.InDoubt, nil
		}
		if err != nil {
			return router.InDoubt, explainGraph(opResolve, err, who)
		}
	}
	return router.Deferred, nil
}
