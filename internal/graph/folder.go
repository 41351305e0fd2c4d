package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Folder is a mail folder.
type Folder struct {
	ID       string `json:"id"`
	Name     string `json:"displayName"`
	Parent   string `json:"parentFolderId"`
	Children int    `json:"childFolderCount"`
	Total    int    `json:"totalItemCount"`
}

// wellKnown are names that stand for a folder in every language:
// learn.microsoft.com/graph/api/resources/mailfolder.
var wellKnown = []string{"archive", "clutter", "conflicts", "conversationhistory", "deleteditems", "drafts", "inbox",
	"junkemail", "localfailures", "msgfolderroot", "outbox", "recoverableitemsdeletions", "scheduled", "searchfolders",
	"sentitems", "serverfailures", "syncissues"}

// Bounds of a path and of a listing of folders.
const (
	maxPath  = 2000
	maxDepth = 50
	maxPages = 200 // of 100 folders
)

// Folder finds a folder by path: names as people see them, joined by "/", in any language and
// case; the first may be a well-known name ("inbox") or the name of a child of the root. A
// folder whose own name holds a "/" is found too, unless "A" lies there beside "A/B". A
// missing one is a Fault of kind Missing that names the part that is missing. What was found
// is remembered as long as the client is there.
func (c *Client) Folder(ctx context.Context, path string) (Folder, error) {
	return c.walk(ctx, path, false)
}

// MakeFolder is Folder, making what is missing.
func (c *Client) MakeFolder(ctx context.Context, path string) (Folder, error) {
	return c.walk(ctx, path, true)
}

func (c *Client) walk(ctx context.Context, path string, create bool) (Folder, error) {
	parts, err := split(path)
	if err != nil {
		return Folder{}, &Fault{Op: "folder", Kind: Invalid, Err: err}
	}
	var at Folder
	for i := 0; i < len(parts); i++ {
		key := same(strings.Join(parts[:i+1], "/"))
		if f, ok := c.recall(key); ok {
			at = f
			continue
		}
		f, err := c.step(ctx, parts, i, at)
		var fault *Fault
		if errors.As(err, &fault) && fault.Kind == Missing && fault.Status == 0 && i+1 < len(parts) {
			// Outlook lets a name hold a slash: "A/B" may be one folder.
			if g, n, serr := c.slashed(ctx, parts[i:], at); serr != nil || n > 0 {
				f, err, i = g, serr, i+n
				key = same(strings.Join(parts[:min(i+1, len(parts))], "/"))
			}
		}
		if errors.As(err, &fault) && fault.Kind == Missing && fault.Status == 0 && create {
			f, err = c.create(ctx, parts, i, at)
		}
		if err != nil {
			return Folder{}, err
		}
		c.mu.Lock()
		if c.folders == nil {
			c.folders = map[string]Folder{}
		}
		c.folders[key] = f
		c.mu.Unlock()
		at = f
	}
	return at, nil
}

func (c *Client) recall(key string) (Folder, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.folders[key]
	return f, ok
}

