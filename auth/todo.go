package auth

import (
	"context"
	"errors"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre/settings"
)

var errTodo = errors.New("not written yet")

// --- tokens: token.go, grant.go, files.go, memory.go

func (c *client) token(ctx context.Context, name string, aud Audience, stale string) (*oauth2.Token, error) {
	return nil, errTodo
}
func (c *client) status(ctx context.Context, name string) (Status, error) { return Status{}, errTodo }
func (c *client) forget(ctx context.Context, name string) error           { return errTodo }
func (c *client) keepAlive(ctx context.Context, name string) error        { return errTodo }

// post sends a form to a token or device endpoint, bounded in time and size, and reads the
// JSON into out. Errors: *answerError, or a fault of the line.
func (c *client) post(ctx context.Context, endpoint string, form url.Values, out any) error {
	return errTodo
}

// adopt stores what a flow brought for account name, under the lock of the account.
func (c *client) adopt(ctx context.Context, name string, a *answer, asked []string) error {
	return errTodo
}

// event tells the provider's OnEvent.
func (c *client) event(e Event) {}

// Key seals; settings.Keyring is one.
type Key interface {
	settings.Sealer
	settings.Opener
}

// --- flows: flow.go, device.go, code.go, entra.go, dialects

func (m *Microsoft) client() (*client, error) { return nil, errTodo }
func (o *OAuth2) client() (*client, error)    { return nil, errTodo }

// Flow is one attempt to associate an account …
type Flow struct{}

// Begin …
func (a Account) Begin(ctx context.Context, o *BeginOptions) (*Flow, error) { return nil, errTodo }

// Resume returns the flow that waits for the account, begun by this process or an earlier one …
func (a Account) Resume(ctx context.Context) (*Flow, error) { return nil, errTodo }

// Progress returns where the flow stands. …
func (f *Flow) Progress() Progress { return Progress{} }

// Wait asks the provider until the flow has ended, and calls changed (may be nil) at each change …
func (f *Flow) Wait(ctx context.Context, changed func(Progress)) (Progress, error) {
	return Progress{}, errTodo
}

// Finish takes what came to a host's own redirect address …
func (f *Flow) Finish(ctx context.Context, query url.Values) (Progress, error) {
	return Progress{}, errTodo
}

// Cancel ends the flow …
func (f *Flow) Cancel(ctx context.Context) error { return errTodo }

// Kinds returns a new registry of the providers: microsoft, oauth2. Those it opens keep
// their grants in store.
func Kinds(store Store) (*settings.Registry[Provider], error) { return nil, errTodo }
