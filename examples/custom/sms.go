package main

import (
	"context"
	"errors"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
)

// SMS is a service of our own. It is wired like the mail service: connectors, a default,
// instances. Only connectors that are an [SMSSender] carry it.
type SMS struct{ Router *router.Router }

// SMSSender is what a connector implements to carry SMS.
type SMSSender interface {
	router.Connector

	// SendSMS hands a text over for one phone number in international form, and returns
	// what the gateway calls it.
	SendSMS(ctx context.Context, to, text string) (ref string, err error)
}

// SMSReceipt tells who took the text.
type SMSReceipt struct {
	Connector string
	Reason    router.Reason
	Ref       string
}

// Name is what stored routers call the service.
func (SMS) Name() string { return "sms" }

// Compatible lets nothing but an SMSSender be wired to SMS.
func (SMS) Compatible(c router.Connector) bool {
	_, ok := c.(SMSSender)
	return ok
}

// Requires makes the error of a wrong wiring say what is missing.
func (SMS) Requires() string { return "SMSSender (SendSMS)" }

// Send sends text to a number such as "+33639980123", through the connector named in o,
// that of the instance in o, or the default. o may be nil.
func (s SMS) Send(ctx context.Context, to, text string, o *router.ResolveOptions) (*SMSReceipt, error) {
	if !isNumber(to) || text == "" {
		return nil, &vaguemestre.Error{Op: "sms: check", Class: vaguemestre.ClassPoison,
			Err: errors.New("a text and a number such as +33639980123 are needed")}
	}
	res, err := s.Router.Resolve(s, o)
	if err != nil {
		return nil, err
	}
	defer res.Release() // the connector may have been replaced meanwhile
	ref, err := res.Connector.(SMSSender).SendSMS(ctx, to, text)
	if err != nil {
		return nil, err
	}
	return &SMSReceipt{Connector: res.Name, Reason: res.Reason, Ref: ref}, nil
}

// isNumber: ITU-T E.164 section 6: a plus sign and at most fifteen digits.
func isNumber(s string) bool {
	if len(s) < 5 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
