package auth

import (
	"errors"
	"fmt"

	"github.com/vaguemestre/vaguemestre"
)

// judge makes an error of why the provider gave no token. The callers' contexts have no
// part in it: a flight asks under its own.
func (r *renewal) judge(err error) (verdict, *vaguemestre.Error) {
	v, err := r.c.refused(r.base, opToken, err)
	v.dead = v.dead && !v.fault && r.c.grant != Application // an application has no grant that could end
	e := vaguemestre.Error{Op: opToken, Class: vaguemestre.ClassDeferred, Err: err}
	var known *vaguemestre.Error
	if errors.As(err, &known) {
		e = *known // a copy: the dialect may keep its own
	}
	if v.dead || e.Class == "" {
		e.Class = vaguemestre.ClassAuth
	}
	return v, &e
}

// named is e with the name of the account.
func (r *renewal) named(e *vaguemestre.Error) *vaguemestre.Error {
	n := *e
	n.Err = fmt.Errorf("account %q: %w", cut(r.name), e.Err)
	return &n
}

// fail makes an error with the name of the account.
func (r *renewal) fail(class vaguemestre.Class, code string, err error) error {
	return r.named(&vaguemestre.Error{Op: opToken, Class: class, Code: code, Err: err})
}
