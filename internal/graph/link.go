package graph

import (
	"errors"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/vaguemestre/vaguemestre"
)

// ErrLink is why a link that Graph gave was not followed: it leads to another origin.
var ErrLink = errors.New("the link leads away from the configured Graph host: refused, since the token would go along")

// errUpload is why nothing was sent to an uploadUrl.
var errUpload = errors.New("the upload address is no https address of Microsoft's or of the configured Graph host: refused, since the document would go there")

// Seg escapes one segment of a path: an id, an address.
func Seg(s string) string {
	if s == "." || s == ".." { // would be cleaned away
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

// target is where r goes.
func (c *Client) target(p *place, r *Request) (*url.URL, error) {
	if r.Link != "" {
		return pin(p.root, r.Link)
	}
	prefix := ""
	if !r.Absolute {
		var err error
		if prefix, err = c.prefix(); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(p.root.String() + prefix + r.Path)
	if err != nil {
		return nil, &vaguemestre.Error{Op: "graph: " + r.Op, Class: vaguemestre.ClassConfig, Err: errors.New("the path of the request is not valid")}
	}
	// OData wants %20 for a space, and its names of options are easier to read with a $.
	u.RawQuery = strings.NewReplacer("+", "%20", "%24", "$").Replace(r.Query.Encode())
	return u, nil
}

// prefix is the mailbox as the beginning of a path.
func (c *Client) prefix() (string, error) {
	switch {
	case c.mailbox == "" && c.account.application():
		// With an application grant nobody is "me" (learn.microsoft.com/graph/api/user-get).
		return "", &vaguemestre.Error{Op: "graph: mailbox", Class: vaguemestre.ClassConfig,
			Err: errors.New("the account stands for an application, which has no mailbox of its own: name the mailbox")}
	case c.mailbox == "":
		return "/me", nil
	case strings.HasPrefix(c.mailbox, "$"):
		// learn.microsoft.com/graph/api/user-get: "$" cannot begin the segment.
		return "/users('" + Seg(strings.ReplaceAll(c.mailbox, "'", "''")) + "')", nil
	}
	return "/users/" + Seg(c.mailbox), nil
}

// maxLink bounds a link; tokens of delta links come to some kB.
const maxLink = 32 << 10

// pin reads a link of Graph's and returns it on the configured origin, or [ErrLink]: the
// scheme, host and port must be those of root, and its path must lie below. Whatever it
// says, the result has root's own scheme and host.
func pin(root *url.URL, link string) (*url.URL, error) {
	u, err := strictURL(link)
	if err != nil || !strings.EqualFold(u.Scheme, root.Scheme) || hostPort(u) != hostPort(root) {
		return nil, ErrLink
	}
	raw := u.EscapedPath()
	if low := strings.ToLower(raw); strings.Contains(low, "%2e") || strings.Contains(low, "%5c") || strings.Contains(low, "%00") {
		return nil, ErrLink
	}
	// An id may hold "//", escaped; nothing may lead upwards, escaped or not.
	if !strings.HasPrefix(raw, root.EscapedPath()+"/") || path.Clean(raw) != strings.TrimSuffix(raw, "/") ||
		slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return nil, ErrLink
	}
	out := *root
	out.Path, out.RawPath, out.RawQuery = u.Path, u.RawPath, u.RawQuery
	return &out, nil
}

// strictURL takes absolute URLs that every reader reads alike.
func strictURL(s string) (*url.URL, error) {
	if s == "" || len(s) > maxLink || strings.ContainsAny(s, "\\#") {
		return nil, errors.New("refused")
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return nil, errors.New("refused")
		}
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("refused") // its text holds the link
	}
	if u.Scheme == "" || u.Opaque != "" || u.User != nil || u.Host == "" || strings.ContainsAny(u.Host, "@%") {
		return nil, errors.New("refused")
	}
	return u, nil
}

// hostPort is the authority with the port that its scheme stands for.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		switch strings.ToLower(u.Scheme) {
		case "https":
			port = "443"
		case "http":
			port = "80"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// uploadHosts are where Exchange Online takes large attachments, over all clouds:
// learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges.
var uploadHosts = [...]string{".office.com", ".office365.com", ".office365.us", ".outlook.com", ".outlook.cn"}

// uploadTarget checks an uploadUrl.
func uploadTarget(root *url.URL, link string) (*url.URL, error) {
	u, err := strictURL(link)
	if err != nil {
		return nil, errUpload
	}
	if strings.EqualFold(u.Scheme, root.Scheme) && hostPort(u) == hostPort(root) {
		return u, nil
	}
	if !strings.EqualFold(u.Scheme, "https") {
		return nil, errUpload
	}
	host := strings.ToLower(u.Hostname())
	if loopback(root.Hostname()) {
		if loopback(host) {
			return u, nil
		}
		return nil, errUpload
	}
	if u.Port() == "" || u.Port() == "443" {
		for _, suffix := range uploadHosts {
			if strings.HasSuffix(host, suffix) {
				return u, nil
			}
		}
	}
	return nil, errUpload
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
}
