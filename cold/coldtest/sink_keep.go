package coldtest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/vaguemestre/vaguemestre/cold"
)

// The cases of a sink that gets what it should: contents, keys, groups and names.

func sinkBytes(t *sinkTest) {
	var docs []*cold.Document
	for i, c := range awkwardContents() {
		docs = append(docs, t.doc(fmt.Sprint(i), fmt.Sprintf("document %d.bin", i), c))
	}
	t.put(docs...)
	t.want(awkwardContents()...)
}

func sinkNone(t *sinkTest) {
	for _, docs := range [][]*cold.Document{nil, {}} {
		if got, err := t.h.Sink().Put(t.Context(), docs); err != nil || len(got) != 0 {
			t.Errorf("Put of nothing: %v, %v", got, err)
		}
	}
	t.want()
}

func sinkOrder(t *sinkTest) {
	docs := []*cold.Document{t.doc("1", "c.pdf", "1"), t.doc("2", "a.pdf", "2"), t.doc("3", "b.pdf", "3")}
	first := t.put(docs...)
	second := t.put(docs[2], docs[0], docs[1])
	for i, j := range []int{2, 0, 1} {
		if second[i].Ref != first[j].Ref {
			t.Errorf("%s is at %q, and at %q when it comes again in another order", docs[j].Name, first[j].Ref, second[i].Ref)
		}
	}
}

func sinkMany(t *sinkTest) {
	var docs []*cold.Document
	var want []string
	for i := range 600 {
		c := fmt.Sprintf("content %d", i)
		docs, want = append(docs, t.doc(c, fmt.Sprintf("facture %d.pdf", i%100), c)), append(want, c)
	}
	t.put(docs...)
	t.want(want...)
}

func sinkRepeat(t *sinkTest) {
	docs := append(t.group("g", t.doc("3", "a.xml", "3"), t.doc("4", "b.xml", "4")), t.doc("1", "a.pdf", "1"), t.doc("2", "b.pdf", "2"))
	first := t.put(docs...)
	for range 2 {
		if again := t.put(docs...); !reflect.DeepEqual(again, first) {
			t.Errorf("answers of the repetition: %v, want %v", again, first)
		}
		t.want("1", "2", "3", "4")
	}
}

func sinkReopen(t *sinkTest) {
	docs := append(t.group("g", t.doc("3", "a.xml", "3"), t.doc("4", "b.xml", "4")), t.doc("1", "a.pdf", "1"))
	first := t.put(docs...)
	t.h.Reopen()
	t.want("1", "3", "4")
	if again := t.put(docs...); !reflect.DeepEqual(again, first) {
		t.Errorf("answers after a restart: %v, want %v", again, first)
	}
	t.want("1", "3", "4")
}

func (t *sinkTest) failing(key, name, content string) *cold.Document {
	return t.halfway(t.doc(key, name, content), func() error { return errors.New("coldtest: the content ends here") })
}

func sinkRepeatAfterError(t *sinkTest) {
	bad := t.failing("2", "b.pdf", "second document")
	if _, err := t.h.Sink().Put(t.Context(), []*cold.Document{t.doc("1", "a.pdf", "1"), bad, t.doc("3", "c.pdf", "3")}); err == nil {
		t.Fatal("no error for a document that cannot be read")
	}
	t.put(t.doc("1", "a.pdf", "1"), t.doc("2", "b.pdf", "second document"), t.doc("3", "c.pdf", "3"))
	t.want("1", "second document", "3")
}

func sinkRepeatPart(t *sinkTest) {
	t.put(t.doc("1", "a.pdf", "1"), t.doc("2", "b.pdf", "2"))
	t.put(t.doc("2", "b.pdf", "2"), t.doc("3", "c.pdf", "3"))
	t.want("1", "2", "3")
}

