package mime

import (
	"net/mail"
	"strings"
)

// Addresses returns the addresses of all fields of that name, decoded, as far as they
// can be made out: it is for matching and showing, not for sending. An entry without
// an address is left out.
func (h Header) Addresses(name string) []mail.Address {
	var out []mail.Address
	charset := h.charset()
	for _, v := range h.Values(name) {
		for _, one := range splitAddresses(v) {
			if a, ok := lenientAddress(one, charset); ok {
				out = append(out, a)
			}
		}
	}
	return out
}

// splitAddresses cuts a list at its commas and semicolons, but not inside quotes,
// angle brackets and comments. A group's name goes with its colon (RFC 5322 3.4).
func splitAddresses(s string) []string {
	var out []string
	var quoted, angle bool
	comment, begin := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && (quoted || comment > 0):
			i++
		case quoted:
			quoted = c != '"'
		case c == '"' && comment == 0:
			quoted = true
		case c == '(':
			comment++
		case c == ')' && comment > 0:
			comment--
		case comment > 0:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == ':' && !angle:
			begin = i + 1
		case (c == ',' || c == ';') && !angle:
			out = append(out, s[begin:i])
			begin = i + 1
		}
		if len(out) >= 10000 { // a list beyond this helps nobody
			return out
		}
	}
	return append(out, s[min(begin, len(s)):])
}

func lenientAddress(s, charset string) (mail.Address, bool) {
	s = strings.TrimSpace(s)
	name, addr := "", s
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		name, addr = s[:i], s[i+1:]
		if j := strings.IndexByte(addr, '>'); j >= 0 {
			addr = addr[:j]
		}
	} else if i := strings.IndexByte(s, '('); i >= 0 { // "a@b.fr (Name)", the way of RFC 822
		addr, name = s[:i], strings.TrimSuffix(strings.TrimSpace(s[i+1:]), ")")
	}
	addr = strings.Trim(addr, " \t'\"")
	if i := strings.LastIndexByte(addr, ':'); i >= 0 && addr[0] == '@' {
		addr = addr[i+1:] // RFC 5322 section 4.4: a source route
	}
	if !strings.Contains(addr, "@") {
		return mail.Address{}, false
	}
	name = strings.TrimSpace(name)
	if len(name) > 1 && name[0] == '"' && name[len(name)-1] == '"' {
		name = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(name[1 : len(name)-1])
	}
	return mail.Address{Name: decodeWords(name, charset), Address: addr}, true
}
