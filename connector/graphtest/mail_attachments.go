package graphtest

import (
	"net/http"
	"slices"
	"strings"
)

// attachmentProperties are what $select knows; those of the derived type only by its name.
var attachmentProperties = []string{"id", "name", "contenttype", "size", "isinline", "lastmodifieddatetime", "microsoft.graph.fileattachment/contentid"}

// listAttachments lists the attachments of a message, in one page (message-list-attachments).
// $filter is ignored, as Graph does.
func (s *Server) listAttachments(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	values := r.URL.Query()
	values.Del("$filter")
	q, f := parseQuery(values, func(name string) bool { return slices.Contains(attachmentProperties, name) })
	if f != nil {
		return 0, nil, f
	}
	b := c.mailbox
	b.lock()
	it, f := c.message()
	if f != nil {
		b.mu.Unlock()
		return 0, nil, f
	}
	all, context := it.attachments(), s.context(b, "messages/attachments")
	b.mu.Unlock()
	list := []object{}
	for _, a := range all {
		o, err := a.object(q.fields, true)
		if err != nil {
			return 0, nil, broken(err)
		}
		list = append(list, o)
	}
	return http.StatusOK, object{"@odata.context": context, "value": list}, nil
}

// broken is a fault of this server itself.
func broken(err error) *fault {
	return &fault{http.StatusInternalServerError, "ErrorInternalServerError", err.Error()}
}

// attachment finds what the path names.
func (c *request) attachment() (*attachment, *fault) {
	c.mailbox.lock()
	defer c.mailbox.mu.Unlock()
	it, f := c.message()
	if f != nil {
		return nil, f
	}
	id := c.vars["attachment"]
	for _, a := range it.attachments() {
		if a.id == id {
			return a, nil
		}
	}
	if !goodID(id) {
		return nil, malformed
	}
	return nil, itemNotFound
}

func (s *Server) getAttachment(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	q, f := parseQuery(r.URL.Query(), func(name string) bool { return slices.Contains(attachmentProperties, name) })
	if f != nil {
		return 0, nil, f
	}
	a, f := c.attachment()
	if f != nil {
		return 0, nil, f
	}
	o, err := a.object(q.fields, true)
	if err != nil {
		return 0, nil, broken(err)
	}
	if a.item != nil && strings.Contains(strings.ToLower(q.values.Get("$expand")), "itemattachment/item") {
		inner := &item{mail: a.item, folder: &folder{}, read: true}
		o["item"] = inner.object(showing(w, r, nil))
	}
	o["@odata.context"] = s.context(c.mailbox, "messages/attachments/$entity")
	return http.StatusOK, o, nil
}

// attachmentValue gives the bytes (attachment-get, "Get the raw contents").
func (s *Server) attachmentValue(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	a, f := c.attachment()
	if f != nil {
		return 0, nil, f
	}
	if a.kind == referenceKind {
		return 0, nil, &fault{http.StatusMethodNotAllowed, "ErrorInvalidRequest", "A reference attachment has no content."}
	}
	kind := a.contentType
	switch {
	case a.kind == itemKind:
		kind = "message/rfc822"
	case kind == "":
		kind = "application/octet-stream"
	}
	content := a.open()
	defer content.Close()
	w.Header().Set("Content-Type", oneLine(kind))
	stream(w, -1, content)
	return 0, nil, nil
}

// createAttachment adds one to a draft; it is below 3 MB, since the request is below 4
// (message-post-attachments).
func (s *Server) createAttachment(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	var in attachmentInput
	if f := decode(c.body, &in); f != nil {
		return 0, nil, f
	}
	a, f := in.attachment(&s.files, s.now(), 0)
	if f != nil {
		return 0, nil, f
	}
	if f := s.attach(c.mailbox, c.message, a); f != nil {
		return 0, nil, f
	}
	o, err := a.object(nil, true)
	if err != nil {
		return 0, nil, broken(err)
	}
	o["@odata.context"] = s.context(c.mailbox, "messages/attachments/$entity")
	return http.StatusCreated, o, nil
}

// attach adds a to the draft that find gives.
func (s *Server) attach(b *Mailbox, find func() (*item, *fault), a *attachment) *fault {
	b.lock()
	defer b.mu.Unlock()
	it, f := find()
	if f != nil {
		return f
	}
	if f := s.fits(it, a.size); f != nil {
		return f
	}
	d := it.mail.editable()
	d.attachments = append(d.attachments, a)
	it.mail = draftOf(d)
	b.touch(it)
	return nil
}

// fits reports whether a draft takes so many bytes more. The caller holds the lock.
func (s *Server) fits(it *item, more int64) *fault {
	switch {
	case !it.draft:
		return bad("ErrorInvalidRequest", "Attachments can be added to drafts only.")
	case len(it.mail.content().attachments) >= maxAttachments:
		return bad("ErrorInvalidRequest", "The message has too many attachments.")
	case it.mail.size()+more > s.o.MessageSize:
		return tooLarge
	}
	return nil
}

func (s *Server) deleteAttachment(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	a, f := c.attachment()
	if f != nil {
		return 0, nil, f
	}
	b := c.mailbox
	b.lock()
	defer b.mu.Unlock()
	it, f := c.message()
	if f != nil {
		return 0, nil, f
	}
	this := func(x *attachment) bool { return x == a }
	if !it.draft && a.kind != referenceKind {
		return 0, nil, bad("ErrorInvalidRequest", "Attachments can be removed from drafts only.")
	}
	it.refs = slices.DeleteFunc(slices.Clone(it.refs), this)
	if it.draft {
		d := it.mail.editable()
		d.attachments = slices.DeleteFunc(d.attachments, this)
		it.mail = draftOf(d)
	}
	b.touch(it)
	return http.StatusNoContent, nil, nil
}
