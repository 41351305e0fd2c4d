package graphtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
)

// Beginnings of ids, as Exchange writes them.
const (
	ordinaryID   = "AAMkAG" // changes when the item moves
	immutableID  = "AAkALg" // does not
	folderID     = "AQMkAD"
	attachmentID = "AAMkAB"
)

// newID returns a random id: 152 characters of base64url, among them "-", "_" and "=",
// which clients must escape. Letters count with their case.
func newID(kind string) string {
	b := make([]byte, 113)
	rand.Read(b)
	id := []byte(base64.URLEncoding.EncodeToString(b))
	copy(id, kind)
	id[20], id[40] = '-', '_'
	return string(id)
}

// goodID reports whether id has the form of an id; what has not is ErrorInvalidIdMalformed,
// what has but is nobody's ErrorItemNotFound.
func goodID(id string) bool {
	if len(id) < 64 || len(id) > 512 {
		return false
	}
	_, err := base64.URLEncoding.DecodeString(id)
	return err == nil
}

// newKey returns a random change key, which is also an etag.
func newKey() string {
	b := make([]byte, 15)
	rand.Read(b)
	return "CQAA" + base64.StdEncoding.EncodeToString(b)
}

// newGUID returns a random UUID.
func newGUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// newMessageID returns a Message-ID as the server gives one.
func newMessageID() string { return "<" + newGUID() + "@graphtest.example.org>" }
