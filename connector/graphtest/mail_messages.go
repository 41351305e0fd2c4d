package graphtest

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// listMessages lists a folder, or the whole mailbox (user-list-messages).
func (s *Server) listMessages(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	q, f := parseQuery(r.URL.Query(), knownProperty)
	if f != nil {
		return 0, nil, f
	}
	show := showing(w, r, q.fields)
	b := c.mailbox
	b.lock()
	defer b.mu.Unlock()
	var list []*item
	if id, ok := c.vars["folder"]; ok {
		in, f := b.folderOf(id)
		if f != nil {
			return 0, nil, f
		}
		list = in.items
	} else {
		list = b.itemsAt("")
	}
	found := q.find(list)
	part, next := paged(found, q.skip, q.top, s.o.PageSize)
	value := make([]object, len(part))
	for i, it := range part {
		if value[i], f = it.full(show, q); f != nil {
			return 0, nil, f
		}
	}
	out := object{"@odata.context": s.context(b, "messages"), "value": value}
	if q.count {
		out["@odata.count"] = len(found)
	}
	if next > 0 {
		out["@odata.nextLink"] = s.nextLink(r, q, next)
	}
	return http.StatusOK, out, nil
}

// full is the message with what $expand adds.
func (it *item) full(show *shown, q *query) (object, *fault) {
	o := it.object(show)
	if q.attachments {
		list := []object{}
		for _, a := range it.attachments() {
			ao, err := a.object(nil, true)
			if err != nil {
				return nil, broken(err)
			}
			list = append(list, ao)
		}
		o["attachments"] = list
	}
	return o, nil
}

func (s *Server) getMessage(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	q, f := parseQuery(r.URL.Query(), knownProperty)
	if f != nil {
		return 0, nil, f
	}
	show := showing(w, r, q.fields)
	c.mailbox.lock()
	defer c.mailbox.mu.Unlock()
	it, f := c.message()
	if f != nil {
		return 0, nil, f
	}
	o, f := it.full(show, q)
	if f != nil {
		return 0, nil, f
	}
	o["@odata.context"] = s.context(c.mailbox, "messages/$entity")
	return http.StatusOK, o, nil
}

// answer is a whole message as it is answered. The caller holds the lock.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, b *Mailbox, it *item) object {
	o := it.object(showing(w, r, nil))
	o["@odata.context"] = s.context(b, "messages/$entity")
	return o
}

// messageValue gives the MIME (message-get, "Get MIME content").
func (s *Server) messageValue(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	c.mailbox.lock()
	it, f := c.message()
	if f != nil {
		c.mailbox.mu.Unlock()
		return 0, nil, f
	}
	m := it.mail
	c.mailbox.mu.Unlock()
	raw := m.raw
	if raw == nil {
		var err error
		if raw, err = s.files.build(m.content()); err != nil {
			return 0, nil, broken(err)
		}
	}
	if raw.size > s.o.ValueSize {
		return 0, nil, tooLarge
	}
	w.Header().Set("Content-Type", "text/plain")
	stream(w, raw.size, raw.reader())
	return 0, nil, nil
}

func stream(w http.ResponseWriter, size int64, r io.Reader) {
	if size >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	w.WriteHeader(http.StatusOK)
	io.Copy(w, r)
}

// createMessage makes a draft of JSON or MIME (user-post-messages).
func (s *Server) createMessage(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	b := c.mailbox
	m, state, f := s.readMail(r, c)
	if f != nil {
		return 0, nil, f
	}
	if m.size() > s.o.MessageSize {
		return 0, nil, tooLarge
	}
	b.lock()
	defer b.mu.Unlock()
	in := b.byFolder["drafts"]
	if id, ok := c.vars["folder"]; ok {
		if in, f = b.folderOf(id); f != nil {
			return 0, nil, f
		}
	}
	it := &item{mail: m, draft: true, read: true}
	b.add(in, it)
	if state != nil {
		if f := state.change(it); f != nil {
			return 0, nil, f
		}
		it.read = true
	}
	return http.StatusCreated, s.answer(w, r, b, it), nil
}

// readMail reads a message from the body of a request: MIME in base64, or JSON, which is
// returned too for what it says about the item.
func (s *Server) readMail(r *http.Request, c *request) (*mail, *messageInput, *fault) {
	switch media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media {
	case "text/plain":
		raw, f := decodeMIME(c.body)
		if f != nil {
			return nil, nil, f
		}
		return mailOf(raw), nil, nil
	case "application/json":
		var in messageInput
		if f := decode(c.body, &in); f != nil {
			return nil, nil, f
		}
		made, f := in.content(&s.files, s.now(), 0)
		if f != nil {
			return nil, nil, f
		}
		return draftOf(made), &in, nil
	}
	return nil, nil, &fault{http.StatusUnsupportedMediaType, "RequestBodyRead", "A message is application/json, or text/plain for MIME in base64."}
}

