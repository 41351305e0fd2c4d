package launcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
	"github.com/vaguemestre/vaguemestre/internal/graph"
)

func connect(t testing.TB, l *Office365) *graphSession {
	t.Helper()
	s, err := l.Connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*graphSession)
}

// listAll reads pages from cursor on and returns the ids and the last cursor.
func listAll(t testing.TB, s cold.Session, cursor string) (items []cold.Item, last string) {
	t.Helper()
	for range 1000 {
		p, err := s.List(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		items, cursor = append(items, p.Items...), p.Cursor
		if !p.More {
			return items, cursor
		}
	}
	t.Fatal("the listing does not end")
	return nil, ""
}

func keys(items []cold.Item) map[string]int {
	out := map[string]int{}
	for _, it := range items {
		out[it.Key]++
	}
	return out
}

func TestOffice365DeltaTellsWhatHasChangedSince(t *testing.T) {
	t.Parallel()
	c := startCloud(t, &graphtest.Options{PageSize: 3})
	box, l := c.mailbox("delta")
	ids := box.DeliverAll("inbox", invoices(10))
	s := connect(t, l)
	all, cursor := listAll(t, s, "")
	if k := keys(all); len(k) != 10 || k[s.key(ids[0])] == 0 {
		t.Fatalf("10 wait, listed are %v", k)
	}
	s = connect(t, l) // the next run
	if items, _ := listAll(t, s, cursor); len(items) != 0 {
		t.Errorf("nothing has changed, and %d are listed", len(items))
	}
	box.Move(ids[1], "archive")
	box.Remove(ids[2])
	fresh := box.Deliver("inbox", invoice(10))
	items, next := listAll(t, s, cursor)
	if k := keys(items); len(k) != 1 || k[s.key(fresh)] != 1 {
		t.Errorf("one is new, one was moved and one removed: %v", k)
	}
	box.Move(ids[1], "inbox")
	if items, _ := listAll(t, s, next); len(items) != 1 || items[0].Key != s.key(ids[1]) {
		t.Errorf("one came back under its old key %s: %v", s.key(ids[1]), items)
	}
	for _, it := range all {
		if it.Size != -1 || it.Time.IsZero() || it.Epoch != s.epoch || !strings.HasPrefix(it.Key, it.Epoch+"/") {
			t.Errorf("%+v", it)
		}
	}
}

func TestOffice365ListsAnewWhenGraphHasForgottenThePlace(t *testing.T) {
	t.Parallel()
	c := startCloud(t, &graphtest.Options{PageSize: 3})
	box, l := c.mailbox("gone")
	box.DeliverAll("inbox", invoices(10))
	s := connect(t, l)
	_, cursor := listAll(t, s, "")
	box.ForgetDelta()
	if items, _ := listAll(t, connect(t, l), cursor); len(keys(items)) != 10 {
		t.Errorf("after a forgotten delta token %d of 10 are listed", len(keys(items)))
	}
	// In the middle of a listing.
	s = connect(t, l)
	p, err := s.List(t.Context(), "")
	if err != nil || !p.More {
		t.Fatal(p, err)
	}
	box.ForgetDelta()
	if items, _ := listAll(t, s, p.Cursor); len(keys(items)) != 10 {
		t.Errorf("after a forgotten skip token %d of 10 are listed", len(keys(items)))
	}
	// A server that forgets always is no reason to go on for ever.
	for range 10 {
		box.ForgetDelta()
		if p, err = s.List(t.Context(), p.Cursor); err != nil {
			break
		}
	}
	if vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
		t.Errorf("always 410: %v", err)
	}
}

func TestOffice365TakesACursorOfAnotherPlaceForNone(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("here")
	box.DeliverAll("inbox", invoices(3))
	box.DeliverAll("Factures", invoices(2))
	_, cursor := listAll(t, connect(t, l), "")

	other := *l
	other.Source = "Factures"
	if items, _ := listAll(t, connect(t, &other), cursor); len(items) != 2 {
		t.Errorf("in another folder it gives %d of 2", len(items))
	}
	box2, there := c.mailbox("there")
	box2.DeliverAll("inbox", invoices(4))
	if items, _ := listAll(t, connect(t, there), cursor); len(items) != 4 {
		t.Errorf("in another mailbox it gives %d of 4", len(items))
	}
	whole := *l
	whole.Listing = ListingFull
	if items, last := listAll(t, connect(t, &whole), cursor); len(items) != 3 || last != "" {
		t.Errorf("another listing gives %d of 3, and the cursor %q", len(items), last)
	}
	// One that is spoilt within the right place.
	s := connect(t, l)
	for _, link := range []string{"https://evil.example/v1.0/x", "x", c.URL + "/v1.0/me/messages/delta?$deltatoken=none", c.URL + "/v1.0/nowhere"} {
		if items, _ := listAll(t, connect(t, l), s.cursorTag()+link); len(items) != 3 {
			t.Errorf("%s gives %d of 3", link, len(items))
		}
	}
}

