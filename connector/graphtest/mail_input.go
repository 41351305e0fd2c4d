package graphtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// fault is an answer that is an error of Graph.
type fault struct {
	status        int
	code, message string
}

func (f *fault) Error() string { return fmt.Sprintf("%d %s: %s", f.status, f.code, f.message) }

func bad(code, format string, a ...any) *fault {
	return &fault{400, code, fmt.Sprintf(format, a...)}
}

// Bounds of what comes as JSON.
const (
	maxHeaders     = 5   // internetMessageHeaders of one message
	maxRecipients  = 500 // of one message (Exchange Online limits)
	maxAttachments = 250
	maxItemDepth   = 3 // of item attachments in one another
)

// messageInput is a message as a client writes it. What a client may not set is taken and
// ignored, as Graph does; names that a message has not are refused.
type messageInput struct {
	Subject          *string           `json:"subject"`
	Importance       *string           `json:"importance"`
	Body             *bodyInput        `json:"body"`
	From             *recipientInput   `json:"from"`
	Sender           *recipientInput   `json:"sender"`
	To               *[]recipientInput `json:"toRecipients"`
	Cc               *[]recipientInput `json:"ccRecipients"`
	Bcc              *[]recipientInput `json:"bccRecipients"`
	ReplyTo          *[]recipientInput `json:"replyTo"`
	ReadReceipt      *bool             `json:"isReadReceiptRequested"`
	DeliveryReceipt  *bool             `json:"isDeliveryReceiptRequested"`
	MessageID        *string           `json:"internetMessageId"`
	Headers          []headerInput     `json:"internetMessageHeaders"`
	Extended         []extendedInput   `json:"singleValueExtendedProperties"`
	Attachments      []json.RawMessage `json:"attachments"`
	Categories       *[]string         `json:"categories"`
	Flag             map[string]any    `json:"flag"`
	IsRead           *bool             `json:"isRead"`
	Inference        *string           `json:"inferenceClassification"`
	ID               any               `json:"id"`
	ODataType        any               `json:"@odata.type"`
	ODataContext     any               `json:"@odata.context"`
	ODataEtag        any               `json:"@odata.etag"`
	IsDraft          any               `json:"isDraft"`
	HasAttachments   any               `json:"hasAttachments"`
	Sent             any               `json:"sentDateTime"`
	Received         any               `json:"receivedDateTime"`
	Created          any               `json:"createdDateTime"`
	Modified         any               `json:"lastModifiedDateTime"`
	ChangeKey        any               `json:"changeKey"`
	ParentFolder     any               `json:"parentFolderId"`
	Conversation     any               `json:"conversationId"`
	ConversationI    any               `json:"conversationIndex"`
	WebLink          any               `json:"webLink"`
	Preview          any               `json:"bodyPreview"`
	MultiValueExtend any               `json:"multiValueExtendedProperties"`
}

type bodyInput struct {
	ContentType string `json:"contentType"`
	Content     string `json:"content"`
}

type recipientInput struct {
	EmailAddress struct {
		Name    string `json:"name"`
		Address string `json:"address"`
	} `json:"emailAddress"`
}

type headerInput struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type extendedInput struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

type attachmentInput struct {
	Type         string          `json:"@odata.type"`
	Media        any             `json:"@odata.mediaContentType"`
	ID           any             `json:"id"`
	Name         string          `json:"name"`
	ContentType  *string         `json:"contentType"`
	ContentBytes *string         `json:"contentBytes"`
	IsInline     bool            `json:"isInline"`
	ContentID    *string         `json:"contentId"`
	Location     *string         `json:"contentLocation"`
	Size         any             `json:"size"`
	Modified     any             `json:"lastModifiedDateTime"`
	Item         json.RawMessage `json:"item"`
}

// decode reads one JSON value and refuses names that out has not.
func decode(data []byte, out any) *fault {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(out)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
		err = errors.New("text after the value")
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return bad("RequestBodyRead", "The property %s does not exist on the type of the request. Make sure to only use property names that are defined by the type.", cutText(name))
	}
	return bad("BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
}

// content makes a new mail of what came.
func (in *messageInput) content(t *tempFiles, now time.Time, depth int) (*content, *fault) {
	c := newContent()
	if f := in.apply(c); f != nil {
		return nil, f
	}
	if c.messageID == "" {
		c.messageID = newMessageID()
	}
	if len(in.Attachments) > maxAttachments {
		return nil, bad("ErrorInvalidRequest", "too many attachments")
	}
	for _, data := range in.Attachments {
		var a attachmentInput
		if f := decode(data, &a); f != nil {
			return nil, f
		}
		made, f := a.attachment(t, now, depth)
		if f != nil {
			return nil, f
		}
		c.attachments = append(c.attachments, made)
	}
	return c, nil
}

