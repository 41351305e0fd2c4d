package router

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Codes of the issues of a [Message], besides those of package settings. They are stable.
const (
	CodeControl   = "control_character" // CR, LF, NUL or another control character in a header
	CodeNotUTF8   = "not_utf8"          //
	CodeReserved  = "reserved_header"   // a header that the message sets itself
	CodeDuplicate = "duplicate"         // the same Content-ID or header twice
	CodeTooLong   = "too_long"          // a name or a word that no mail line can hold
)

// Bounds of header text, in bytes.
const (
	maxHeaderName  = 76
	maxHeaderValue = 32 << 10
	maxWord        = 900 // a word cannot be folded, and a line holds 998: RFC 5322 section 2.1.1
	maxFileName    = 255
	maxID          = 250
)

// Check returns nil if m can be sent, else an error of class poison that holds the issues of
// [Message.Validate]. It does no I/O.
func (m *Message) Check() error {
	if m == nil {
		return &vaguemestre.Error{Op: "mail: check message", Class: vaguemestre.ClassPoison, Err: errors.New("message is nil")}
	}
	if is := m.Validate(); len(is) > 0 {
		return &vaguemestre.Error{Op: "mail: check message", Class: vaguemestre.ClassPoison, Err: is}
	}
	return nil
}

// Validate returns all that is wrong with m; nothing if it can be sent. Paths are the names
// of fields: "to[0]", "headers.X-Case". It does no I/O: whether attachments can be opened
// shows when the message is sent.
//
// What has no issue holds no CR, LF, NUL or other control character in anything that becomes
// a header or a protocol command.
func (m *Message) Validate() settings.Issues {
	v := &validation{}
	if m.From != "" {
		v.address("from", m.From)
	}
	v.addresses("reply_to", m.ReplyTo)
	v.addresses("to", m.To)
	v.addresses("cc", m.Cc)
	v.addresses("bcc", m.Bcc)
	v.addresses("envelope", m.Envelope)
	if m.Envelope == nil && len(m.To)+len(m.Cc)+len(m.Bcc) == 0 {
		v.add("to", settings.CodeRequired, say("nobody is to receive it; name a recipient", "il n'y a aucun destinataire ; indiquez-en un"))
	} else if m.Envelope != nil && len(m.Envelope) == 0 {
		v.add("envelope", settings.CodeRequired, say("it is empty; leave it out for all of to, cc and bcc", "est vide ; ne l'indiquez pas pour envoyer à tous les destinataires"))
	}

	v.text("subject", m.Subject)
	if hasEncodedWord(m.Subject) {
		v.add("subject", settings.CodeBadFormat, say("it holds an encoded word (=?…?=); write the text itself", "contient un mot encodé (=?…?=) ; écrivez le texte lui-même"))
	}
	v.body("text", m.Text)
	v.body("html", m.HTML)
	v.headers(m.Headers)
	switch m.Importance {
	case ImportanceNormal, ImportanceHigh, ImportanceLow:
	default:
		v.add("importance", settings.CodeNotOneOf, say("it is none of high and low; leave it out for normal", "n'est ni high ni low ; ne l'indiquez pas pour une importance normale"))
	}
	v.dsn(m.DSN)
	if m.MessageID != "" {
		v.messageID(m.MessageID)
	}
	// RFC 5322 section 3.3: a year has four digits and is not before 1900.
	if !m.Date.IsZero() && (m.Date.Year() < 1900 || m.Date.Year() > 9999) {
		v.add("date", settings.CodeOutOfRange, say("the year is not within 1900 and 9999", "l'année n'est pas comprise entre 1900 et 9999"))
	}
	seen := map[string]bool{}
	for i, a := range m.Inline {
		path := fmt.Sprintf("inline[%d]", i)
		if a.ContentID == "" {
			v.add(path+".content_id", settings.CodeRequired, say("it is missing; the HTML shows the image by it (cid:…)", "il manque ; le HTML affiche l'image grâce à lui (cid:…)"))
		}
		v.attachment(path, a, seen)
	}
	for i, a := range m.Attachments {
		path := fmt.Sprintf("attachments[%d]", i)
		if a.Name == "" {
			v.add(path+".name", settings.CodeRequired, say("it is missing; a recipient saves the file under it", "il manque ; le destinataire enregistre le fichier sous ce nom"))
		}
		v.attachment(path, a, seen)
	}
	return v.issues
}