func split(path string) ([]string, error) {
	if len(path) > maxPath {
		return nil, errors.New("the path of the folder is too long")
	}
	var parts []string
	for p := range strings.SplitSeq(path, "/") {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	switch {
	case len(parts) == 0:
		return nil, errors.New("no folder is named")
	case len(parts) > maxDepth:
		return nil, errors.New("the path of the folder is too deep")
	}
	return parts, nil
}

// below is the path of the folders within f; of the root if f is none.
func below(f Folder) string {
	if f.ID == "" {
		return "/mailFolders"
	}
	return "/mailFolders/" + Seg(f.ID) + "/childFolders"
}

// step finds part i of a path within at.
func (c *Client) step(ctx context.Context, parts []string, i int, at Folder) (Folder, error) {
	name := parts[i]
	if i == 0 && slices.Contains(wellKnown, strings.ToLower(name)) {
		var f Folder
		err := c.JSON(ctx, &Request{Op: "folder", Path: "/mailFolders/" + strings.ToLower(name)}, &f)
		var fault *Fault
		if err == nil && f.ID != "" {
			return f, nil
		}
		// A mailbox has not all of them, and may have a folder that is called so. A mailbox
		// that does not exist answers 404 too, and says it again below.
		if err != nil && (!errors.As(err, &fault) || fault.Kind != Missing) {
			return Folder{}, err
		}
	}
	// The filter spares the listing; it may see case and accents otherwise than people do.
	for _, filter := range []string{"displayName eq '" + strings.ReplaceAll(name, "'", "''") + "'", ""} {
		f, ok, err := c.search(ctx, at, name, filter)
		var fault *Fault
		if filter != "" && errors.As(err, &fault) && fault.Kind == Invalid && fault.Status == http.StatusBadRequest {
			continue // a name that the filter cannot hold
		}
		if err != nil || ok {
			return f, err
		}
	}
	where := "the mailbox"
	if i > 0 {
		where = fmt.Sprintf("%q", strings.Join(parts[:i], "/"))
	}
	return Folder{}, &Fault{Op: "folder", Kind: Missing, Err: fmt.Errorf("there is no folder %q in %s", name, where)}
}

// slashed looks within at for one folder whose name is made of the first parts and slashes,
// as many as fit. more is how many parts beyond the first it took; 0 is none.
func (c *Client) slashed(ctx context.Context, parts []string, at Folder) (f Folder, more int, err error) {
	for n := len(parts); n > 1; n-- {
		f, ok, err := c.search(ctx, at, strings.Join(parts[:n], "/"), "")
		if err != nil || ok {
			return f, n - 1, err
		}
	}
	return Folder{}, 0, nil
}

// same is a name without what people do not see: case, blanks around it (also around a
// slash), and which of Unicode's forms it has.
func same(name string) string {
	parts := strings.Split(norm.NFC.String(name), "/")
	for i := range parts {
		parts[i] = strings.ToLower(strings.TrimSpace(parts[i]))
	}
	return strings.Join(parts, "/")
}

// search looks for name in the listing of the folders within at.
func (c *Client) search(ctx context.Context, at Folder, name, filter string) (Folder, bool, error) {
	q := url.Values{"$top": {"100"}, "$select": {"id,displayName,parentFolderId,childFolderCount,totalItemCount"}}
	if filter != "" {
		q.Set("$filter", filter)
	}
	r := &Request{Op: "folders", Path: below(at), Query: q}
	var second Folder
	for range maxPages {
		var page struct {
			Value []struct {
				Type string `json:"@odata.type"`
				Folder
			} `json:"value"`
			Next string `json:"@odata.nextLink"`
		}
		if err := c.JSON(ctx, r, &page); err != nil {
			return Folder{}, false, err
		}
		for _, f := range page.Value {
			if f.ID == "" || strings.HasSuffix(f.Type, "mailSearchFolder") { // a view, which holds nothing itself
				continue
			}
			if f.Name == name {
				return f.Folder, true, nil
			}
			if second.ID == "" && same(f.Name) == same(name) {
				second = f.Folder
			}
		}
		if page.Next == "" {
			return second, second.ID != "", nil
		}
		r = &Request{Op: "folders", Link: page.Next}
	}
	return Folder{}, false, &Fault{Op: "folders", Kind: Garbage, Err: errors.New("the listing of folders has no end")}
}

// create makes part i of a path within at. Somebody else may have made it meanwhile.
func (c *Client) create(ctx context.Context, parts []string, i int, at Folder) (Folder, error) {
	var f Folder
	err := c.JSON(ctx, &Request{Op: "make folder", Method: http.MethodPost, Path: below(at),
		JSON: map[string]string{"displayName": parts[i]}}, &f)
	var fault *Fault
	if errors.As(err, &fault) && (fault.Kind == Conflict || fault.Code == "ErrorFolderExists") {
		if f, again := c.step(ctx, parts, i, at); again == nil {
			return f, nil
		}
	}
	if err == nil && f.ID == "" {
		err = &Fault{Op: "make folder", Kind: Garbage, Err: errors.New("the folder that was made has no id")}
	}
	return f, err
}
