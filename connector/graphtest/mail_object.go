package graphtest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
)

// object is a JSON object of Graph.
type object = map[string]any

// stamp writes a time as Graph does: UTC, whole seconds; null if there is none.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// shown is how a message is asked for.
type shown struct {
	immutable bool     // ids of that form
	text      bool     // Prefer: outlook.body-content-type="text"
	fields    []string // $select, in lower case; nil is the usual ones
}

// wants reports whether a property is asked for. usual says that it is there without $select.
func (s *shown) wants(name string, usual bool) bool {
	if s.fields == nil {
		return usual
	}
	name = strings.ToLower(name)
	for _, f := range s.fields {
		if f == name {
			return true
		}
	}
	return false
}

// object is the message as Graph shows it (message resource type).
func (it *item) object(s *shown) object {
	c := it.mail.content()
	id := it.id
	if s.immutable {
		id = it.immutable
	}
	o := object{"@odata.etag": `W/"` + it.etag + `"`, "id": id}
	if c.kind != "" {
		o["@odata.type"] = "#microsoft.graph." + c.kind
	}
	for _, p := range messageProperties {
		if s.wants(p.name, !p.onSelect) {
			if v := p.of(it, c, s); v != absent {
				o[p.name] = v
			}
		}
	}
	return o
}

// absent is a property that is not even null.
var absent = new(int)

// property is one property of a message.
type property struct {
	name     string
	onSelect bool // only there if $select names it
	of       func(it *item, c *content, s *shown) any
}

var messageProperties = []property{
	{name: "createdDateTime", of: func(it *item, c *content, s *shown) any { return stamp(it.created) }},
	{name: "lastModifiedDateTime", of: func(it *item, c *content, s *shown) any { return stamp(it.modified) }},
	{name: "changeKey", of: func(it *item, c *content, s *shown) any { return it.etag }},
	{name: "categories", of: func(it *item, c *content, s *shown) any { return append([]string{}, it.categories...) }},
	{name: "receivedDateTime", of: func(it *item, c *content, s *shown) any { return stamp(it.received) }},
	{name: "sentDateTime", of: func(it *item, c *content, s *shown) any {
		if c.date.IsZero() {
			return stamp(it.created)
		}
		return stamp(c.date)
	}},
	{name: "hasAttachments", of: func(it *item, c *content, s *shown) any { return visible(it.attachments()) }},
	{name: "internetMessageId", of: func(it *item, c *content, s *shown) any { return c.messageID }},
	{name: "subject", of: func(it *item, c *content, s *shown) any { return c.subject }},
	{name: "bodyPreview", of: func(it *item, c *content, s *shown) any { return c.preview }},
	{name: "importance", of: func(it *item, c *content, s *shown) any {
		if it.importance != "" {
			return it.importance
		}
		return c.importance
	}},
	{name: "parentFolderId", of: func(it *item, c *content, s *shown) any { return it.folder.id }},
	{name: "conversationId", of: func(it *item, c *content, s *shown) any { return conversationID(c) }},
	{name: "conversationIndex", of: func(it *item, c *content, s *shown) any {
		return base64.StdEncoding.EncodeToString([]byte(conversationID(c)[:22]))
	}},
	{name: "isDeliveryReceiptRequested", of: func(it *item, c *content, s *shown) any { return c.deliveryReceipt }},
	{name: "isReadReceiptRequested", of: func(it *item, c *content, s *shown) any { return c.readReceipt != nil && *c.readReceipt }},
	{name: "isRead", of: func(it *item, c *content, s *shown) any { return it.read }},
	{name: "isDraft", of: func(it *item, c *content, s *shown) any { return it.draft }},
	{name: "webLink", of: func(it *item, c *content, s *shown) any {
		return "https://outlook.office365.com/owa/?ItemID=" + url.QueryEscape(it.id) + "&exvsurl=1&viewmodel=ReadMessageItem"
	}},
	{name: "inferenceClassification", of: func(it *item, c *content, s *shown) any {
		if it.inference != "" {
			return it.inference
		}
		return "focused"
	}},
	{name: "body", of: func(it *item, c *content, s *shown) any { return bodyObject(c, s) }},
	{name: "sender", of: func(it *item, c *content, s *shown) any { return optional(c.sender) }},
	{name: "from", of: func(it *item, c *content, s *shown) any { return optional(c.from) }},
	{name: "toRecipients", of: func(it *item, c *content, s *shown) any { return recipients(c.to) }},
	{name: "ccRecipients", of: func(it *item, c *content, s *shown) any { return recipients(c.cc) }},
	{name: "bccRecipients", of: func(it *item, c *content, s *shown) any { return recipients(c.bcc) }},
	{name: "replyTo", of: func(it *item, c *content, s *shown) any { return recipients(c.replyTo) }},
	{name: "flag", of: func(it *item, c *content, s *shown) any {
		if it.flag != nil {
			return it.flag
		}
		return object{"flagStatus": "notFlagged"}
	}},
	{name: "uniqueBody", onSelect: true, of: func(it *item, c *content, s *shown) any { return bodyObject(c, s) }},
	// Drafts and sent mail have none (microsoft-graph-docs issue 3066).
	{name: "internetMessageHeaders", onSelect: true, of: func(it *item, c *content, s *shown) any {
		if it.draft || it.sent {
			return absent
		}
		list := make([]object, len(c.headers))
		for i, h := range c.headers {
			list[i] = object{"name": h.name, "value": h.value}
		}
		return list
	}},
}

