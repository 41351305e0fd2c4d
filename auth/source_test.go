package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/vaguemestre/vaguemestre"
)

type sourceFunc func() (*oauth2.Token, error)

func (f sourceFunc) Token() (*oauth2.Token, error) { return f() }

func TestFromTokenSource(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	a := FromTokenSource("google", sourceFunc(func() (*oauth2.Token, error) {
		n.Add(1)
		time.Sleep(20 * time.Millisecond)
		return &oauth2.Token{AccessToken: "theirs", RefreshToken: "refresh-c4n4ry"}, nil
	}))
	if !a.Bound() || a.Name() != "google" || a.Provider() != nil || a != (Account{name: a.name, of: a.of}) {
		t.Errorf("account %v", a)
	}
	var wg sync.WaitGroup
	for _, aud := range []Audience{IMAP, IMAP, IMAP, SMTP, Graph} {
		wg.Go(func() {
			tok, err := a.Token(t.Context(), aud)
			if err != nil || tok.AccessToken != "theirs" || tok.RefreshToken != "" {
				t.Errorf("got %v, %v", tok, err)
			}
		})
	}
	wg.Wait()
	if _, err := a.Refresh(t.Context(), IMAP, "older"); err != nil {
		t.Error(err)
	}
	if _, err := a.Refresh(t.Context(), IMAP, "theirs"); vaguemestre.ClassOf(err) != vaguemestre.ClassAuth {
		t.Errorf("the refused token comes again: %v", err)
	}
	if st, err := a.Status(t.Context()); err != nil || st.Standing != StandingReady || st.Account != "google" {
		t.Errorf("status %+v, %v", st, err)
	}
	if err := a.Forget(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := a.Begin(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("begin: %v", err)
	}
	shared := a.Shared("budget", func() any { return new(int) })
	if a.Shared("budget", func() any { return new(int) }) != shared {
		t.Error("nothing is shared")
	}
}

func TestTokenSourceThatFails(t *testing.T) {
	t.Parallel()
	refused := func(status int, code string) error {
		return &oauth2.RetrieveError{Response: &http.Response{StatusCode: status}, Body: []byte("body-c4n4ry"), ErrorCode: code, ErrorDescription: "c4n4ry"}
	}
	for name, c := range map[string]struct {
		tok   *oauth2.Token
		err   error
		class vaguemestre.Class
	}{
		"refused":      {nil, refused(400, "invalid_grant"), vaguemestre.ClassAuth},
		"out of order": {nil, refused(503, ""), vaguemestre.ClassDeferred},
		"any error":    {nil, errors.New("no line"), vaguemestre.ClassDeferred},
		"ours":         {nil, misconfigured("vault", "no key"), vaguemestre.ClassConfig},
		"nil":          {nil, nil, vaguemestre.ClassConfig},
		"empty":        {&oauth2.Token{}, nil, vaguemestre.ClassConfig},
		"odd":          {&oauth2.Token{AccessToken: "a\x01b"}, nil, vaguemestre.ClassConfig},
		"ended":        {&oauth2.Token{AccessToken: "a", Expiry: time.Now().Add(-time.Minute)}, nil, vaguemestre.ClassAuth},
	} {
		a := FromTokenSource("x", sourceFunc(func() (*oauth2.Token, error) { return c.tok, c.err }))
		_, err := a.Token(t.Context(), IMAP)
		if vaguemestre.ClassOf(err) != c.class || strings.Contains(err.Error(), "c4n4ry") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FromTokenSource("x", nil).Token(t.Context(), IMAP); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("nil source: %v", err)
	}
	if _, err := FromTokenSource("", sourceFunc(nil)).Token(t.Context(), IMAP); vaguemestre.ClassOf(err) != vaguemestre.ClassConfig {
		t.Errorf("no name: %v", err)
	}
}

// A source knows no context; its callers do.
func TestTokenSourceThatHangs(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	defer close(goOn)
	a := FromTokenSource("x", sourceFunc(func() (*oauth2.Token, error) { <-goOn; return nil, nil }))
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := a.Token(ctx, IMAP); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled {
			t.Error(err)
		}
		cancel()
	}
}
