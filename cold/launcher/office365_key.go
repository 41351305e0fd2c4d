package launcher

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/vaguemestre/vaguemestre/internal/graph"
)

// mailboxURL names a mailbox: the host of Graph, and the id of the user whose own it is or
// the address of a shared one. It is the epoch of its messages, for an immutable id stays
// the same in all its folders (learn.microsoft.com/graph/outlook-immutable-id). An archive
// mailbox and a restored one give other ids within the same epoch: what they bring is new.
func mailboxURL(root *url.URL, mailbox string) string {
	return "graph://" + strings.ToLower(root.Host) + "/" + graph.Seg(strings.ToLower(mailbox))
}

// key names a message. Ids differ in the case of their letters alone.
func (s *graphSession) key(id string) string { return s.epoch + "/" + graph.Seg(id) }

// idOf reads the id out of a key of this mailbox; "" if it is none.
func (s *graphSession) idOf(key string) string {
	rest, ok := strings.CutPrefix(key, s.epoch+"/")
	if !ok {
		return ""
	}
	id, err := url.PathUnescape(rest)
	if err != nil {
		return ""
	}
	return id
}

// cursorTag is what a cursor of this mailbox, folder and listing begins with.
func (s *graphSession) cursorTag() string {
	sum := sha256.Sum256([]byte(s.epoch + "\x00" + s.folder.ID))
	return string(s.listing()) + ":" + hex.EncodeToString(sum[:8]) + " "
}

func (s *graphSession) listing() Listing {
	if s.l.Listing == ListingFull {
		return ListingFull
	}
	return ListingDelta
}
