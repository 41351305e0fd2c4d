package sasl

import "context"

// Bearer is one login with the access token of an account. A server may refuse a token that
// looks good from here; then it is asked for another one, once. One goroutine owns it.
type Bearer struct {
	// Ask gives a token; a stale one is what the server has refused.
	Ask func(ctx context.Context, stale string) (string, error)

	token   string
	renewed bool
}

// Token returns the token to log in with.
func (b *Bearer) Token(ctx context.Context) (string, error) {
	if b.token != "" {
		return b.token, nil
	}
	t, err := b.Ask(ctx, "")
	b.token = t
	return t, err
}

// Renewed reports whether Renew was called: there is no third token.
func (b *Bearer) Renewed() bool { return b.renewed }

// Renew gets another token, once the server has refused the first.
func (b *Bearer) Renew(ctx context.Context) error {
	b.renewed = true
	t, err := b.Ask(ctx, b.token)
	if err == nil {
		b.token = t
	}
	return err
}
