package graphtest

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of upload sessions (outlook-large-attachments).
const (
	minUpload   = 3_000_000 // "3 MB" (outlook-large-attachments); with 3 << 20 nothing would take what a post just cannot hold
	maxUpload   = 150 << 20
	sessionLife = time.Hour
)

// uploadSession takes one large attachment in ranges.
type uploadSession struct {
	box     *Mailbox
	message string // immutable id
	made    attachment
	size    int64
	place   string // path of the message at the upload origin
	expires time.Time

	mu sync.Mutex // held while a range is written
	w  blobWriter
}

// createUpload begins a session (attachment-createuploadsession).
func (s *Server) createUpload(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	var in struct {
		Item struct {
			Type        string `json:"attachmentType"`
			Name        string `json:"name"`
			ContentType string `json:"contentType"`
			Size        int64  `json:"size"`
			IsInline    bool   `json:"isInline"`
			ContentID   string `json:"contentId"`
			ODataType   any    `json:"@odata.type"`
		} `json:"AttachmentItem"`
	}
	if f := decode(c.body, &in); f != nil {
		return 0, nil, f
	}
	if c.user != nil && !c.own {
		// Known issue: not with delegated permissions on a shared mailbox.
		return 0, nil, &fault{http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again."}
	}
	i := &in.Item
	switch {
	case !strings.EqualFold(i.Type, "file") || i.Name == "":
		return 0, nil, bad("ErrorInvalidRequest", "AttachmentItem needs attachmentType 'file' and a name.")
	case i.Size < minUpload:
		return 0, nil, bad("ErrorAttachmentSizeShouldNotBeLessThanMinimumSize", "Attachment size must be greater than the minimum size (%d bytes). Attachments below it are added by POST.", minUpload)
	case i.Size > maxUpload:
		return 0, nil, tooLarge
	}
	b := c.mailbox
	b.lock()
	defer b.mu.Unlock()
	it, f := c.message()
	if f == nil {
		f = s.fits(it, i.Size)
	}
	if f != nil {
		return 0, nil, f
	}
	kind := i.ContentType
	if kind == "" {
		kind = "application/octet-stream"
	}
	u := &uploadSession{box: b, message: it.immutable, size: i.Size, expires: s.now().Add(sessionLife), w: blobWriter{files: &s.files},
		made:  attachment{name: i.Name, contentType: kind, inline: i.IsInline, contentID: i.ContentID},
		place: fmt.Sprintf("/api/v2.0/Users('%s@%s')/Messages('%s')", b.guid, s.Tenant, it.id)}
	token := newID("eyJhbG")
	s.uploadMu.Lock()
	if s.sessions == nil {
		s.sessions = map[string]*uploadSession{}
	}
	s.sessions[token] = u
	s.uploadMu.Unlock()
	return http.StatusCreated, object{"@odata.context": s.URL + "/v1.0/$metadata#microsoft.graph.uploadSession",
		"uploadUrl":          s.UploadURL + u.place + "/AttachmentSessions('" + newID(attachmentID) + "')?authtoken=" + token,
		"expirationDateTime": u.expires.UTC().Format("2006-01-02T15:04:05.0000000Z"), "nextExpectedRanges": []string{"0-"}}, nil
}

// session finds the session that an upload URL names. The token in it is all the right that
// is needed, and another one is refused.
func (s *Server) session(r *http.Request) (*uploadSession, string, *fault) {
	if r.Header.Get("Authorization") != "" {
		return nil, "", &fault{http.StatusUnauthorized, "InvalidAudience", "The audience claim value is invalid for current resource: an upload URL takes no Authorization header."}
	}
	token := r.URL.Query().Get("authtoken")
	s.uploadMu.Lock()
	defer s.uploadMu.Unlock()
	u := s.sessions[token]
	if u == nil || !strings.HasPrefix(r.URL.Path, u.place+"/AttachmentSessions(") || !s.now().Before(u.expires) {
		return nil, "", &fault{http.StatusNotFound, "ErrorItemNotFound", "The upload session was not found or has expired."}
	}
	return u, token, nil
}

func (s *Server) endSession(token string) {
	s.uploadMu.Lock()
	defer s.uploadMu.Unlock()
	delete(s.sessions, token)
}

var contentRange = regexp.MustCompile(`^bytes ([0-9]{1,12})-([0-9]{1,12})/([0-9]{1,12})$`)

// putUpload takes the next range: in order, at most 4 MB.
func (s *Server) putUpload(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	u, token, f := s.session(r)
	if f != nil {
		return 0, nil, f
	}
	if c.long {
		return 0, nil, &fault{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "A range has at most 4 MB."}
	}
	m := contentRange.FindStringSubmatch(r.Header.Get("Content-Range"))
	if m == nil {
		return 0, nil, bad("invalidRequest", "The Content-Range header is missing or malformed.")
	}
	var n [3]int64
	for i := range n {
		n[i], _ = strconv.ParseInt(m[i+1], 10, 64)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case n[2] != u.size || n[1] < n[0] || n[1] >= u.size || n[1]-n[0]+1 != int64(len(c.body)):
		return 0, nil, bad("invalidRange", "The range does not agree with the body or with the size of the session.")
	case n[0] != u.w.size:
		return 0, nil, &fault{http.StatusRequestedRangeNotSatisfiable, "invalidRange", fmt.Sprintf("Expected is the range that begins at %d.", u.w.size)}
	}
	if _, err := u.w.Write(c.body); err != nil {
		return 0, nil, broken(err)
	}
	if u.w.size < u.size {
		return http.StatusOK, object{"@odata.context": s.UploadURL + "/api/v2.0/$metadata#microsoft.graph.uploadSession",
			"ExpirationDateTime": u.expires.UTC().Format("2006-01-02T15:04:05.0000000Z"),
			"nextExpectedRanges": []string{strconv.FormatInt(u.w.size, 10)}}, nil
	}
	s.endSession(token)
	content, err := u.w.blob()
	if err != nil {
		return 0, nil, broken(err)
	}
	a := fileOf(content)
	a.name, a.contentType, a.inline, a.contentID, a.modified = u.made.name, u.made.contentType, u.made.inline, u.made.contentID, s.now()
	find := func() (*item, *fault) {
		if it := u.box.item(u.message); it != nil {
			return it, nil
		}
		return nil, itemNotFound
	}
	if f := s.attach(u.box, find, a); f != nil {
		return 0, nil, f
	}
	w.Header().Set("Location", s.UploadURL+u.place+"/Attachments('"+a.id+"')")
	return http.StatusCreated, nil, nil
}

// cancelUpload ends a session, what came of it is dropped.
func (s *Server) cancelUpload(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	u, token, f := s.session(r)
	if f != nil {
		return 0, nil, f
	}
	s.endSession(token)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.w.discard()
	return http.StatusNoContent, nil, nil
}

// getUpload refuses: Outlook documents no way to ask how far a session is.
func (s *Server) getUpload(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	if _, _, f := s.session(r); f != nil {
		return 0, nil, f
	}
	return 0, nil, &fault{http.StatusMethodNotAllowed, "ErrorInvalidRequest", "An upload session takes PUT and DELETE."}
}