// patchMessage changes what may be changed (message-update).
func (s *Server) patchMessage(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	var names map[string]json.RawMessage
	var in messageInput
	if f := decode(c.body, &in); f != nil {
		return 0, nil, f
	}
	if json.Unmarshal(c.body, &names) != nil {
		return 0, nil, bad("BadRequest", "Empty payload. JSON content expected.")
	}
	b := c.mailbox
	b.lock()
	defer b.mu.Unlock()
	it, f := c.message()
	if f == nil {
		f = matches(r, it)
	}
	if f != nil {
		return 0, nil, f
	}
	for name := range names {
		if name = strings.ToLower(name); !slices.Contains(ofContent, name) {
			delete(names, name)
		} else if !it.draft {
			// Updatable only if isDraft is true.
			return 0, nil, bad("ErrorInvalidPropertySet", "The property '%s' can be set on drafts only.", cutText(name))
		}
	}
	if it.draft {
		d := it.mail.editable()
		if f := in.apply(d); f != nil {
			return 0, nil, f
		}
		it.mail = draftOf(d)
	}
	if f := in.change(it); f != nil {
		return 0, nil, f
	}
	b.touch(it)
	return http.StatusOK, s.answer(w, r, b, it), nil
}

// ofContent are the properties of the mail itself, in lower case.
var ofContent = []string{"subject", "body", "from", "sender", "torecipients", "ccrecipients", "bccrecipients", "replyto", "internetmessageid",
	"internetmessageheaders", "attachments", "singlevalueextendedproperties", "isdeliveryreceiptrequested"}

// change sets what concerns the item rather than the mail.
func (in *messageInput) change(it *item) *fault {
	if in.Importance != nil && !it.draft {
		c := newContent()
		if f := (&messageInput{Importance: in.Importance}).apply(c); f != nil {
			return f
		}
		it.importance = c.importance
	}
	if in.Categories != nil {
		it.categories = slices.Clone(*in.Categories)
	}
	if in.Flag != nil {
		status, _ := in.Flag["flagStatus"].(string)
		switch status = strings.ToLower(status); status {
		case "notflagged":
			it.flag = nil
		case "flagged", "complete":
			it.flag = object{"flagStatus": status}
			for _, name := range []string{"startDateTime", "dueDateTime", "completedDateTime"} {
				if v, ok := in.Flag[name]; ok {
					it.flag[name] = v
				}
			}
		default:
			return bad("RequestBodyRead", "Cannot convert the literal %q to the expected type 'microsoft.graph.followupFlagStatus'.", cutText(status))
		}
	}
	if in.IsRead != nil {
		it.read = *in.IsRead
	}
	if in.Inference != nil {
		switch v := strings.ToLower(*in.Inference); v {
		case "focused", "other":
			it.inference = v
		default:
			return bad("RequestBodyRead", "Cannot convert the literal %q to the expected type 'microsoft.graph.inferenceClassificationType'.", cutText(v))
		}
	}
	return nil
}

func (s *Server) deleteMessage(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	c.mailbox.lock()
	defer c.mailbox.mu.Unlock()
	it, f := c.message()
	if f == nil {
		f = matches(r, it)
	}
	if f != nil {
		return 0, nil, f
	}
	c.mailbox.trash(it)
	return http.StatusNoContent, nil, nil
}

func (s *Server) moveMessage(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	c.mailbox.lock()
	defer c.mailbox.mu.Unlock()
	it, to, f := c.destination()
	if f != nil {
		return 0, nil, f
	}
	c.mailbox.move(it, to)
	return http.StatusCreated, s.answer(w, r, c.mailbox, it), nil
}

func (s *Server) copyMessage(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	c.mailbox.lock()
	defer c.mailbox.mu.Unlock()
	it, to, f := c.destination()
	if f != nil {
		return 0, nil, f
	}
	twin := *it
	twin.id, twin.folder = "", nil
	c.mailbox.add(to, &twin)
	return http.StatusCreated, s.answer(w, r, c.mailbox, &twin), nil
}

// destination reads the body of move and copy.
func (c *request) destination() (*item, *folder, *fault) {
	var in struct {
		DestinationID string `json:"destinationId"`
	}
	if f := decode(c.body, &in); f != nil {
		return nil, nil, f
	}
	it, f := c.message()
	if f != nil {
		return nil, nil, f
	}
	to, f := c.mailbox.folderOf(in.DestinationID)
	return it, to, f
}

// translate changes one form of id into another (user-translateexchangeids).
func (s *Server) translate(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	var in struct {
		InputIDs []string `json:"inputIds"`
		Source   string   `json:"sourceIdType"`
		Target   string   `json:"targetIdType"`
	}
	if f := decode(c.body, &in); f != nil {
		return 0, nil, f
	}
	if len(in.InputIDs) > 1000 {
		return 0, nil, bad("ErrorInvalidRequest", "At most 1000 ids may be translated at once.")
	}
	immutable := strings.EqualFold(in.Target, "restImmutableEntryId")
	if !immutable && !strings.EqualFold(in.Target, "restId") {
		return 0, nil, bad("ErrorInvalidRequest", "The target id type %q is not known here.", cutText(in.Target))
	}
	c.mailbox.lock()
	defer c.mailbox.mu.Unlock()
	value := []object{}
	for _, id := range in.InputIDs {
		it := c.mailbox.item(id)
		if it == nil {
			return 0, nil, itemNotFound
		}
		target := it.id
		if immutable {
			target = it.immutable
		}
		value = append(value, object{"sourceId": id, "targetId": target})
	}
	return http.StatusOK, object{"@odata.context": s.context(c.mailbox, "translateExchangeIds"), "value": value}, nil
}
