package launcher

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/text/unicode/norm"

	"github.com/vaguemestre/vaguemestre"
)

// naming is how the server writes the names of folders.
type naming struct {
	known  bool
	delim  string // "" where folders have no folders
	prefix string // of the account's own folders: "INBOX.", usually ""
}

// canonical writes INBOX in capitals: its name has no case (RFC 9051 section 5.1).
func canonical(name string) string {
	if strings.EqualFold(name, "INBOX") {
		return "INBOX"
	}
	return name
}

// naming asks for the delimiter and the prefix once a connection.
func (s *session) naming(ctx context.Context) (naming, error) {
	if s.names.known {
		return s.names, nil
	}
	n := naming{known: true}
	if s.c.has("NAMESPACE") {
		data, err := s.c.client.Namespace().Wait()
		if a, said := libraryError(err); err != nil && !said {
			return n, s.lost(ctx, "namespace", err)
		} else if err != nil {
			s.log.Debug("imap: no namespace", "status", a.status)
		} else if len(data.Personal) > 0 {
			n.prefix = data.Personal[0].Prefix
			if data.Personal[0].Delim != 0 {
				n.delim = string(data.Personal[0].Delim)
			}
		}
	}
	if n.delim == "" {
		rows, err := s.c.client.List("", "", nil).Collect() // RFC 9051 section 6.3.9: gives the delimiter
		if _, said := libraryError(err); err != nil && !said {
			return n, s.lost(ctx, "list folders", err)
		}
		if len(rows) > 0 && rows[0].Delim != 0 {
			n.delim = string(rows[0].Delim)
		}
	}
	s.names = n
	return n, nil
}

// candidates are the names that the folder a person calls name may have on the server,
// the likeliest first.
func (n naming) candidates(name string) []string {
	var out []string
	add := func(c string) {
		c = canonical(c)
		for _, o := range out {
			if o == c {
				return
			}
		}
		out = append(out, c)
	}
	forms := []string{name}
	if n.delim != "" && n.delim != "/" && strings.Contains(name, "/") {
		// A person writes Factures/2026 whatever the server's delimiter is.
		forms = []string{strings.ReplaceAll(name, "/", n.delim), name}
	}
	for _, f := range forms {
		if n.prefix != "" && canonical(f) != "INBOX" && !hasPrefixFold([]byte(f), n.prefix) {
			add(n.prefix + f)
		}
		add(f)
	}
	return out
}

// folders lists the folders that can be opened.
func (s *session) folders(ctx context.Context) ([]string, error) {
	rows, err := s.c.client.List("", "*", nil).Collect()
	if err != nil {
		if a, said := libraryError(err); said {
			return nil, serverError("list folders", a)
		}
		return nil, s.lost(ctx, "list folders", err)
	}
	var out []string
	for _, r := range rows {
		open := true
		for _, a := range r.Attrs {
			if strings.EqualFold(string(a), string(imap.MailboxAttrNoSelect)) || strings.EqualFold(string(a), string(imap.MailboxAttrNonExistent)) {
				open = false
			}
		}
		if open {
			out = append(out, canonical(r.Mailbox))
		}
	}
	sort.Strings(out)
	return out, nil
}

// fold makes names comparable that a person takes for the same: case, and é written as
// one character or as two.
func (n naming) fold(name string) string {
	name = norm.NFC.String(name)
	if len(n.prefix) > 0 && hasPrefixFold([]byte(name), n.prefix) {
		name = name[len(n.prefix):]
	}
	if n.delim != "" {
		name = strings.ReplaceAll(name, n.delim, "/")
	}
	return strings.ToLower(name)
}

// same finds the one folder among all that a person would call name; "" if there is
// none or more than one.
func (n naming) same(name string, all []string) string {
	found := ""
	for _, f := range all {
		if n.fold(f) == n.fold(name) {
			if found != "" {
				return ""
			}
			found = f
		}
	}
	return found
}

// nearest are up to ten folders, those that resemble name first.
func (n naming) nearest(name string, all []string) []string {
	want := n.fold(name)
	sorted := append([]string(nil), all...)
	sort.SliceStable(sorted, func(i, j int) bool {
		return distance(want, n.fold(sorted[i])) < distance(want, n.fold(sorted[j]))
	})
	return sorted[:min(len(sorted), 10)]
}

// distance is the number of changes that make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 100 || len(y) > 100 {
		return 1000
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(y); j++ {
			up := row[j]
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(row[j]+1, row[j-1]+1, diag+cost)
			diag = up
		}
	}
	return row[len(y)]
}

