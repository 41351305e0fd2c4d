package helios

import (
	"bytes"
	"strings"

	"github.com/vaguemestre/vaguemestre/internal/xmlscan"
)

// sniffed is how much of a document its kind is told by.
const sniffed = 4096

// mediaType tells a document's kind by its first bytes, since labels lie; "" is unknown.
func mediaType(head []byte) string {
	for _, m := range []struct{ magic, kind string }{
		{"%PDF-", "application/pdf"}, {"PK\x03\x04", "application/zip"}, {"\x1f\x8b", "application/gzip"},
		{"\x89PNG\r\n", "image/png"}, {"\xff\xd8\xff", "image/jpeg"}, {"II*\x00", "image/tiff"}, {"MM\x00*", "image/tiff"},
		{"{\\rtf", "application/rtf"}, {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.kind
		}
	}
	// QUIRK: a PDF may begin within its first 1024 bytes (ISO 32000-1, annex H.3.4.1).
	if bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-")) {
		return "application/pdf"
	}
	if i := bytes.IndexByte(head, '<'); i >= 0 && len(bytes.Trim(head[:i], "\xef\xbb\xbf\xff\xfe\x00 \t\r\n")) == 0 {
		if root, _ := rootOf(head); root != "" {
			return "application/xml"
		}
	}
	return ""
}

// rootOf names the root of what may be XML.
func rootOf(head []byte) (local, space string) {
	s := xmlscan.New(bytes.NewReader(head), nil)
	if !s.Next() {
		return "", ""
	}
	return s.Local(), s.Space()
}

// labelFits tells whether a sender's media type may be said of content of that kind.
func labelFits(label, kind string) bool {
	label = strings.ToLower(strings.TrimSpace(label))
	switch {
	case label == "" || kind == "" || strings.HasPrefix(label, kind), strings.HasSuffix(label, "/octet-stream"), strings.Contains(label, "gzip"):
		return true // the label of the gzip is not that of its content
	case kind == "application/xml":
		return strings.Contains(label, "xml")
	case kind == "application/zip":
		return strings.Contains(label, "zip") || strings.Contains(label, "openxml") || strings.Contains(label, "opendocument")
	case kind == "application/x-ole-storage":
		return strings.Contains(label, "ms") || strings.Contains(label, "word")
	case kind == "application/rtf":
		return strings.Contains(label, "rtf")
	case kind == "image/jpeg":
		return strings.Contains(label, "jpg")
	}
	return false
}
