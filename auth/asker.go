package auth

import (
	"net/url"

	"golang.org/x/oauth2"
)

// asker is what differs between providers when somebody is to sign in.
type asker interface {
	// noDevice tells why there is no device flow, or "".
	noDevice(ep oauth2.Endpoint) string

	// askDevice returns where a device code is asked for.
	askDevice(endpoint string, o *BeginOptions) string

	// askCode adds to the query of the authorization address.
	askCode(q url.Values, o *BeginOptions)

	// brief gives scopes as people read them.
	brief(scopes []string) []string

	// host names this machine in a redirect address with a port.
	host() string
}

// asker returns the dialect's; one that is none keeps to the RFCs.
func (c *client) asker() asker {
	if a, ok := c.dialect.(asker); ok {
		return a
	}
	return &rfc{}
}

var (
	_ asker = (*entra)(nil)
	_ asker = (*rfc)(nil)
)