// open selects the source folder, by the first of its possible names that the server
// knows. It fills s.c.state and s.epoch.
func (s *session) open(ctx context.Context) error {
	name := s.l.source()
	if s.folder != "" { // known from an earlier connection
		a, err := s.choose(ctx, s.folder)
		if err == nil && !a.ok() {
			return serverError("open folder", a)
		}
		return err
	}
	if a, err := s.choose(ctx, canonical(name)); err != nil || a.ok() {
		return err
	} else if yes, _ := temporary(a); yes || canonical(name) == "INBOX" {
		return serverError("open folder", a)
	}
	n, err := s.naming(ctx)
	if err != nil {
		return err
	}
	for _, c := range n.candidates(name) {
		if c == canonical(name) {
			continue
		}
		if a, err := s.choose(ctx, c); err != nil || a.ok() {
			return err
		} else if yes, _ := temporary(a); yes {
			return serverError("open folder", a)
		}
	}
	all, err := s.folders(ctx)
	if err != nil {
		return err
	}
	if f := n.same(name, all); f != "" {
		a, err := s.choose(ctx, f)
		if err != nil || a.ok() {
			return err
		}
		return serverError("open folder", a) // it exists, and the server will not open it
	}
	e := errIMAP("open folder", vaguemestre.ClassConfig, "%s does not exist: set source to one of the account's folders: %s",
		quote(name), quoteList(n.nearest(name, all)))
	e.Code = "NONEXISTENT"
	return e
}

func quoteList(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = quote(n)
	}
	return strings.Join(q, ", ")
}

// choose sends SELECT, or EXAMINE in a read-only session.
func (s *session) choose(ctx context.Context, name string) (answer, error) {
	return s.enter(ctx, name, s.readOnly)
}

func (s *session) enter(ctx context.Context, name string, readOnly bool) (answer, error) {
	s.patient(true)
	defer s.patient(false)
	data, err := s.c.client.Select(name, &imap.SelectOptions{ReadOnly: readOnly}).Wait()
	if err != nil {
		if a, said := libraryError(err); said {
			return a, nil
		}
		return answer{}, s.lost(ctx, "open folder", err)
	}
	s.c.state = folderState{name: name, validity: data.UIDValidity}
	s.c.exists = data.NumMessages
	for _, f := range data.PermanentFlags {
		s.c.state.permanent = append(s.c.state.permanent, string(f))
	}
	s.c.state.readOnly = readOnly || s.c.g.lastAnswer().codeWord() == "READ-ONLY"
	return answer{status: "OK"}, nil
}

// target finds or makes the folder that mails are moved to, and returns its name on the
// server.
func (s *session) target(ctx context.Context, name string) (string, error) {
	if t := s.targets[name]; t != "" {
		return t, nil
	}
	n, err := s.naming(ctx)
	if err != nil {
		return "", err
	}
	all, err := s.folders(ctx)
	if err != nil {
		return "", err
	}
	found := ""
	for _, c := range n.candidates(name) {
		for _, f := range all {
			if f == c && found == "" {
				found = f
			}
		}
	}
	if found == "" {
		found = n.same(name, all)
	}
	if found == "" {
		if found, err = s.create(ctx, n.candidates(name)); err != nil {
			return "", err
		}
	}
	if found == s.folder {
		return "", errIMAP("move", vaguemestre.ClassConfig, "the target %s is the source itself: choose another folder", quote(name))
	}
	if s.targets == nil {
		s.targets = map[string]string{}
	}
	s.targets[name] = found
	return found, nil
}

// create makes the first of names that the server allows, and subscribes to it so that
// people see it.
func (s *session) create(ctx context.Context, names []string) (string, error) {
	var last answer
	for _, name := range names {
		err := s.c.client.Create(name, nil).Wait()
		a, said := libraryError(err)
		if err != nil && !said {
			return "", s.lost(ctx, "create folder", err)
		}
		if err != nil && a.codeWord() != "ALREADYEXISTS" {
			last = a
			continue
		}
		if err := s.c.client.Subscribe(name).Wait(); err != nil {
			if _, said := libraryError(err); !said {
				return "", s.lost(ctx, "subscribe to folder", err)
			}
		}
		return name, nil
	}
	e := serverError("create folder", last)
	e.Err = fmt.Errorf("%s cannot be made, make it by hand or choose another target: %w", quote(names[0]), e.Err)
	return "", e
}
