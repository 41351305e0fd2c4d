package auth

import (
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

// Method is how somebody signs in.
type Method string

const (
	MethodDevice Method = "device" // a code, typed at the provider's page on any device (RFC 8628)
	MethodCode   Method = "code"   // the browser comes back to a redirect address (RFC 6749 section 4.1, with PKCE)
)

// BeginOptions are the options of [Account.Begin].
type BeginOptions struct {
	Method Method // "" is device where the provider has it, else code

	// Redirect is where the browser comes back with MethodCode. "" listens on a port of
	// loopback while Wait runs. A host that gives its own address (registered with the
	// provider) hands what came there to [Flow.Finish].
	Redirect string

	Language string // of the provider's pages, such as "fr-FR"; "" leaves it to the provider

	// User is who should sign in, as an address. It is suggested to the provider; if somebody
	// else signs in the flow fails. "" takes anybody.
	User string
}

// State is where a [Flow] stands.
type State string

const (
	StateCreated  State = "created"  // the provider was not asked yet
	StateWaiting  State = "waiting"  // somebody has to sign in
	StateApproved State = "approved" // the account can be used; Missing tells what it still cannot do
	StateDeclined State = "declined" // who signed in said no
	StateExpired  State = "expired"  // nobody signed in in time
	StateBlocked  State = "blocked"  // the organisation's policy forbids this (Conditional Access)
	StateFailed   State = "failed"   //
	StateCanceled State = "canceled" // by Cancel
)

// Final reports whether a flow in that state has ended.
func (s State) Final() bool { return s != StateCreated && s != StateWaiting }

// Progress is a snapshot of a [Flow], for a page or a terminal. As JSON and in logs the code
// is masked; show UserCode.Reveal() to who began the flow and to nobody else.
type Progress struct {
	Account  string          `json:"account"`
	Method   Method          `json:"method"`
	State    State           `json:"state"`
	URL      string          `json:"url,omitempty"`       // the page to open: what the provider returned, never a constant
	UserCode settings.Secret `json:"user_code,omitempty"` // to be typed there; device only
	Expires  time.Time       `json:"expires,omitzero"`    // of the code
	Interval time.Duration   `json:"-"`                   // between two questions to the provider

	User    string   `json:"user,omitempty"`    // who signed in
	Granted []string `json:"granted,omitempty"` // scopes, in the provider's words, once approved
	Missing []string `json:"missing,omitempty"` // asked for and not granted

	// Help says what to do next and who can do it: of a final state other than approved, of
	// missing scopes, and of trouble while waiting.
	Help  settings.Text `json:"help,omitzero"`
	Code  string        `json:"code,omitempty"` // the provider's code: "AADSTS53003", "expired_token"
	Err   error         `json:"-"`              // of declined, expired, blocked, failed; a *vaguemestre.Error
	Fault error         `json:"-"`              // the last fault of the line while waiting; it goes on
}
