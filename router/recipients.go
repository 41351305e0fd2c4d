package router

import (
	"net/mail"
	"strings"
)

// Recipients returns the addresses that m is to be handed to: Envelope, or if that is nil To,
// Cc and Bcc; in that order, without display names, each once. Two are the same if they
// differ in the case of the domain only. The error is that of [ParseAddress].
func (m *Message) Recipients() ([]string, error) {
	lists := [][]string{m.To, m.Cc, m.Bcc}
	if m.Envelope != nil {
		lists = [][]string{m.Envelope}
	}
	var out []string
	seen := map[string]bool{}
	for _, list := range lists {
		as, err := ParseAddresses(list)
		if err != nil {
			return nil, err
		}
		for _, a := range as {
			if k := sameAddress(a.Address); !seen[k] {
				seen[k] = true
				out = append(out, a.Address)
			}
		}
	}
	return out, nil
}

// Sender returns the parsed From of m, or if that is empty the one that fallback holds, for
// instance the sender among a connector's settings. Both empty give the zero Address.
func (m *Message) Sender(fallback string) (mail.Address, error) {
	s := m.From
	if s == "" {
		s = fallback
	}
	if s == "" {
		return mail.Address{}, nil
	}
	return ParseAddress(s)
}

// sameAddress: RFC 5321 section 2.4: a local part has case, a domain has none.
func sameAddress(a string) string {
	i := strings.LastIndexByte(a, '@')
	return a[:i] + strings.ToLower(a[i:])
}