// answer makes a page of a listing.
func pageOf(value any, next, delta string) *graphtest.Reply {
	m := map[string]any{"value": value}
	if next != "" {
		m["@odata.nextLink"] = next
	}
	if delta != "" {
		m["@odata.deltaLink"] = delta
	}
	b, _ := json.Marshal(m)
	return &graphtest.Reply{Status: 200, Body: b, Header: http.Header{"Content-Type": {"application/json"}}}
}

func TestOffice365FollowsNoLinkElsewhere(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer evil.Close()
	c := startCloud(t, nil)
	host := strings.TrimPrefix(c.URL, "https://")
	name, port, _ := net.SplitHostPort(host)
	p := "/v1.0/users/x@mondaine.fr/messages/delta?$skiptoken=a"
	hostile := []string{
		evil.URL + p, "http://" + host + p, "HTTP://" + host + p, "https://user@" + host + p, "https://user:pw@" + host + p,
		"https://" + host + "@evil.example" + p, "https://" + host + ".evil.example" + p, "https://evil.example/" + host + p,
		"https://" + name + ":1" + p, "https://" + name + p, "//" + host + p, p, "https:" + p, "https:///" + host + p,
		"https://" + host + "%2eevil.example" + p, "https://" + host + "\\@evil.example" + p, "https://evil.example#" + host + p, "https://evil.example?" + c.URL + p,
		c.URL + "/v1.0evil/messages", c.URL + "/beta/messages", c.URL + "/", c.URL, c.URL + "/v1.0/../beta/messages", c.URL + "/v1.0/%2e%2e/beta/messages",
		c.URL + "/v1.0/x\r\nHost: evil.example", c.URL + "/v1.0/ x", "javascript:alert(1)", "file:///etc/passwd", "ftp://" + host + p, "https://[::1]:" + port + p,
		"https://localhost:" + port + p, "https://0x7f000001:" + port + p, "https://127.1:" + port + p, "https://graph.microsoft.com.evil.example" + p,
		"https://graph.microsoft.com" + p, "ws" + strings.TrimPrefix(c.URL, "http") + p, c.URL + p + "#frag", " " + c.URL + p, "https://" + host + ":443" + p,
		strings.Repeat("a", 40<<10), c.URL + "/v1.0/" + strings.Repeat("a", 40<<10), "\x00",
	}
	for i, link := range hostile {
		for _, listing := range []Listing{ListingDelta, ListingFull} {
			for _, delta := range []bool{false, true} {
				if delta && listing == ListingFull {
					continue
				}
				box, l := c.mailbox(fmt.Sprintf("hostile%d%s%v", i, listing, delta))
				box.Deliver("inbox", invoice(1))
				l.Listing = listing
				s := connect(t, l)
				n := 0
				c.script(l.address(), func(call *graphtest.Call) *graphtest.Reply {
					n++
					if delta {
						return pageOf([]any{}, "", link)
					}
					return pageOf([]any{}, link, "")
				})
				page, err := s.List(t.Context(), "")
				c.script(l.address(), nil)
				if vaguemestre.ClassOf(err) != vaguemestre.ClassSource || page.Cursor != "" || n != 1 {
					t.Errorf("%s %v %.80q: %d requests, cursor %.80q, %v", listing, delta, link, n, page.Cursor, err)
				}
				if err != nil && (strings.Contains(err.Error(), "evil") || strings.Contains(err.Error(), "pw@")) {
					t.Errorf("the error quotes the link: %v", err)
				}
			}
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

func TestOffice365EndsAListingThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	link := func(s string) string { return c.URL + "/v1.0/users/x/messages/delta?$skiptoken=" + s }
	for name, next := range map[string]func(call *graphtest.Call) string{
		"the same link": func(*graphtest.Call) string { return link("a") },
		"A-B-A": func(call *graphtest.Call) string {
			return link(map[bool]string{true: "b", false: "a"}[strings.Contains(call.Query, "=a")])
		},
		"no link at all": func(*graphtest.Call) string { return "" },
	} {
		for _, listing := range []Listing{ListingDelta, ListingFull} {
			_, l := c.mailbox(strings.ReplaceAll(name, " ", "") + string(listing))
			l.Listing = listing
			s := connect(t, l)
			var n atomic.Int64
			c.script("", func(call *graphtest.Call) *graphtest.Reply {
				if !strings.Contains(call.Path, "messages") {
					return nil
				}
				n.Add(1)
				return pageOf([]any{}, next(call), "")
			})
			var err error
			p := cold.Page{More: true}
			for i := 0; err == nil && p.More && i < 50; i++ {
				p, err = s.List(t.Context(), p.Cursor)
			}
			c.script("", nil)
			if name == "no link at all" && listing == ListingFull {
				if err != nil {
					t.Errorf("a full listing ends without a link: %v", err)
				}
				continue
			}
			if vaguemestre.ClassOf(err) != vaguemestre.ClassSource || n.Load() > 4 {
				t.Errorf("%s, %s: %d requests and %v", name, listing, n.Load(), err)
			}
		}
	}
}

func TestOffice365ReadsOddPages(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	_, l := c.mailbox("odd")
	s := connect(t, l)
	list := func(value any) ([]cold.Item, error) {
		c.script(l.address(), func(*graphtest.Call) *graphtest.Reply { return pageOf(value, "", c.URL+"/v1.0/d?$deltatoken=1") })
		defer c.script(l.address(), nil)
		p, err := s.List(t.Context(), "")
		return p.Items, err
	}
	type m = map[string]any
	items, err := list([]m{
		{"id": "A=", "isRead": "true", "receivedDateTime": "2026-11-21T10:00:00.1234567Z"},
		{"id": "a=", "isRead": false, "receivedDateTime": "yesterday"},
		{"id": "A="},
		{"id": "draft", "isDraft": true},
		{"id": "gone", "@removed": m{"reason": "deleted"}},
		{"id": "x/y+z", "receivedDateTime": nil, "isRead": nil},
	})
	if err != nil || len(items) != 3 {
		t.Fatalf("%v, %v", items, err)
	}
	if !items[0].Seen || items[1].Seen || items[0].Time.IsZero() || !items[1].Time.IsZero() {
		t.Errorf("%+v", items)
	}
	if s.idOf(items[0].Key) != "A=" || s.idOf(items[1].Key) != "a=" || s.idOf(items[2].Key) != "x/y+z" {
		t.Errorf("ids come back as %q, %q, %q", s.idOf(items[0].Key), s.idOf(items[1].Key), s.idOf(items[2].Key))
	}
	for name, value := range map[string]any{"no id": []m{{"isRead": true}}, "a long id": []m{{"id": strings.Repeat("a", 5000)}}, "no list": 7, "a list of texts": []string{"a"}} {
		if _, err := list(value); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, key := range []string{"", "graph://elsewhere/x/A", s.epoch, s.epoch + "/", s.epoch + "/%zz", strings.ToUpper(s.epoch) + "/A"} {
		if id := s.idOf(key); id != "" {
			t.Errorf("the key %q gives the id %q", key, id)
		}
	}
	if !errors.Is(s.client.Trusts("https://evil.example/"), graph.ErrLink) {
		t.Error("an evil link is trusted")
	}
}

func TestOffice365DraftsAreCollectedFromTheirFolderAlone(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	_, l := c.mailbox("drafts")
	for _, source := range []string{"inbox", "drafts"} {
		l.Source = source
		s := connect(t, l)
		c.script(l.address(), func(*graphtest.Call) *graphtest.Reply {
			return pageOf([]any{map[string]any{"id": "d", "isDraft": true}}, "", c.URL+"/v1.0/d?$deltatoken=1")
		})
		p, err := s.List(t.Context(), "")
		c.script(l.address(), nil)
		if err != nil || len(p.Items) != map[string]int{"inbox": 0, "drafts": 1}[source] {
			t.Errorf("%s: %v, %v", source, p.Items, err)
		}
	}
}

// A run that was killed in the middle of a full listing leaves a cursor of that listing
// behind; the next one lists all, and its cursors are others.
func TestOffice365CursorOfAnInterruptedListing(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	box, l := c.mailbox("interrupted")
	l.Listing = ListingFull
	box.DeliverAll("inbox", invoices(graphPage+10))
	first, err := connect(t, l).List(t.Context(), "")
	if err != nil || !first.More {
		t.Fatalf("%d items, more %v, %v", len(first.Items), first.More, err)
	}
	s := connect(t, l)
	again, err := s.List(t.Context(), first.Cursor)
	if err != nil || again.Cursor == first.Cursor || len(again.Items) != graphPage {
		t.Fatalf("%d items, cursor the same: %v, %v", len(again.Items), again.Cursor == first.Cursor, err)
	}
	rest, _ := listAll(t, s, again.Cursor)
	if got := len(keys(append(again.Items, rest...))); got != graphPage+10 {
		t.Errorf("%d of %d", got, graphPage+10)
	}
}
