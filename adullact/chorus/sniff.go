package chorus

import (
	"bytes"
	"strings"
)

// marks are how files of each kind begin.
var marks = []struct{ mark, media string }{
	{"%PDF-", "application/pdf"},
	{"PK\x03\x04", "application/zip"},
	{"PK\x05\x06", "application/zip"},
	{"\x1f\x8b", "application/gzip"},
	{"<?xml", "application/xml"},
	{"\xff\xfe<\x00", "application/xml"}, // UTF-16
	{"\xfe\xff\x00<", "application/xml"},
	{"\x89PNG\r\n\x1a\n", "image/png"},
	{"\xff\xd8\xff", "image/jpeg"},
	{"GIF8", "image/gif"},
	{"II*\x00", "image/tiff"},
	{"MM\x00*", "image/tiff"},
	{"{\\rtf", "application/rtf"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"}, // Office before 2007
}

// sniff tells what a file is by its first bytes, "" if they do not tell.
func sniff(head []byte) string {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	text := bytes.TrimLeft(head, " \t\r\n")
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.mark)) || m.mark[0] > ' ' && bytes.HasPrefix(text, []byte(m.mark)) {
			return m.media
		}
	}
	switch {
	case bytes.Contains(head, []byte("%PDF-")): // ISO 32000-1, annex H.3.4.1: within the first 1024 bytes
		return "application/pdf"
	case len(text) > 1 && text[0] == '<' && (text[1] == '!' || letter(text[1])):
		return "application/xml"
	}
	return ""
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

var extensions = map[string]string{
	"application/pdf": ".pdf", "application/zip": ".zip", "application/gzip": ".gz", "application/xml": ".xml", "image/png": ".png",
	"image/jpeg": ".jpg", "image/gif": ".gif", "image/tiff": ".tif", "application/rtf": ".rtf",
}

// alike tells whether a label may stand for what a file is.
func alike(label, media string) bool {
	label, _, _ = strings.Cut(label, ";")
	label = strings.TrimSpace(label)
	short := func(v string) string {
		v = v[strings.LastIndexByte(v, '/')+1:]
		return strings.TrimPrefix(v, "x-")
	}
	switch media {
	case "": // it is none of those that sniff knows
		for _, m := range marks {
			if label == m.media && m.media != "application/xml" {
				return false
			}
		}
		return true
	case "application/xml":
		return strings.HasSuffix(label, "xml") || strings.Contains(label, "html")
	case "application/zip":
		return strings.Contains(label, "zip") || officeDocument(label)
	case "application/x-ole-storage":
		return strings.Contains(label, "ms") || strings.Contains(label, "ole")
	case "image/jpeg":
		return strings.Contains(label, "jp")
	case "image/tiff":
		return strings.Contains(label, "tif")
	}
	return short(label) == short(media)
}

// officeDocument tells whether files of this label are zips by nature.
func officeDocument(label string) bool {
	return strings.Contains(label, "openxmlformats") || strings.Contains(label, "opendocument")
}
