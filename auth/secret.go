package auth

import (
	"fmt"
	"io"
	"log/slog"
)

// What is printed of a provider is its name: not its secret, and not what lies behind its
// store and its client.

// String names the application.
func (m *Microsoft) String() string {
	if m == nil {
		return "microsoft application"
	}
	return fmt.Sprintf("microsoft application %q", cut(m.ClientID))
}

// Format writes String, whatever the verb.
func (m *Microsoft) Format(f fmt.State, _ rune) { io.WriteString(f, m.String()) }

// LogValue returns String.
func (m *Microsoft) LogValue() slog.Value { return slog.StringValue(m.String()) }

// String names the application.
func (o *OAuth2) String() string {
	if o == nil {
		return "oauth2 application"
	}
	return fmt.Sprintf("oauth2 application %q", cut(o.ClientID))
}

// Format writes String, whatever the verb.
func (o *OAuth2) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// LogValue returns String.
func (o *OAuth2) LogValue() slog.Value { return slog.StringValue(o.String()) }
