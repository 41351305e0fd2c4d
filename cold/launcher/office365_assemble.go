package launcher

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

const (
	mostAttachments = 1000     // of one message
	mostEmpty       = 16 << 10 // bytes that Graph may tell of an empty one: its properties count too
	mostContentID   = 4 << 20  // bytes of an inline attachment whose Content-ID is asked for: the content comes along
)

// attachment is one attachment as Graph lists it.
type attachment struct {
	Type        string `json:"@odata.type"`
	ID          string `json:"id"`
	Name        string `json:"name"`
	ContentType string `json:"contentType"`
	Size        int64  `json:"size"`
	Inline      bool   `json:"isInline"`

	contentID string
}

// assembled is a message put together from its properties and attachments while it is read:
// one attachment is under way at a time, and nothing of it is kept.
type assembled struct {
	ctx      context.Context
	s        *graphSession
	id       string
	boundary string

	parts []attachment // to come
	now   io.Reader
	open  io.Closer // the answer that now reads, or nil
	last  bool      // now is what comes after the last part
	end   error
}

// assemble asks for all of a message but its attachments' content.
func (s *graphSession) assemble(ctx context.Context, id string) (*assembled, error) {
	var p properties
	err := s.client.JSON(ctx, &graph.Request{Op: "read properties", Path: "/messages/" + graph.Seg(id), Query: url.Values{"$select": {selected}},
		Prefer: []string{"outlook.allow-unsafe-html"}}, &p) // without it Graph mends the HTML text
	if err != nil {
		return nil, err
	}
	parts, err := s.attachments(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 && bool(p.Attached) {
		return nil, &graph.Fault{Op: "list attachments", Kind: graph.Invalid, Err: errors.New("graph lists no attachments of a message that has some")}
	}
	m := &assembled{ctx: ctx, s: s, id: id, boundary: newBoundary(), parts: parts}
	m.now = strings.NewReader(p.head(m.boundary))
	return m, nil
}

// attachments lists those of a message, in the order of Graph.
func (s *graphSession) attachments(ctx context.Context, id string) ([]attachment, error) {
	base := "/messages/" + graph.Seg(id) + "/attachments"
	r := &graph.Request{Op: "list attachments", Path: base, Query: url.Values{"$select": {"id,name,contentType,size,isInline"}}}
	var out []attachment
	for w := (walk{}); ; {
		w.enter(r.Link)
		var page struct {
			Value []attachment `json:"value"`
			Next  string       `json:"@odata.nextLink"`
		}
		if err := s.client.JSON(ctx, r, &page); err != nil {
			return nil, err
		}
		if out = append(out, page.Value...); len(out) > mostAttachments {
			return nil, &graph.Fault{Op: r.Op, Kind: graph.Invalid, Err: errors.New("the message has more than " + strconv.Itoa(mostAttachments) + " attachments")}
		}
		if page.Next == "" {
			break
		}
		if err := w.next(s.client, page.Next, false); err != nil {
			return nil, &graph.Fault{Op: r.Op, Kind: graph.Garbage, Err: err}
		}
		r = &graph.Request{Op: r.Op, Link: page.Next}
	}
	for i := range out {
		a := &out[i]
		if !a.Inline || !a.is("file") || a.Size > mostContentID {
			continue
		}
		// contentId belongs to the derived type, which $select of the listing does not know.
		var file struct {
			ContentID string `json:"contentId"`
		}
		if err := s.client.JSON(ctx, &graph.Request{Op: "read attachment", Path: base + "/" + graph.Seg(a.ID)}, &file); err != nil {
			return nil, err
		}
		a.contentID = file.ContentID
	}
	return out, nil
}

func (a *attachment) is(kind string) bool {
	return strings.EqualFold(a.Type, "#microsoft.graph."+kind+"Attachment")
}

func (m *assembled) ending() error { return m.end }

func (m *assembled) close() {
	if m.open != nil {
		m.open.Close()
		m.open = nil
	}
}

func (m *assembled) Read(p []byte) (int, error) {
	for m.end == nil {
		n, err := m.now.Read(p)
		if err != nil {
			m.close()
		}
		switch {
		case err == io.EOF && m.last:
			m.end = io.EOF
		case err == io.EOF:
			m.end = m.next()
		case err != nil:
			m.end = m.fault(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, m.end
}

// next begins with the next attachment.
func (m *assembled) next() error {
	if len(m.parts) == 0 {
		m.now, m.last = strings.NewReader("\r\n--"+m.boundary+"--\r\n"), true
		return nil
	}
	a := m.parts[0]
	m.parts = m.parts[1:]
	lead := "\r\n--" + m.boundary + "\r\n"
	if a.is("reference") {
		m.now = strings.NewReader(lead + a.link())
		return nil
	}
	r := &graph.Request{Op: "read attachment", Path: "/messages/" + graph.Seg(m.id) + "/attachments/" + graph.Seg(a.ID) + "/$value"}
	if !a.is("file") && !a.is("item") { // graph/api/attachment-get: 405 is of what has no content
		r.Accept = []int{http.StatusMethodNotAllowed}
	}
	resp, err := m.s.client.Do(m.ctx, r)
	if err != nil {
		return m.fault(err)
	}
	if resp.StatusCode == http.StatusMethodNotAllowed {
		resp.Body.Close()
		m.now = strings.NewReader(lead + a.link())
		return nil
	}
	m.open = resp.Body
	ahead := bufio.NewReader(resp.Body)
	if _, err := ahead.Peek(1); err == io.EOF && a.Size > mostEmpty {
		m.close()
		return m.fault(&graph.Fault{Op: r.Op, Kind: graph.Garbage, Status: resp.StatusCode, Err: errors.New("the answer is empty")})
	}
	body := io.Reader(ahead)
	if a.is("item") {
		if body, err = a.sniff(body); err != nil {
			m.close()
			return m.fault(err)
		}
	}
	header, raw := a.header()
	if !raw {
		body = &base64Lines{src: body}
	}
	m.now = io.MultiReader(strings.NewReader(lead+header), body)
	return nil
}

// fault is the error of a Body in the middle of which an attachment does not come. If Graph
// still answers otherwise, the message is blamed, or every run would end at it.
func (m *assembled) fault(err error) error {
	kind := kindOf(err)
	if m.ctx.Err() == nil && kind != "" && kind != graph.Throttled && !unauthorized(err) && m.s.shows(m.ctx, m.id) {
		return errOffice("read", vaguemestre.ClassPoison, "an attachment of this message does not come: look at it with a mail program: %w", err)
	}
	if kind == graph.Transient {
		return io.ErrUnexpectedEOF
	}
	return m.s.denied("read", err)
}

// link stands for an attachment that lies elsewhere: Graph has no content of it, and v1.0
// not even its address.
func (a *attachment) link() string {
	text, _ := json.MarshalIndent(struct {
		Kind        string `json:"kind"`
		Name        string `json:"name"`
		ContentType string `json:"content_type,omitempty"`
		Size        int64  `json:"size,omitempty"`
		Note        string `json:"note"`
	}{"link", a.Name, a.ContentType, a.Size, "The mail links to a file in a cloud storage. Its content is not part of the mail."}, "", "  ")
	stand := attachment{Name: a.Name + ".link.json", ContentType: "application/json"}
	header, _ := stand.header()
	var b strings.Builder
	b.WriteString(header)
	_, _ = io.Copy(&b, &base64Lines{src: strings.NewReader(string(text) + "\n")}) // a reader in memory
	return b.String()
}
