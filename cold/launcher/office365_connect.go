package launcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

// graphSession is an open folder of a mailbox. There is no connection: requests come and go.
type graphSession struct {
	l        Office365
	log      *slog.Logger
	readOnly bool

	account auth.Account
	client  *graph.Client
	address string // "" is the account's own mailbox
	epoch   string
	folder  graph.Folder
	over    error // why the session is over

	waits    time.Duration // shorter in tests
	walk     walk
	full     []cold.Item     // what ListingFull found
	fullMark string          // of that listing, in its cursors
	fresh    map[string]bool // keys that were listed just now: they lie in the folder
}

// Connect implements [cold.Launcher]: it gets a token and finds the mailbox and its folder.
//
// The account's own mailbox is known by the id that /me tells, also if Mailbox names it, so
// that its messages have the same keys either way; another one by its address.
func (l *Office365) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	s := &graphSession{l: *l, log: discard, waits: waits}
	if o != nil {
		s.readOnly = o.ReadOnly
		if o.Logger != nil {
			s.log = o.Logger
		}
	}
	if err := s.connect(ctx, nil); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *graphSession) connect(ctx context.Context, r *reporter) error {
	if err := s.ended(ctx, nil); err != nil {
		return err
	}
	if err := s.l.valid(); err != nil {
		return r.done("settings", "", err)
	}
	for _, part := range []func(context.Context, *reporter) error{s.authenticate, s.identify, s.enter} {
		r.begin()
		if err := part(ctx, r); err != nil {
			return s.ended(ctx, err)
		}
	}
	return nil
}

func (s *graphSession) options() *graph.Options {
	return &graph.Options{Timeout: s.l.timeout(), Logger: s.log, Sleep: s.l.hooks.Sleep, Now: s.l.hooks.Now}
}

// authenticate gets a token.
func (s *graphSession) authenticate(ctx context.Context, r *reporter) error {
	account, err := s.l.accounts.Resolve(s.l.Account)
	if err == nil {
		s.account = account
		_, err = account.Token(ctx, auth.Graph)
	}
	if err != nil {
		return r.done("token", "", graphError("token", err))
	}
	return r.done("token", "the account "+quote(account.Name())+" has a token", nil)
}

// identify finds whose mailbox it is.
func (s *graphSession) identify(ctx context.Context, r *reporter) error {
	root, err := rootOf(s.account)
	if err != nil {
		return r.done("mailbox", "", err)
	}
	s.address = s.l.address()
	name, whose := s.address, "the mailbox "+quote(s.address)
	if !isApplication(s.account) {
		own, err := graph.New(s.account, "", s.options())
		if err != nil {
			return r.done("mailbox", "", graphError("mailbox", err))
		}
		var me struct {
			ID        string `json:"id"`
			Mail      string `json:"mail"`
			Principal string `json:"userPrincipalName"`
		}
		err = own.JSON(ctx, &graph.Request{Op: "me", Path: "/me", Absolute: true,
			Query: url.Values{"$select": {"id,mail,userPrincipalName"}}}, &me)
		switch {
		case err == nil && me.ID != "" && (s.address == "" || strings.EqualFold(s.address, me.Mail) || strings.EqualFold(s.address, me.Principal)):
			s.address, name, s.client = "", me.ID, own
			whose = "the account's own mailbox, " + quote(cmp.Or(me.Mail, me.Principal))
		case err == nil && s.address != "":
		case err == nil:
			return r.done("mailbox", "", errOffice("mailbox", vaguemestre.ClassSource, "graph did not tell whose account this is; it is tried again later"))
		case s.address != "" && (kindOf(err) == graph.Missing || kindOf(err) == graph.Denied && !unauthorized(err)):
			// without User.Read nobody tells: it is taken for another's
		case kindOf(err) == graph.Denied && !unauthorized(err):
			e := graphError("mailbox", err)
			e.Err = fmt.Errorf("the account may not tell who it is: associate it again, with the permission User.Read, or name its mailbox: %w", err)
			return r.done("mailbox", "", e)
		default:
			return r.done("mailbox", "", s.denied("mailbox", err))
		}
	}
	if s.client == nil {
		if s.client, err = graph.New(s.account, s.address, s.options()); err != nil {
			return r.done("mailbox", "", graphError("mailbox", err))
		}
	}
	s.epoch = mailboxURL(root, name)
	return r.done("mailbox", whose, nil)
}

func unauthorized(err error) bool {
	var f *graph.Fault
	return errors.As(err, &f) && f.Status == http.StatusUnauthorized
}

// rootOf is where the account's Graph is.
func rootOf(a auth.Account) (*url.URL, error) {
	m, ok := a.Provider().(*auth.Microsoft)
	if !ok {
		return nil, errOffice("account", vaguemestre.ClassConfig, "the account %s is no Microsoft account: choose one", quote(a.Name()))
	}
	root, _, err := m.Graph()
	if err != nil {
		return nil, graphError("account", err)
	}
	return root, nil
}

// enter finds the folder.
func (s *graphSession) enter(ctx context.Context, r *reporter) error {
	path := s.l.source()
	folder, err := s.client.Folder(ctx, path)
	switch {
	case err == nil:
		s.folder = folder
		return r.done("folder", folderDetail(folder), nil)
	case noMailbox(err):
		e := graphError("mailbox", err)
		e.Class = vaguemestre.ClassConfig
		e.Err = fmt.Errorf("this mailbox cannot be reached through Graph: check its address; it must be in Exchange Online, with a licence unless it is shared: %w", err)
		return r.done("folder", "", e)
	case kindOf(err) == graph.Missing:
		e := graphError("folder", err)
		e.Class = vaguemestre.ClassConfig
		e.Err = fmt.Errorf("the folder %s does not exist%s: %w", quote(path), s.siblings(ctx, path), err)
		return r.done("folder", "", e)
	case kindOf(err) == graph.Invalid:
		e := graphError("folder", err)
		e.Class = vaguemestre.ClassConfig
		return r.done("folder", "", e)
	}
	return r.done("folder", "", s.denied("folder", err))
}

// siblings tells what exists where the path ends: the error of a missing folder names it.
func (s *graphSession) siblings(ctx context.Context, path string) string {
	where, request := "the mailbox", "/mailFolders"
	for {
		i := strings.LastIndexByte(path, '/')
		if i <= 0 {
			break
		}
		path = path[:i]
		if f, err := s.client.Folder(ctx, path); err == nil {
			where, request = quote(path), "/mailFolders/"+graph.Seg(f.ID)+"/childFolders"
			break
		} else if kindOf(err) != graph.Missing {
			return ""
		}
	}
	var list struct {
		Value []graph.Folder `json:"value"`
	}
	err := s.client.JSON(ctx, &graph.Request{Op: "folders", Path: request, Query: url.Values{"$top": {"50"}, "$select": {"id,displayName"}}}, &list)
	if err != nil {
		return ""
	}
	if len(list.Value) == 0 {
		return ": " + where + " has no folders"
	}
	var names []string
	for _, f := range list.Value[:min(len(list.Value), 30)] {
		names = append(names, f.Name)
	}
	return ": " + where + " has " + quoteList(names)
}

// Close implements [cold.Session]; there is nothing to close.
func (s *graphSession) Close() error {
	s.over = errOffice("session", vaguemestre.ClassSource, "it was closed: connect again")
	return nil
}
