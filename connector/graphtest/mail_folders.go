package graphtest

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// listFolders lists the children of a folder, or of the root (user-list-mailfolders,
// mailfolder-list-childfolders).
func (s *Server) listFolders(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	q, f := parseQuery(r.URL.Query(), nil)
	if f != nil {
		return 0, nil, f
	}
	b := c.mailbox
	b.lock()
	defer b.mu.Unlock()
	parent := b.root
	if id, ok := c.vars["folder"]; ok {
		if parent, f = b.folderOf(id); f != nil {
			return 0, nil, f
		}
	}
	hidden := strings.EqualFold(q.values.Get("includehiddenfolders"), "true")
	found := []object{}
	for _, child := range parent.children {
		if child.hidden && !hidden {
			continue
		}
		o := child.object()
		if q.filter == nil || q.filter.match(func(path string) any { return value(o, path) }) {
			found = append(found, only(o, q.fields))
		}
	}
	list, next := paged(found, q.skip, q.top, s.o.PageSize)
	out := object{"@odata.context": s.context(b, "mailFolders"), "value": list}
	if q.count {
		out["@odata.count"] = len(found)
	}
	if next > 0 {
		out["@odata.nextLink"] = s.nextLink(r, q, next)
	}
	return http.StatusOK, out, nil
}

// only leaves of o what $select names, and the id.
func only(o object, fields []string) object {
	if fields == nil {
		return o
	}
	out := object{}
	for name, v := range o {
		if name == "id" || slices.Contains(fields, strings.ToLower(name)) {
			out[name] = v
		}
	}
	return out
}

func (s *Server) getFolder(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	q, f := parseQuery(r.URL.Query(), nil)
	if f != nil {
		return 0, nil, f
	}
	c.mailbox.lock()
	defer c.mailbox.mu.Unlock()
	in, f := c.mailbox.folderOf(c.vars["folder"])
	if f != nil {
		return 0, nil, f
	}
	o := only(in.object(), q.fields)
	o["@odata.context"] = s.context(c.mailbox, "mailFolders/$entity")
	return http.StatusOK, o, nil
}

// createFolder makes a folder below another, or below the root (user-post-mailfolders).
func (s *Server) createFolder(w http.ResponseWriter, r *http.Request, c *request) (int, any, *fault) {
	var in struct {
		Name   string `json:"displayName"`
		Hidden bool   `json:"isHidden"`
		Type   any    `json:"@odata.type"`
	}
	if f := decode(c.body, &in); f != nil {
		return 0, nil, f
	}
	if strings.TrimSpace(in.Name) == "" || utf8.RuneCountInString(in.Name) > 255 {
		return 0, nil, bad("ErrorInvalidRequest", "A folder needs a displayName of at most 255 characters.")
	}
	b := c.mailbox
	b.lock()
	defer b.mu.Unlock()
	parent := b.root
	if id, ok := c.vars["folder"]; ok {
		var f *fault
		if parent, f = b.folderOf(id); f != nil {
			return 0, nil, f
		}
	}
	if parent.child(in.Name) != nil {
		return 0, nil, &fault{http.StatusConflict, "ErrorFolderExists", "A folder with the specified name already exists."}
	}
	made := b.addFolder(parent, in.Name)
	made.hidden = in.Hidden
	o := made.object()
	o["@odata.context"] = s.context(b, "mailFolders/$entity")
	return http.StatusCreated, o, nil
}
