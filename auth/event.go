package auth

import (
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

// Happening is what an [Event] tells.
type Happening string

const (
	Associated     Happening = "associated"      // somebody signed in
	Refreshed      Happening = "refreshed"       // the provider gave new tokens and they are stored
	ReauthRequired Happening = "reauth_required" // the grant is worth nothing any more; told once
	Degraded       Happening = "degraded"        // new tokens cannot be stored now; they are kept in memory and tried again
	Recovered      Happening = "recovered"       // they are stored at last
)

// Event is told to a provider's OnEvent as it happens, one at a time for each account; who
// waits for a token waits for the handler, which must be quick and must not use the account.
type Event struct {
	Time    time.Time
	Account string
	What    Happening
	Help    settings.Text // what to do next and who can do it
	Err     error         // no secret
}

// event tells the provider's OnEvent.
func (c *client) event(e Event) {
	if c.onEvent != nil {
		e.Time = c.now()
		c.onEvent(e)
	}
}

// Standing is how an account stands.
type Standing string

const (
	StandingNone     Standing = "none"            // not associated
	StandingReady    Standing = "ready"           //
	StandingReauth   Standing = "reauth_required" //
	StandingDegraded Standing = "degraded"        // usable by this process; the newest tokens are not stored yet
)

// Status is how an account stands, for a page. It holds no secret.
type Status struct {
	Account   string        `json:"account"`
	Standing  Standing      `json:"standing"`
	User      string        `json:"user,omitempty"`    // who signed in
	Tenant    string        `json:"tenant,omitempty"`  // in the provider's words
	Granted   []string      `json:"granted,omitempty"` // scopes, those of Microsoft without their resource
	Missing   []string      `json:"missing,omitempty"` // what a sign-in asks for beyond that; Progress.Missing names what other audiences lack too
	Since     time.Time     `json:"since,omitzero"`    // when somebody signed in
	Refreshed time.Time     `json:"refreshed,omitzero"`
	Pending   bool          `json:"pending,omitempty"` // a flow waits; see Account.Resume
	Help      settings.Text `json:"help,omitzero"`
	Code      string        `json:"code,omitempty"` // why reauth is required, in the provider's words
}