// apply sets what is given.
func (in *messageInput) apply(c *content) *fault {
	if in.Subject != nil {
		c.subject = *in.Subject
	}
	if in.Importance != nil {
		level := strings.ToLower(*in.Importance)
		if !slices.Contains([]string{"low", "normal", "high"}, level) {
			return bad("RequestBodyRead", "Cannot convert the literal %q to the expected type 'microsoft.graph.importance'.", cutText(level))
		}
		c.importance = level
	}
	if in.Body != nil {
		switch strings.ToLower(in.Body.ContentType) {
		case "html":
			c.html = true
		case "", "text":
			c.html = false
		default:
			return bad("RequestBodyRead", "Cannot convert the literal %q to the expected type 'microsoft.graph.bodyType'.", cutText(in.Body.ContentType))
		}
		text := in.Body.Content
		c.text, c.preview = func() string { return text }, preview(text[:min(len(text), 8<<10)], c.html)
	}
	if in.From != nil {
		c.from = in.From.address()
	}
	for _, l := range []struct {
		in  *[]recipientInput
		out *[]address
	}{{in.To, &c.to}, {in.Cc, &c.cc}, {in.Bcc, &c.bcc}, {in.ReplyTo, &c.replyTo}} {
		if l.in == nil {
			continue
		}
		*l.out = nil
		for _, r := range *l.in {
			*l.out = append(*l.out, *r.address())
		}
	}
	if in.ReadReceipt != nil {
		c.readReceipt = in.ReadReceipt
	}
	if in.DeliveryReceipt != nil {
		c.deliveryReceipt = in.DeliveryReceipt
	}
	if in.MessageID != nil && *in.MessageID != "" {
		c.messageID = *in.MessageID
	}
	if len(in.Headers) > maxHeaders {
		return bad("InvalidInternetMessageHeaders", "Maximum number of headers in one message should be less than or equal to %d.", maxHeaders)
	}
	for _, h := range in.Headers {
		if !strings.HasPrefix(strings.ToLower(h.Name), "x-") {
			return bad("InvalidInternetMessageHeader", "The internet message header name '%s' should start with 'x-' or 'X-'.", cutText(h.Name))
		}
		if strings.ContainsAny(h.Name, " \t\r\n:") || strings.ContainsAny(h.Value, "\r\n") {
			return bad("InvalidInternetMessageHeader", "The internet message header '%s' is not valid.", cutText(oneLine(h.Name)))
		}
		c.headers = append(c.headers, header{h.Name, h.Value})
	}
	for _, e := range in.Extended {
		id := strings.Join(strings.Fields(strings.ToLower(e.ID)), " ")
		name, ok := strings.CutPrefix(id, "string 0x")
		if !ok && !strings.HasPrefix(id, "string {") && !strings.HasPrefix(id, "integer ") && !strings.HasPrefix(id, "boolean ") && !strings.HasPrefix(id, "systemtime ") {
			return bad("ErrorInvalidArgument", "The extended property id %q is not valid.", cutText(e.ID))
		}
		extended := map[string]string{}
		for k, v := range c.extended {
			extended[k] = v
		}
		if ok {
			id = "String 0x" + name
		}
		extended[id] = e.Value
		c.extended = extended
	}
	return nil
}

func (r *recipientInput) address() *address {
	return &address{strings.TrimSpace(r.EmailAddress.Name), strings.TrimSpace(r.EmailAddress.Address)}
}

// attachment makes an attachment of what came.
func (in *attachmentInput) attachment(t *tempFiles, now time.Time, depth int) (*attachment, *fault) {
	var a *attachment
	switch strings.ToLower(strings.TrimPrefix(in.Type, "#")) {
	case "microsoft.graph.fileattachment":
		if in.ContentBytes == nil {
			return nil, bad("ErrorInvalidRequest", "The attachment has no contentBytes.")
		}
		b, err := base64.StdEncoding.DecodeString(*in.ContentBytes)
		if err != nil {
			return nil, bad("RequestBodyRead", "Cannot convert the literal to the expected type 'Edm.Binary'.")
		}
		a = fileOf(blobOf(b))
	case "microsoft.graph.itemattachment":
		if depth++; depth > maxItemDepth {
			return nil, bad("ErrorInvalidRequest", "item attachments are nested too deep")
		}
		var item messageInput
		if f := decode(in.Item, &item); f != nil {
			return nil, f
		}
		c, f := item.content(t, now, depth)
		if f != nil {
			return nil, f
		}
		c.date = now
		raw, err := t.build(c)
		if err != nil {
			return nil, broken(err)
		}
		a = fileOf(raw)
		a.kind, a.item = itemKind, draftOf(c)
	default:
		return nil, bad("RequestBodyRead", "A type named %q could not be resolved by the model. An attachment needs its @odata.type.", cutText(in.Type))
	}
	if in.Name == "" {
		return nil, bad("ErrorInvalidRequest", "Required property 'name' is missing.")
	}
	a.name, a.inline, a.modified = in.Name, in.IsInline, now
	if in.ContentType != nil {
		a.contentType = *in.ContentType
	} else if a.kind == fileKind {
		a.contentType = "application/octet-stream"
	}
	if in.ContentID != nil {
		a.contentID = *in.ContentID
	}
	if in.Location != nil {
		a.location = *in.Location
	}
	return a, nil
}
