package graphtest

import (
	"crypto/rand"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// device is one attempt to sign in by code (RFC 8628).
type device struct {
	code, userCode string
	app            *App
	tenant         string
	asked          []scope
	french         bool
	begun, expires time.Time
	interval       time.Duration
	polled         time.Time   // last; the beginning counts as one
	grant          *grant      // once approved
	refused        *entraError // once declined or blocked
	redeemed       bool
}

// settled reports whether the person has answered.
func (d *device) settled() bool { return d.grant != nil || d.refused != nil }

// slowDown is what RFC 8628 section 3.5 adds to the interval.
const slowDown = 5 * time.Second

// deviceCode answers a device authorization request (RFC 8628 section 3.1).
func (s *Server) deviceCode(r *http.Request, tenant string, form url.Values) (any, *entraError) {
	id := form.Get("client_id")
	if id == "" {
		return nil, missing("client_id")
	}
	app := s.app(id)
	if app == nil {
		return nil, noApp(id)
	}
	if app.Confidential {
		return nil, unproved()
	}
	if form.Get("scope") == "" {
		return nil, missing("scope")
	}
	asked, no := s.scopes(form.Get("scope"))
	if no != nil {
		return nil, no
	}
	now := s.now()
	d := &device{code: opaque("HAQABAAEAAAD--", 180), userCode: newUserCode(), app: app, tenant: strings.ToLower(tenant), asked: asked,
		french: strings.HasPrefix(strings.ToLower(r.URL.Query().Get("mkt")), "fr"),
		begun:  now, polled: now, expires: now.Add(s.o.CodeLife), interval: s.o.Interval}
	s.entra.mu.Lock()
	put(&s.entra.devices, d.code, d)
	s.entra.mu.Unlock()

	page := s.URL + "/devicelogin"
	message := "To sign in, use a web browser to open the page %s and enter the code %s to authenticate."
	if d.french {
		message = "Pour vous connecter, ouvrez la page %s dans un navigateur et entrez le code %s."
	}
	return map[string]any{"user_code": d.userCode, "device_code": d.code, "verification_uri": page,
		"expires_in": int(s.o.CodeLife / time.Second), "interval": int(math.Ceil(d.interval.Seconds())),
		"message": fmt.Sprintf(message, page, d.userCode)}, nil
}

// newUserCode returns a code without vowels and without what looks alike.
func newUserCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXYZ23456789"
	b := make([]byte, 9)
	rand.Read(b)
	for i, c := range b {
		b[i] = letters[int(c)%len(letters)]
	}
	return string(b)
}

// redeemDevice answers a poll (RFC 8628 section 3.4).
func (s *Server) redeemDevice(app *App, tenant string, form url.Values) (*grant, []scope, *entraError) {
	code := form.Get("device_code")
	if code == "" {
		return nil, nil, missing("device_code")
	}
	d := s.entra.devices[code]
	if d == nil || d.app.ID != app.ID {
		return nil, nil, entraFault(http.StatusBadRequest, "bad_verification_code", 70018, "Invalid verification code due to User typing in wrong user code for device code flow.")
	}
	if d.tenant != strings.ToLower(tenant) {
		return nil, nil, otherTenant()
	}
	now := s.now()
	gap := now.Sub(d.polled)
	d.polled = now
	switch {
	case d.redeemed:
		return nil, nil, badGrant(54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	case !now.Before(d.expires):
		return nil, nil, entraFault(http.StatusBadRequest, "expired_token", 70020, "The provided value for the input parameter 'device_code' is not valid. This device code has expired.")
	case s.o.EnforceSlow && gap < d.interval:
		d.interval += slowDown
		return nil, nil, entraFault(http.StatusBadRequest, "slow_down", 0, "The request was sent before the interval had passed.")
	case d.refused != nil:
		return nil, nil, d.refused
	case d.grant == nil:
		return nil, nil, entraFault(http.StatusBadRequest, "authorization_pending", 70016, "The provided request has not yet been authorized by the user. The user must input their code.")
	}
	d.redeemed = true
	return d.grant, d.asked, nil
}

// Approve consents to the device code that userCode names. Decline refuses it, Block refuses
// it by policy (AADSTS53003). The same is done by hand at the verification page.
func (s *Server) Approve(userCode string, c Consent) error {
	p := s.person(c.User)
	if p == nil {
		return fmt.Errorf("graphtest: approve: nobody is called %q: add the user first", c.User)
	}
	if p.Shared {
		return fmt.Errorf("graphtest: approve: %q is a shared mailbox, which nobody signs in to", c.User)
	}
	return s.settle("approve", userCode, func(d *device) {
		d.grant = &grant{app: d.app, person: p, tenant: d.tenant, asked: d.asked, granted: s.consented(d.asked, c)}
	})
}

// Decline refuses a device code as the person would.
func (s *Server) Decline(userCode string) error {
	return s.settle("decline", userCode, func(d *device) {
		d.refused = entraFault(http.StatusBadRequest, "authorization_declined", 65004, "User declined to consent to access the app.")
	})
}

// Block refuses a device code as a Conditional Access policy would.
func (s *Server) Block(userCode string) error {
	return s.settle("block", userCode, func(d *device) {
		d.refused = badGrant(53003, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.")
	})
}

func (s *Server) settle(op, userCode string, do func(*device)) error {
	s.entra.mu.Lock()
	defer s.entra.mu.Unlock()
	d := s.waiting(userCode)
	if d == nil {
		return fmt.Errorf("graphtest: %s: no device code %q waits: see Codes", op, cut(userCode))
	}
	do(d)
	return nil
}

// waiting finds the device code that a person may still answer. The caller holds the lock.
func (s *Server) waiting(userCode string) *device {
	userCode = strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(userCode), "-", ""))
	for _, d := range s.entra.devices {
		if d.userCode == userCode && !d.settled() && s.now().Before(d.expires) {
			return d
		}
	}
	return nil
}

// Codes returns the user codes that wait, the oldest first.
func (s *Server) Codes() []string {
	s.entra.mu.Lock()
	defer s.entra.mu.Unlock()
	var list []*device
	for _, d := range s.entra.devices {
		if !d.settled() && s.now().Before(d.expires) {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *device) int { return a.begun.Compare(b.begun) })
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.userCode
	}
	return out
}
