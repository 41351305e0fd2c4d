package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// advice is a cause with what to do about it in both languages.
type advice struct {
	text settings.Text
	err  error // may be nil
}

func (a *advice) Error() string {
	if a.err == nil {
		return a.text.EN
	}
	return a.text.EN + ": " + a.err.Error()
}

func (a *advice) Unwrap() error { return a.err }

// Explain says in both languages what to do about an error of this package and who can do
// it: the user, the administrator of the organisation, or whoever configures this program.
// ok is false if the error itself is all there is to say.
func Explain(err error) (help settings.Text, ok bool) {
	var a *advice
	if errors.As(err, &a) && a.text != noHelp {
		return a.text, true
	}
	var e *vaguemestre.Error
	if errors.As(err, &e) {
		var code int
		if n, _ := fmt.Sscanf(e.Code, "AADSTS%d", &code); n == 1 {
			if r, known := entraRows[code]; known {
				return settings.Text{EN: r.en, FR: r.fr}, true
			}
		}
	}
	var said *answerError
	switch {
	case errors.As(err, &said):
		help = explainEntra(said).help // its words are those of the RFCs too
		return help, help != noHelp
	case errors.Is(err, ErrNotAssociated):
		return helpNotAssociated, true
	case errors.Is(err, ErrReauth):
		return helpSignIn, true
	case errors.Is(err, ErrNoFlow):
		return helpNoFlow, true
	case e != nil && e.Class == vaguemestre.ClassDeferred:
		return helpFault, true
	}
	return settings.Text{}, false
}

// refused turns what c.post said into an error of operation op, and its verdict. A fault of
// the line is a verdict of its own.
func (c *client) refused(ctx context.Context, op string, err error) (verdict, error) {
	var a *answerError
	var e *vaguemestre.Error
	switch {
	case ctx.Err() != nil:
		return verdict{state: StateWaiting}, ended(op, ctx)
	case errors.As(err, &a):
		v := c.dialect.explain(a)
		code := v.code
		cause := error(a)
		if strings.HasPrefix(code, "AADSTS") || code == a.Word {
			cause = traced(a)
		}
		return v, &vaguemestre.Error{Op: op, Class: v.class, Code: code, RetryAfter: a.RetryAfter, Err: &advice{v.help, cause}}
	case errors.As(err, &e):
		v := verdict{state: StateFailed, class: e.Class}
		v.help, _ = Explain(err)
		if e.Temporary() {
			v.state, v.fault = StateWaiting, true
		}
		return v, err
	}
	v := verdict{state: StateWaiting, fault: true, class: vaguemestre.ClassDeferred, help: helpFault}
	return v, &vaguemestre.Error{Op: op, Class: v.class, Err: &advice{v.help, err}}
}

// traced is what an administrator needs beside the code: Entra's answers are found by their
// trace in its logs, others say in words alone what displeases them.
func traced(a *answerError) error {
	switch {
	case a.Trace != "":
		return errors.New("trace " + clean(a.Trace))
	case a.Description != "":
		return fmt.Errorf("it says %q", clean(a.Description))
	}
	return nil
}

// ended is the error of a context that ended.
func ended(op string, ctx context.Context) error {
	return &vaguemestre.Error{Op: op, Class: vaguemestre.ClassCanceled, Err: context.Cause(ctx)}
}
