package main

import (
	"context"
	"fmt"
	"io"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/router"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Gateway carries the service [SMS]: it puts each text as a file into the directory where
// an SMS gateway on this machine looks for work, in the form that smstools reads.
//
// Guarantee: once SendSMS returned nil, the file survives a power cut.
type Gateway struct {
	Dir string `key:"dir" required:"true" format:"path"`
}

var _ SMSSender = (*Gateway)(nil)

// Kind is what stored settings call it.
func (*Gateway) Kind() string { return "sms-gateway" }

// Labels gives the texts of its form.
func (*Gateway) Labels() map[string]settings.Label {
	return map[string]settings.Label{"dir": {
		Name: settings.Text{EN: "Directory", FR: "Répertoire"},
		Help: settings.Text{EN: "Where the SMS gateway looks for texts to send.", FR: "Là où la passerelle SMS cherche les textes à envoyer."},
	}}
}

var gatewayKind = settings.Kind[router.Connector]{
	Name:  "sms-gateway",
	Title: settings.Text{EN: "SMS gateway", FR: "Passerelle SMS"},
	New:   func() router.Connector { return new(Gateway) },
}

// SendSMS writes the file. It is safe for concurrent use.
func (g *Gateway) SendSMS(ctx context.Context, to, text string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", &vaguemestre.Error{Op: "sms gateway: send", Class: vaguemestre.ClassCanceled, Err: err}
	}
	name, err := writeWhole(g.Dir, ".sms", func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "To: %s\nAlphabet: UTF-8\n\n%s", to[1:], text) // smstools wants no plus sign
		return err
	})
	if err != nil {
		return "", &vaguemestre.Error{Op: "sms gateway: write", Class: vaguemestre.ClassSource,
			Err: fmt.Errorf("make sure that the directory exists and can be written: %w", err)}
	}
	return name, nil
}
