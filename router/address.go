package router

import (
	"fmt"
	"net/mail"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of an address, in bytes.
const (
	maxLocal   = 64  // RFC 5321 section 4.5.3.1.1
	maxDomain  = 255 // RFC 5321 section 4.5.3.1.2
	maxAddress = maxLocal + 1 + maxDomain
	maxName    = 256
)

// ParseAddress reads one address: "a@b.fr", "Name <a@b.fr>" or "\"Last, First\" <a@b.fr>".
//
// It is strict, since what it lets through ends up in protocol commands: RFC 5322 section
// 3.4.1 addr-spec with the Unicode of RFC 6531, at most 320 bytes, no comments, no groups, no
// lists, no source routes, no control or invisible characters. Characters of a display name
// that RFC 5322 wants quoted need no quotes here if they are not one of <>@,;:"()[]\ .
//
// A quoted local part is taken only if it means the same without its quotes, and is returned
// without them: whatever else stands in quotes ("t> ORCPT=x"@b.fr, "a@b"@c.fr) is refused,
// for servers disagree about what it means. The result's Address thus never holds a space, a
// quote or an angle bracket, and can be written as it is between < and >.
//
// The error says what is wrong, quoting at most a few characters of s.
func ParseAddress(s string) (mail.Address, error) {
	var zero mail.Address
	if !utf8.ValidString(s) {
		return zero, say("it is not valid UTF-8", "ce n'est pas de l'UTF-8 valide")
	}
	for _, r := range s {
		if isControl(r) {
			return zero, say("it holds the control character %U; remove it", "contient le caractère de contrôle %U ; retirez-le", r)
		}
	}
	s = strings.Trim(s, " ")
	if s == "" {
		return zero, say("it is empty", "est vide")
	}
	name, spec := "", s
	if i := openAngle(s); i >= 0 {
		if !strings.HasSuffix(s, ">") {
			return zero, say("text follows the closing bracket, or it is missing; write one address an entry", "le chevron fermant manque, ou du texte le suit ; une seule adresse par entrée")
		}
		var err error
		if name, err = displayName(strings.Trim(s[:i], " ")); err != nil {
			return zero, err
		}
		spec = s[i+1 : len(s)-1]
	}
	addr, err := addrSpec(spec)
	if err != nil {
		return zero, err
	}
	return mail.Address{Name: name, Address: addr}, nil
}

// ParseAddresses is [ParseAddress] for each of list.
func ParseAddresses(list []string) ([]mail.Address, error) {
	out := make([]mail.Address, 0, len(list))
	for i, s := range list {
		a, err := ParseAddress(s)
		if err != nil {
			return nil, fmt.Errorf("address %d: %w", i+1, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// openAngle returns where the first '<' outside quotes is; -1 if nowhere.
func openAngle(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if quoted {
				i++
			}
		case '"':
			quoted = !quoted
		case '<':
			if !quoted {
				return i
			}
		}
	}
	return -1
}

// displayName reads a phrase or a quoted string: RFC 5322 sections 3.2.4 and 3.2.5.
func displayName(s string) (string, error) {
	if strings.HasPrefix(s, `"`) {
		rest, ok := unquote(s)
		if !ok {
			return "", say("the quotes of the display name do not match", "les guillemets du nom affiché ne sont pas fermés")
		}
		s = rest
	} else if i := strings.IndexAny(s, `<>@,;:"()[]\`); i >= 0 {
		return "", say("the display name holds %q; put the name in double quotes, and write one address an entry", "le nom affiché contient %q ; mettez-le entre guillemets droits, et une seule adresse par entrée", s[i])
	}
	if len(s) > maxName {
		return "", say("the display name is longer than %d bytes", "le nom affiché dépasse %d octets", maxName)
	}
	for _, r := range s {
		if isBidi(r) {
			return "", say("the display name holds %U, which changes the direction of what is shown; remove it", "le nom affiché contient %U, qui change le sens de lecture ; retirez-le", r)
		}
	}
	// An encoded word would be decoded by readers into something that nobody checked.
	if hasEncodedWord(s) {
		return "", say("the display name holds an encoded word (=?…?=); write the name itself", "le nom affiché contient un mot encodé (=?…?=) ; écrivez le nom lui-même")
	}
	return s, nil
}

// unquote takes a quoted string that spans the whole of s apart.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	body := s[1 : len(s)-1]
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			return "", false
		case '\\':
			if i++; i == len(body) {
				return "", false
			}
		}
		b.WriteByte(body[i])
	}
	return b.String(), true
}

// addrSpec checks local@domain and returns it in its plain form.
func addrSpec(s string) (string, error) {
	for _, r := range s {
		// Such get into an address by pasting or by malice: zero width, no-break space.
		if r != ' ' && (unicode.Is(unicode.Cf, r) || unicode.IsSpace(r)) {
			return "", say("it holds the invisible character %U; remove it", "contient le caractère invisible %U ; retirez-le", r)
		}
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", say("it has no @; write it as name@domain", "il manque l'arobase ; écrivez nom@domaine")
	}
	local, domain := s[:at], s[at+1:]
	if strings.HasPrefix(local, `"`) {
		plain, ok := unquote(local)
		if !ok {
			return "", say("the quotes before the @ do not match", "les guillemets avant l'arobase ne sont pas fermés")
		}
		if checkLocal(plain) != nil {
			return "", say("the part before the @ needs its quotes, and servers disagree about such addresses; it cannot be used", "la partie avant l'arobase a besoin de ses guillemets, que les serveurs comprennent diversement ; cette adresse est inutilisable")
		}
		local = plain
	}
	if err := checkLocal(local); err != nil {
		return "", err
	}
	if err := checkDomain(domain); err != nil {
		return "", err
	}
	return local + "@" + domain, nil
}

// checkLocal: dot-atom of RFC 5322 section 3.2.3, extended by RFC 6531 section 3.3.
func checkLocal(s string) error {
	switch {
	case s == "":
		return say("nothing stands before the @", "il n'y a rien avant l'arobase")
	case len(s) > maxLocal:
		return say("the part before the @ is longer than %d bytes", "la partie avant l'arobase dépasse %d octets", maxLocal)
	case s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, ".."):
		return say("the part before the @ begins or ends with a dot, or has two in a row", "la partie avant l'arobase commence ou finit par un point, ou en a deux de suite")
	}
	for _, r := range s {
		if r < utf8.RuneSelf && !isAtext(byte(r)) && r != '.' {
			return say("the part before the @ holds %q", "la partie avant l'arobase contient %q", r)
		}
	}
	return nil
}

// checkDomain: Domain or address-literal of RFC 5321 section 4.1.2, with the U-labels of
// RFC 6531.
func checkDomain(s string) error {
	if s == "" {
		return say("nothing follows the @", "il n'y a rien après l'arobase")
	}
	if len(s) > maxDomain {
		return say("the domain is longer than %d bytes", "le domaine dépasse %d octets", maxDomain)
	}
	if s[0] == '[' {
		return checkLiteral(s)
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" {
			return say("the domain begins or ends with a dot, or has two in a row", "le domaine commence ou finit par un point, ou en a deux de suite")
		}
		if len(l) > 63 { // RFC 1035 section 2.3.4
			return say("a part of the domain is longer than 63 bytes", "une partie du domaine dépasse 63 octets")
		}
		if l[0] == '-' || l[len(l)-1] == '-' {
			return say("a part of the domain begins or ends with a hyphen", "une partie du domaine commence ou finit par un tiret")
		}
		for _, r := range l {
			if r < utf8.RuneSelf {
				if !isLetterDigit(byte(r)) && r != '-' {
					return say("the domain holds %q", "le domaine contient %q", r)
				}
			} else if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.Is(unicode.Nd, r) {
				return say("the domain holds %U", "le domaine contient %U", r)
			}
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return say("the domain ends in a number; an IP address is written in square brackets", "le domaine finit par un nombre ; une adresse IP s'écrit entre crochets")
	}
	return nil
}

func checkLiteral(s string) error {
	body, ok := strings.CutSuffix(s[1:], "]")
	want4 := true
	if v6, is6 := strings.CutPrefix(body, "IPv6:"); is6 {
		body, want4 = v6, false
	}
	ip, err := netip.ParseAddr(body)
	if !ok || err != nil || ip.Is4() != want4 || ip.Zone() != "" {
		return say("what stands in square brackets is no IP address; write [192.0.2.1] or [IPv6:2001:db8::1]", "ce qui est entre crochets n'est pas une adresse IP ; écrivez [192.0.2.1] ou [IPv6:2001:db8::1]")
	}
	return nil
}

// isAtext: RFC 5322 section 3.2.3.
func isAtext(b byte) bool {
	return isLetterDigit(b) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", b) >= 0
}

func isLetterDigit(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

// isControl tells what no header text may hold: C0 and C1 controls, the line and paragraph
// separators, and what takes the place of a lost character.
func isControl(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}

// isBidi tells the embeddings, overrides and isolates of Unicode's bidirectional algorithm.
func isBidi(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

func hasEncodedWord(s string) bool {
	_, rest, ok := strings.Cut(s, "=?")
	return ok && strings.Contains(rest, "?=")
}