func bodyObject(c *content, s *shown) any {
	kind, text := "text", c.text()
	if c.html {
		kind = "html"
		if s.text {
			kind, text = "text", strings.TrimSpace(tags.ReplaceAllString(text, ""))
		}
	}
	return object{"contentType": kind, "content": text}
}

func (a *address) object() object {
	name := a.name
	if name == "" {
		name = a.addr
	}
	return object{"emailAddress": object{"name": name, "address": a.addr}}
}

// optional is absent where there is no address: drafts made of JSON have no from.
func optional(a *address) any {
	if a == nil {
		return absent
	}
	return a.object()
}

func recipients(list []address) any {
	out := make([]object, len(list))
	for i := range list {
		out[i] = list[i].object()
	}
	return out
}

// conversationID is the same for a mail and its answers.
func conversationID(c *content) string {
	thread := c.thread
	if thread == "" {
		thread = c.messageID
	}
	h := fnv.New128a()
	io.WriteString(h, thread)
	return "AAQkAD" + hex.EncodeToString(h.Sum(nil)) + "AAQA="
}

// object is the attachment as Graph shows it. Its content is read if it is asked for.
func (a *attachment) object(fields []string, withContent bool) (object, error) {
	s := shown{fields: fields}
	o := object{"@odata.type": "#microsoft.graph." + string(a.kind), "id": a.id}
	contentType := any(a.contentType)
	if a.kind == itemKind || a.contentType == "" {
		contentType = nil
	} else if a.kind == fileKind {
		o["@odata.mediaContentType"] = a.contentType
	}
	usual := object{"name": a.name, "contentType": contentType, "size": a.size, "isInline": a.inline, "lastModifiedDateTime": stamp(a.modified)}
	for name, v := range usual {
		if s.wants(name, true) {
			o[name] = v
		}
	}
	if a.kind == fileKind && slices.Contains(fields, "microsoft.graph.fileattachment/contentid") {
		o["contentId"] = null(a.contentID)
	}
	// contentId and its kin belong to the derived type: $select does not know them.
	if a.kind != fileKind || fields != nil {
		return o, nil
	}
	o["contentId"], o["contentLocation"] = null(a.contentID), null(a.location)
	if withContent {
		r := a.open()
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("attachment %q: %w", a.name, err)
		}
		o["contentBytes"] = base64.StdEncoding.EncodeToString(b)
	}
	return o, nil
}

// null is s, or null for "".
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}