type validation struct{ issues settings.Issues }

// add notes one issue. Of an error that is no [textError] the text stands for both languages.
func (v *validation) add(path, code string, err error) {
	msg := settings.Text{EN: err.Error(), FR: err.Error()}
	var t *textError
	if errors.As(err, &t) {
		msg = settings.Text(*t)
	}
	v.issues = append(v.issues, settings.Issue{Path: path, Code: code, Message: msg})
}

func (v *validation) address(path, s string) {
	if _, err := ParseAddress(s); err != nil {
		code := settings.CodeBadFormat
		if strings.ContainsFunc(s, isControl) {
			code = CodeControl
		}
		v.add(path, code, err)
	}
}

func (v *validation) addresses(path string, list []string) {
	for i, s := range list {
		v.address(fmt.Sprintf("%s[%d]", path, i), s)
	}
}

// text checks what goes into a header and may be in any script. It reports whether it is right.
func (v *validation) text(path, s string) bool {
	if !utf8.ValidString(s) {
		v.add(path, CodeNotUTF8, say("it is not valid UTF-8", "ce n'est pas de l'UTF-8 valide"))
		return false
	}
	for _, r := range s {
		if isControl(r) {
			v.add(path, CodeControl, say("it holds the control character %U; remove it", "contient le caractère de contrôle %U ; retirez-le", r))
			return false
		}
	}
	if len(s) > maxHeaderValue {
		v.add(path, CodeTooLong, say("it is longer than %d bytes", "dépasse %d octets", maxHeaderValue))
		return false
	}
	for word := range strings.SplitSeq(s, " ") {
		if len(word) > maxWord {
			v.add(path, CodeTooLong, say("it holds a word of more than %d bytes, which no mail line can hold", "contient un mot de plus de %d octets, qu'aucune ligne de courriel ne peut contenir", maxWord))
			return false
		}
	}
	return true
}

// body may hold any line ends: the connector encodes it.
func (v *validation) body(path, s string) {
	if !utf8.ValidString(s) {
		v.add(path, CodeNotUTF8, say("it is not valid UTF-8; convert it, or attach it as a file", "ce n'est pas de l'UTF-8 valide ; convertissez-le ou joignez-le comme fichier"))
	}
}

func (v *validation) headers(h map[string]string) {
	seen := map[string]string{}
	for name, value := range h {
		if !isHeaderName(name) {
			v.add("headers", settings.CodeBadFormat, say("%s is no header name; use letters, digits and hyphens", "%s n'est pas un nom d'en-tête ; utilisez lettres, chiffres et tirets", cut(name)))
			continue
		}
		path := "headers." + name
		key := strings.ToLower(name)
		if isReserved(key) {
			v.add(path, CodeReserved, say("the message sets this header itself; use its field, or leave it out", "le message définit lui-même cet en-tête ; utilisez le champ prévu ou retirez-le"))
		}
		if other, ok := seen[key]; ok {
			v.add("headers."+max(name, other), CodeDuplicate, say("it stands here twice, written differently", "figure deux fois, écrit différemment"))
		}
		seen[key] = name
		v.text(path, value)
	}
	// Maps have no order, and people compare.
	v.sortFrom("headers")
}

// isHeaderName: ftext of RFC 5322 section 3.6.8.
func isHeaderName(s string) bool {
	if s == "" || len(s) > maxHeaderName {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 33 || s[i] > 126 || s[i] == ':' {
			return false
		}
	}
	return true
}

