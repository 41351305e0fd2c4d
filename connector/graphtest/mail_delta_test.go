package graphtest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// follow reads a round to its end: what is there by id, what is gone, and the delta link.
func (w *office) follow(target string, lines ...string) (there, gone map[string]bool, link string, pages, entries int) {
	w.t.Helper()
	there, gone = map[string]bool{}, map[string]bool{}
	for {
		a := w.must(200, "GET", target, nil, append([]string{immutable}, lines...)...)
		pages++
		for _, v := range a.list("value") {
			entries++
			if v["@odata.type"] != "#microsoft.graph.message" {
				w.t.Errorf("%v", v)
			}
			if v["@removed"] != nil {
				gone[v["id"].(string)] = true
			} else {
				there[v["id"].(string)] = true
			}
		}
		if link = a.str("@odata.deltaLink"); link != "" {
			if a.str("@odata.nextLink") != "" {
				w.t.Error("both links")
			}
			return there, gone, link, pages, entries
		}
		if target = a.str("@odata.nextLink"); target == "" {
			w.t.Fatalf("%s", a.body)
		}
	}
}

func sorted(m map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(m)), " ") }

func set(ids ...string) map[string]bool {
	m := map[string]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// Every change of a folder is told, in rounds as awkward as Graph may make them.
func TestDelta(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	var ids []string
	for i := range 25 {
		ids = append(ids, w.compta.Deliver("inbox", eml(i)))
	}
	there, gone, link, pages, entries := w.follow("/me/mailFolders/inbox/messages/delta?$select=id")
	if sorted(there) != sorted(set(ids...)) || len(gone) != 0 {
		t.Errorf("%d there, %d gone", len(there), len(gone))
	}
	if pages != 4 || entries != 26 {
		t.Errorf("%d pages, %d entries: want an empty page and an entry that comes twice", pages, entries)
	}
	if there, gone, _, pages, _ := w.follow(link); len(there)+len(gone) != 0 || pages != 1 {
		t.Error("something changed without a change")
	}
	late := w.compta.Deliver("inbox", eml(50))
	brief := w.compta.Deliver("inbox", eml(51))
	w.compta.Move(brief, "archive")
	w.compta.Move(ids[0], "Archive")
	w.compta.Remove(ids[1])
	w.must(200, "PATCH", "/me/messages/"+esc(ids[2]), m{"isRead": true})
	w.compta.Move(ids[3], "archive")
	w.compta.Move(ids[3], "inbox")
	there, gone, next, _, _ := w.follow(link)
	if sorted(there) != sorted(set(late, ids[2], ids[3])) || sorted(gone) != sorted(set(ids[0], ids[1], brief)) {
		t.Errorf("%d there, %d gone", len(there), len(gone))
	}
	// The same link may be followed again.
	if again, _, _, _, _ := w.follow(link); sorted(again) != sorted(there) {
		t.Error("the second time differs")
	}
	w.compta.ForgetDelta()
	w.refused(410, "SyncStateNotFound", "GET", next, nil)
	w.refused(410, "SyncStateNotFound", "GET", "/me/mailFolders/inbox/messages/delta?$skiptoken=x", nil)
}

// What changes while a round is read is told by this round or by the next.
func TestDeltaDuringRound(t *testing.T) {
	t.Parallel()
	w := newOffice(t, nil)
	a := w.compta.Deliver("inbox", eml(1))
	b := w.compta.Deliver("inbox", eml(2))
	c := w.compta.Deliver("inbox", eml(3))
	first := w.must(200, "GET", "/me/mailFolders/inbox/messages/delta", nil, `Prefer: IdType="ImmutableId", odata.maxpagesize=1`)
	if l := first.list("value"); len(l) != 1 || l[0]["id"] != a {
		t.Fatalf("%s", first.body)
	}
	w.compta.Move(a, "archive")
	w.compta.Move(b, "archive")
	d := w.compta.Deliver("inbox", eml(4))
	there, gone, link, _, _ := w.follow(first.str("@odata.nextLink"))
	if sorted(there) != sorted(set(c)) || len(gone) != 0 {
		t.Errorf("%v %v", there, gone)
	}
	there, gone, _, _, _ = w.follow(link)
	if sorted(there) != sorted(set(d)) || sorted(gone) != sorted(set(a, b)) {
		t.Errorf("%v %v", there, gone)
	}
}

func TestDeltaOptions(t *testing.T) {
	t.Parallel()
	w := newOffice(t, &Options{PageSize: 2})
	a := w.compta.Deliver("inbox", eml(1))
	w.clock.add(time.Hour)
	b := w.compta.Deliver("inbox", eml(2))
	const path = "/me/mailFolders/inbox/messages/delta?"
	there, _, link, _, _ := w.follow(path + "$filter=receivedDateTime%20ge%202026-11-21T10:30:00Z")
	if sorted(there) != sorted(set(b)) {
		t.Errorf("%v", there)
	}
	_, _, created, _, _ := w.follow(path + "changeType=created")
	_, _, deleted, _, _ := w.follow(path + "changeType=deleted")
	w.must(200, "PATCH", "/me/messages/"+esc(b), m{"isRead": true})
	w.must(204, "DELETE", "/me/messages/"+esc(a), nil)
	c := w.compta.Deliver("inbox", eml(3))
	if there, gone, _, _, _ := w.follow(created); sorted(there) != c || len(gone) != 0 {
		t.Errorf("created: %v %v", there, gone)
	}
	if there, gone, _, _, _ := w.follow(deleted); len(there) != 0 || sorted(gone) != a {
		t.Errorf("deleted: %v %v", there, gone)
	}
	if there, _, _, _, _ := w.follow(link); sorted(there) != sorted(set(b, c)) {
		t.Errorf("filtered: %v", there)
	}
	for _, q := range []string{"$filter=isRead%20eq%20true", "$filter=receivedDateTime%20ge%202026-11-21%20and%20isRead%20eq%20true", "$orderby=subject", "changeType=moved"} {
		w.refused(400, "BadRequest", "GET", path+q, nil)
	}
	w.refused(400, "BadRequest", "GET", "/me/messages/delta", nil)
	// A token is of its folder.
	token := link[strings.Index(link, "?"):]
	w.refused(410, "SyncStateNotFound", "GET", "/me/mailFolders/archive/messages/delta"+token, nil)
}
