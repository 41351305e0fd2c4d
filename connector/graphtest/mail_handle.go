package graphtest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// handler does one kind of request and returns the status and the object to answer, which
// goes out when no lock is held any more; status 0 says that it has answered itself.
type handler func(s *Server, w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault)

// handlers are the calls by their Op.
var handlers = map[string]handler{
	"me":        (*Server).me,
	"users.get": (*Server).me,
	"sendMail":  (*Server).sendMail,

	"messages.list":   (*Server).listMessages,
	"messages.create": (*Server).createMessage,
	"messages.delta":  (*Server).delta,
	"messages.get":    (*Server).getMessage,
	"messages.patch":  (*Server).patchMessage,
	"messages.delete": (*Server).deleteMessage,
	"messages.value":  (*Server).messageValue,
	"messages.send":   (*Server).sendDraft,
	"messages.move":   (*Server).moveMessage,
	"messages.copy":   (*Server).copyMessage,

	"attachments.list":   (*Server).listAttachments,
	"attachments.create": (*Server).createAttachment,
	"attachments.get":    (*Server).getAttachment,
	"attachments.delete": (*Server).deleteAttachment,
	"attachments.value":  (*Server).attachmentValue,

	"upload.create": (*Server).createUpload,
	"upload.put":    (*Server).putUpload,
	"upload.delete": (*Server).cancelUpload,
	"upload.get":    (*Server).getUpload,

	"folders.list":   (*Server).listFolders,
	"folders.create": (*Server).createFolder,
	"folders.get":    (*Server).getFolder,

	"translate": (*Server).translate,
}

// mail does c. It reads the body from c.body, not from r.
func (s *Server) mail(w http.ResponseWriter, r *http.Request, c *request) {
	do := handlers[c.op]
	if c.op == "batch" {
		do = (*Server).batch // not in the table: it leads back here
	}
	if do == nil {
		fail(w, http.StatusNotImplemented, "notImplemented", "this server does not know the call "+strconv.Quote(c.op))
		return
	}
	if c.mailbox == nil && !c.upload && c.op != "me" && c.op != "users.get" && c.op != "batch" {
		fail(w, http.StatusNotFound, "MailboxNotEnabledForRESTAPI", "REST API is not yet supported for this mailbox.")
		return
	}
	status, value, f := do(s, w, r, c)
	if f != nil {
		fail(w, f.status, f.code, f.message)
	} else if status != 0 {
		reply(w, status, value)
	}
}

// me answers who it is (user-get).
func (s *Server) me(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	p := c.named
	mail, language := any(nil), "en-US"
	if c.mailbox != nil {
		mail = p.Address
	}
	if p.Language == "fr" {
		language = "fr-FR"
	}
	name := p.Name
	if name == "" {
		name, _, _ = strings.Cut(p.Address, "@")
	}
	given, sur, _ := strings.Cut(name, " ")
	return http.StatusOK, object{"@odata.context": s.URL + "/v1.0/$metadata#users/$entity", "businessPhones": []string{}, "displayName": name,
		"givenName": given, "surname": null(sur), "jobTitle": nil, "mail": mail, "mobilePhone": nil, "officeLocation": nil,
		"preferredLanguage": language, "userPrincipalName": p.Address, "id": p.id}, nil
}

// prefers reads the Prefer headers, which may stand joined or apart (RFC 7240).
func prefers(r *http.Request) map[string]string {
	out := map[string]string{}
	for _, p := range strings.Split(strings.Join(r.Header.Values("Prefer"), ","), ",") {
		name, value, _ := strings.Cut(p, "=")
		out[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(value), `"`)
	}
	return out
}

// showing is how the request wants messages, and tells in the answer what is applied.
func showing(w http.ResponseWriter, r *http.Request, fields []string) *shown {
	p := prefers(r)
	s := &shown{fields: fields, immutable: strings.EqualFold(p["idtype"], "ImmutableId"), text: strings.EqualFold(p["outlook.body-content-type"], "text")}
	if s.immutable {
		w.Header().Add("Preference-Applied", `IdType="ImmutableId"`)
	}
	if s.text {
		w.Header().Add("Preference-Applied", `outlook.body-content-type="text"`)
	}
	return s
}

var (
	malformed    = bad("ErrorInvalidIdMalformed", "Id is malformed.")
	itemNotFound = &fault{http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store."}
	noFolder     = &fault{http.StatusNotFound, "ErrorFolderNotFound", "The specified folder could not be found in the store."}
	tooLarge     = &fault{http.StatusRequestEntityTooLarge, "ErrorMessageSizeExceeded", "The message exceeds the maximum supported size."}
)

// names that Graph knows, whether a mailbox has the folder or not.
var folderNames = []string{"archive", "clutter", "conflicts", "conversationhistory", "deleteditems", "drafts", "inbox", "junkemail", "localfailures",
	rootName, "outbox", "recoverableitemsdeletions", "scheduled", "searchfolders", "sentitems", "serverfailures", "syncissues"}

// folderOf finds the folder of an id or a well-known name. The caller holds the lock.
func (b *Mailbox) folderOf(id string) (*folder, *fault) {
	if f := b.folder(id); f != nil {
		return f, nil
	}
	switch {
	case goodID(id):
		return nil, itemNotFound
	case slices.Contains(folderNames, strings.ToLower(id)):
		return nil, noFolder
	}
	return nil, malformed
}

// message finds the message that the path names. The caller holds the lock.
func (c *request) message() (*item, *fault) {
	id := c.vars["message"]
	if !goodID(id) {
		return nil, malformed
	}
	it := c.mailbox.item(id)
	if it == nil {
		return nil, itemNotFound
	}
	if in, ok := c.vars["folder"]; ok {
		f, fault := c.mailbox.folderOf(in)
		if fault != nil {
			return nil, fault
		}
		if it.folder != f {
			return nil, itemNotFound
		}
	}
	return it, nil
}

// matches obeys If-Match.
func matches(r *http.Request, it *item) *fault {
	if tag := r.Header.Get("If-Match"); tag != "" && tag != "*" && strings.Trim(strings.TrimPrefix(tag, "W/"), `"`) != it.etag {
		return &fault{http.StatusPreconditionFailed, "ErrorIrresolvableConflict", "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item."}
	}
	return nil
}

// context is the @odata.context of what a mailbox has.
func (s *Server) context(b *Mailbox, what string) string {
	return s.URL + "/v1.0/$metadata#users('" + b.guid + "')/" + what
}

// link leads to the same place with other options.
func (s *Server) link(r *http.Request, values url.Values) string {
	return s.URL + r.URL.EscapedPath() + "?" + values.Encode()
}

// nextLink leads to the next page of a listing.
func (s *Server) nextLink(r *http.Request, q *query, skip int) string {
	values := url.Values{}
	for name, v := range q.values {
		values[name] = v
	}
	values.Set("$skip", strconv.Itoa(skip))
	return s.link(r, values)
}