func sinkGroup(t *sinkTest) {
	docs := append(t.group("dépôt 1", t.doc("1", "a.xml", "g1 a"), t.doc("2", "b.xml", "g1 b")), t.doc("5", "a.xml", "alone"))
	docs = append(docs, t.group("dépôt 2", t.doc("3", "a.xml", "g2 a"), t.doc("4", "b.xml", "g2 b"))...)
	t.put(docs...)
	t.want("g1 a", "g1 b", "g2 a", "g2 b", "alone")
	groups := map[string]string{}
	for _, s := range t.stored() {
		groups[string(s.Data)] = s.Group
	}
	if groups["g1 a"] == "" || groups["g1 a"] != groups["g1 b"] || groups["g2 a"] != groups["g2 b"] || groups["g1 a"] == groups["g2 a"] || groups["alone"] != "" {
		t.Errorf("documents by group: %q", groups)
	}
}

func sinkGroupTogether(t *sinkTest) {
	a := t.doc("1", "a.xml", "first of the group")
	b := t.halfway(t.doc("2", "b.xml", "second of the group"), func() error {
		t.want()
		return nil
	})
	t.put(t.group("g", a, b)...)
	t.want("first of the group", "second of the group")
}

func sinkGroupNothing(t *sinkTest) {
	g := t.group("g", t.doc("1", "a.xml", "first of the group"), t.failing("2", "b.xml", "second of the group"), t.doc("3", "c.xml", "third of the group"))
	if _, err := t.h.Sink().Put(t.Context(), g); err == nil {
		t.Error("no error for a document that cannot be read")
	}
	t.want()
	t.put(t.group("g", t.doc("1", "a.xml", "first of the group"), t.doc("2", "b.xml", "second of the group"), t.doc("3", "c.xml", "third of the group"))...)
	t.want("first of the group", "second of the group", "third of the group")
}

func sinkSameName(t *sinkTest) {
	t.put(t.doc("1", "facture.pdf", "1"), t.doc("2", "facture.pdf", "2"), t.doc("3", "FACTURE.pdf", "3"))
	t.put(t.doc("4", "facture.pdf", "4"))
	t.put(t.group("g", t.doc("5", "facture.pdf", "5"), t.doc("6", "facture.pdf", "6"), t.doc("7", "Facture.PDF", "7"))...)
	t.want("1", "2", "3", "4", "5", "6", "7")
}

func sinkSameContent(t *sinkTest) {
	t.put(t.doc("1", "a.pdf", "same"), t.doc("2", "a.pdf", "same"), t.doc("3", "b.pdf", "same"))
	t.put(t.doc("4", "a.pdf", "same"))
	t.want("same", "same", "same", "same")
}

func sinkHostileNames(t *sinkTest) {
	names := []string{"../../etc/passwd", `..\..\boot.ini`, "/etc/passwd", `C:\a.pdf`, "a\x00.pdf", ".", "..", "/", " ", "CON", "nul.txt", "a.txt:flux", "a.",
		"facture\u202efdp.exe", "\u200b", strings.Repeat("é", 300) + ".pdf", strings.Repeat("a/", 300), "\xff\xfe", "a\r\nb.pdf", "-rf", ".hidden", "%00", "$(x)", "a\tb"}
	var docs []*cold.Document
	for i, n := range names {
		docs = append(docs, t.doc(fmt.Sprint("h", i), n, fmt.Sprint("content ", i)))
	}
	got, err := t.h.Sink().Put(t.Context(), docs)
	if err != nil || len(got) != len(docs) {
		t.Fatalf("Put: %d answers, %v", len(got), err)
	}
	var want []string
	for i, s := range got {
		if s.Skip == "" { // a sink may say that it will not
			want = append(want, fmt.Sprint("content ", i))
		}
	}
	t.want(want...)
}

func sinkEmpty(t *sinkTest) {
	t.put(t.doc("1", "vide.txt", ""), t.doc("2", "vide.txt", ""))
	t.want("", "")
}

func sinkLarge(t *sinkTest) {
	c := strings.Repeat("0123456789abcde\n", 5<<16) // 5 MiB
	t.put(t.doc("1", "grand.bin", c), t.doc("2", "petit.bin", "x"))
	t.want(c, "x")
}
