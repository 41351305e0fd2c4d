package graphtest

import (
	"net/url"
	"strings"
)

// target is what a request asks for, by its method and path alone.
type target struct {
	entra  bool
	upload bool
	op     string            // "" is nothing that is served here
	need   string            // permission
	tenant string            // of entra, as it stands in the path
	user   string            // of Graph: whose mailbox, "me" or what stands behind "users"
	vars   map[string]string // see request
	wrong  bool              // the path is known, not with this method
	bad    bool              // the path cannot be read
	lost   string            // the segment that is not known
}

// entraPaths are those below a tenant, in lower case.
var entraPaths = map[string]string{
	"oauth2/v2.0/devicecode":                "devicecode",
	"oauth2/v2.0/token":                     "token",
	"oauth2/v2.0/authorize":                 "authorize",
	"v2.0/.well-known/openid-configuration": "discovery",
	"discovery/v2.0/keys":                   "keys",
	"discovery/instance":                    "instance",
}

// targetOf reads a path as it was sent, with its escapes: an id may hold an escaped slash.
func targetOf(method, escaped string) target {
	segs, ok := segments(escaped)
	switch {
	case !ok:
		return target{bad: true}
	case len(segs) == 1 && strings.EqualFold(segs[0], "devicelogin"):
		return target{entra: true, op: "devicelogin"}
	case len(segs) > 0 && strings.EqualFold(segs[0], "v1.0"):
		return graphTarget(method, segs[1:])
	case len(segs) > 0 && strings.EqualFold(segs[0], "beta"):
		return target{lost: "beta"} // a client that asks for it depends on what may change
	case len(segs) > 1:
		if op := entraPaths[strings.ToLower(strings.Join(segs[1:], "/"))]; op != "" {
			return target{entra: true, op: op, tenant: segs[0]}
		}
	}
	return target{lost: strings.Join(segs, "/")}
}

func graphTarget(method string, segs []string) target {
	var t target
	switch {
	case len(segs) == 1 && strings.EqualFold(segs[0], "$batch"):
		if method != "POST" {
			return target{wrong: true}
		}
		return target{op: "batch", user: "me"}
	case len(segs) >= 1 && strings.EqualFold(segs[0], "me"):
		t.user, segs = "me", segs[1:]
	case len(segs) >= 2 && strings.EqualFold(segs[0], "users"):
		t.user, segs = segs[1], segs[2:]
		if strings.EqualFold(t.user, "me") { // "/users/me" is a user of that name, who is not there
			t.user += " "
		}
	default:
		return target{lost: strings.Join(segs, "/")}
	}
	t.vars = map[string]string{}
	segs = t.fold(segs)
	for _, r := range routes {
		if !t.match(r.pattern, segs) {
			continue
		}
		if r.method != method {
			t.wrong = true
			continue
		}
		t.op, t.need, t.wrong = r.op, r.need, false
		if t.op == "me" && t.user != "me" {
			t.op = "users.get"
		}
		return t
	}
	if !t.wrong {
		t.lost = strings.Join(segs, "/")
	}
	return t
}

// fold takes the folder out of the path of what lies in it, and of its parents.
func (t *target) fold(segs []string) []string {
	if len(segs) < 2 || !strings.EqualFold(segs[0], "mailFolders") {
		return segs
	}
	folder, rest := segs[1], segs[2:]
	for len(rest) >= 2 && strings.EqualFold(rest[0], "childFolders") {
		folder, rest = rest[1], rest[2:]
	}
	t.vars["folder"] = folder
	if len(rest) > 0 && strings.EqualFold(rest[0], "messages") {
		return rest
	}
	return append([]string{"mailFolders", folder}, rest...)
}

func (t *target) match(pattern string, segs []string) bool {
	var parts []string
	if pattern != "" {
		parts = strings.Split(pattern, "/")
	}
	if len(parts) != len(segs) {
		return false
	}
	vars := map[string]string{}
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			vars[strings.Trim(p, "{}")] = segs[i]
		} else if !strings.EqualFold(p, segs[i]) {
			return false
		}
	}
	for k, v := range vars {
		t.vars[k] = v
	}
	return true
}

// collections may be written as functions: users('a@example.org'), mailFolders('inbox').
var collections = map[string]bool{"users": true, "mailfolders": true, "childfolders": true, "messages": true, "attachments": true}

// segments splits and decodes a path.
func segments(escaped string) ([]string, bool) {
	var out []string
	for _, raw := range strings.Split(strings.Trim(escaped, "/"), "/") {
		seg, err := url.PathUnescape(raw)
		if err != nil || len(out) > 32 {
			return nil, false
		}
		if name, rest, ok := strings.Cut(seg, "('"); ok && strings.HasSuffix(rest, "')") && collections[strings.ToLower(name)] {
			out = append(out, name, strings.ReplaceAll(strings.TrimSuffix(rest, "')"), "''", "'"))
			continue
		}
		switch strings.ToLower(seg) {
		case "delta()", "microsoft.graph.delta", "microsoft.graph.delta()":
			seg = "delta"
		}
		out = append(out, seg)
	}
	return out, true
}
