package connector

import (
	"net/mail"
	"slices"
	"strings"

	"github.com/vaguemestre/vaguemestre/router"
)

// What Graph calls a message: learn.microsoft.com/graph/api/resources/message.
type (
	graphMessage struct {
		Subject         string            `json:"subject"`
		Importance      string            `json:"importance,omitempty"`
		Body            graphBody         `json:"body"`
		From            *graphRecipient   `json:"from,omitempty"`
		To              []graphRecipient  `json:"toRecipients"`
		Cc              []graphRecipient  `json:"ccRecipients,omitempty"`
		Bcc             []graphRecipient  `json:"bccRecipients,omitempty"`
		ReplyTo         []graphRecipient  `json:"replyTo,omitempty"`
		MessageID       string            `json:"internetMessageId,omitempty"`
		ReadReceipt     bool              `json:"isReadReceiptRequested,omitempty"`
		DeliveryReceipt bool              `json:"isDeliveryReceiptRequested,omitempty"`
		Headers         []graphHeader     `json:"internetMessageHeaders,omitempty"`
		Properties      []graphProperty   `json:"singleValueExtendedProperties,omitempty"`
		Attachments     []graphAttachment `json:"attachments,omitempty"`
	}
	graphBody struct {
		ContentType string `json:"contentType"`
		Content     string `json:"content"`
	}
	graphRecipient struct {
		Address graphAddress `json:"emailAddress"`
	}
	graphAddress struct {
		Name    string `json:"name,omitempty"`
		Address string `json:"address"`
	}
	graphHeader struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	graphProperty struct {
		ID    string `json:"id"`
		Value string `json:"value"`
	}
	graphAttachment struct {
		Type        string `json:"@odata.type"`
		Name        string `json:"name"`
		ContentType string `json:"contentType"`
		Inline      bool   `json:"isInline,omitempty"`
		ContentID   string `json:"contentId,omitempty"`
		Content     string `json:"contentBytes"`
	}
)

// Bounds of what Graph takes as JSON: learn.microsoft.com/graph/api/resources/internetmessageheader
// and graph-docs on custom headers.
const maxOwnHeaders = 5

// mapped are headers that stand in a MAPI property of their own in JSON
// (PidTagListUnsubscribe, PidTagInReplyToId, PidTagInternetReferences of MS-OXPROPS).
var mapped = map[string]string{
	"list-unsubscribe": "String 0x1045",
	"in-reply-to":      "String 0x1042",
	"references":       "String 0x1039",
}

// dropped are headers that Exchange takes out again, also out of MIME
// (github.com/microsoftgraph/msgraph-sdk-dotnet/issues/2209).
var dropped = map[string]bool{"auto-submitted": true}

// headersOf sorts the further headers of m: what JSON can carry, what only MIME can, and
// what nothing can.
func headersOf(m *router.Message) (own []graphHeader, props []graphProperty, mimeOnly, lost []string, err error) {
	names := make([]string, 0, len(m.Headers))
	for name := range m.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		low := strings.ToLower(name)
		x := strings.HasPrefix(low, "x-") && len(low) > 2
		value, err := headerText(m.Headers[name], x)
		if err != nil {
			return nil, nil, nil, nil, err
		}
		switch id := mapped[low]; {
		case dropped[low]:
			lost = append(lost, name)
		case id != "":
			props = append(props, graphProperty{id, value})
		case x:
			own = append(own, graphHeader{name, value})
		default:
			mimeOnly = append(mimeOnly, name)
		}
	}
	if len(own) > maxOwnHeaders {
		for _, h := range own[maxOwnHeaders:] {
			mimeOnly = append(mimeOnly, h.Name)
		}
	}
	return own, props, mimeOnly, lost, nil
}

func graphRecipients(list []string) []graphRecipient {
	out := []graphRecipient{}
	for _, s := range list {
		if a, err := router.ParseAddress(s); err == nil { // checked before
			out = append(out, graphRecipientOf(a))
		}
	}
	return out
}

func graphRecipientOf(a mail.Address) graphRecipient {
	return graphRecipient{graphAddress{a.Name, a.Address}}
}

// attachmentOf describes a file; its content is put where mark stands.
func attachmentOf(f file, mark string) graphAttachment {
	return graphAttachment{Type: "#microsoft.graph.fileAttachment", Name: fileName(f.Name), ContentType: f.Type(),
		Inline: f.inline, ContentID: f.ContentID, Content: mark}
}

// message is l as JSON, without attachments.
func (l *letter) message() graphMessage {
	m := l.m
	g := graphMessage{Subject: m.Subject, Body: graphBody{"text", m.Text}, To: graphRecipients(m.To), Cc: graphRecipients(m.Cc),
		Bcc: graphRecipients(m.Bcc), ReplyTo: graphRecipients(m.ReplyTo), MessageID: "<" + l.id + ">",
		ReadReceipt: m.ReadReceipt, Headers: l.own, Properties: l.props}
	if m.HTML != "" {
		g.Body = graphBody{"html", m.HTML}
	}
	if l.from.Address != "" {
		from := graphRecipientOf(l.from)
		g.From = &from
	}
	switch m.Importance {
	case router.ImportanceHigh:
		g.Importance = "high"
	case router.ImportanceLow:
		g.Importance = "low"
	}
	g.DeliveryReceipt = m.DSN != nil && slices.Contains(m.DSN.Notify, router.NotifySuccess)
	return g
}