// reserved are the headers, in lower case, that a message sets itself or that servers and
// signers add. Those of RFC 5322 that tie mails together (In-Reply-To, References) are not.
var reserved = map[string]bool{
	"from": true, "sender": true, "reply-to": true, "to": true, "cc": true, "bcc": true,
	"subject": true, "date": true, "message-id": true, "mime-version": true,
	"importance": true, "priority": true, "x-priority": true, "x-msmail-priority": true,
	"disposition-notification-to": true, "return-receipt-to": true,
	"return-path": true, "received": true, "received-spf": true, "delivered-to": true,
	"authentication-results": true, "dkim-signature": true, "domainkey-signature": true,
}

func isReserved(lower string) bool {
	for _, p := range [...]string{"content-", "resent-", "arc-"} {
		if strings.HasPrefix(lower, p) {
			return true
		}
	}
	return reserved[lower]
}

// messageID: id-left "@" id-right of RFC 5322 section 3.6.4, without the obsolete forms.
func (v *validation) messageID(s string) {
	left, right, ok := strings.Cut(s, "@")
	ok = ok && len(s) <= maxID && isDotAtom(left)
	if inner, lit := strings.CutPrefix(right, "["); lit {
		inner, lit = strings.CutSuffix(inner, "]")
		ok = ok && lit && isPlainID(inner)
	} else {
		ok = ok && isDotAtom(right)
	}
	if !ok {
		v.add("message_id", settings.CodeBadFormat, say("it does not read as text@domain without angle brackets; leave it empty to have one made", "n'est pas de la forme texte@domaine, sans chevrons ; laissez-le vide pour qu'il soit créé"))
	}
}

func isDotAtom(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for i := 0; i < len(part); i++ {
			if !isAtext(part[i]) {
				return false
			}
		}
	}
	return true
}

// isPlainID tells printable ASCII without spaces, brackets, quotes and backslashes.
func isPlainID(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' || strings.IndexByte(`<>[]"\(),;`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// attachment checks what inline ones and others have in common.
func (v *validation) attachment(path string, a Attachment, seen map[string]bool) {
	if v.text(path+".name", a.Name) && len(a.Name) > maxFileName {
		v.add(path+".name", CodeTooLong, say("it is longer than %d bytes", "dépasse %d octets", maxFileName))
	}
	if a.MediaType != "" {
		if err := checkMediaType(a.MediaType); err != nil {
			v.add(path+".media_type", settings.CodeBadFormat, err)
		}
	}
	if id := a.ContentID; id != "" {
		// RFC 2392 wants one like a Message-ID; "logo" is what people write and readers take.
		if !isPlainID(id) || len(id) > maxID {
			v.add(path+".content_id", settings.CodeBadFormat, say("it holds a space, a bracket, a quote or what is not ASCII; use letters, digits, dots and hyphens", "contient une espace, un crochet, un guillemet ou un caractère non ASCII ; utilisez lettres, chiffres, points et tirets"))
		} else if seen[id] {
			v.add(path+".content_id", CodeDuplicate, say("another one has the same; the HTML could not tell them apart", "un autre a le même ; le HTML ne pourrait pas les distinguer"))
		}
		seen[id] = true
	}
	if a.Open == nil {
		v.add(path+".open", settings.CodeRequired, say("it has no Open function; make it with File, Bytes or Reader", "il n'a pas de fonction Open ; créez-la avec File, Bytes ou Reader"))
	}
}

// sortFrom puts the issues whose path begins with prefix in order, where they stand.
func (v *validation) sortFrom(prefix string) {
	i := slices.IndexFunc(v.issues, func(is settings.Issue) bool { return strings.HasPrefix(is.Path, prefix) })
	if i < 0 {
		return
	}
	slices.SortStableFunc(v.issues[i:], func(a, b settings.Issue) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Code, b.Code), strings.Compare(a.Message.EN, b.Message.EN))
	})
}
