package mime

import (
	"strconv"
	"strings"
)

// roles decides what each leaf is. kind is the media type of the multipart around p and
// place p's position in it.
func (w *walker) roles(p, around *Part, place int) {
	switch p.Role {
	case RoleContainer, RoleMessage:
		for i, c := range p.Children {
			w.roles(c, p, i)
		}
		return
	}
	p.Role = leafRole(p, around, place)
}

func leafRole(p, around *Part, place int) Role {
	kind := ""
	if around != nil {
		kind = around.MediaType
	}
	if strings.HasPrefix(p.MediaType, "multipart/") && p.Disposition != "attachment" {
		return RoleBody // one that could not be taken apart
	}
	if p.Disposition == "attachment" {
		return RoleAttachment
	}
	if shown(p) {
		// What the text shows. A PDF with a Content-ID is not: Apple Mail gives one to
		// every attachment.
		related := kind == "multipart/related" && place > 0
		if p.ContentID != "" && (p.Disposition == "inline" || related) || related && p.Header.Get("Content-Location") != "" {
			return RoleInline
		}
		return RoleAttachment
	}
	if p.Name != "" {
		return RoleAttachment
	}
	switch {
	case p.MediaType == "text/plain", p.MediaType == "text/html", p.MediaType == "text/enriched", p.MediaType == "text/richtext":
		return RoleBody
	case strings.HasPrefix(p.MediaType, "text/") && kind == "multipart/alternative":
		return RoleBody // another form of the text
	}
	return RoleAttachment
}

// shown tells whether p is of a kind that HTML text shows in place.
func shown(p *Part) bool {
	if strings.HasPrefix(p.MediaType, "image/") || p.MediaType == "text/css" || strings.HasPrefix(p.MediaType, "font/") {
		return true
	}
	if p.MediaType != "application/octet-stream" {
		return false
	}
	i := strings.LastIndexByte(p.Name, '.')
	if i < 0 {
		return false
	}
	switch strings.ToLower(p.Name[i:]) {
	case ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".svg", ".webp", ".tif", ".tiff", ".ico", ".emz", ".wmz":
		return true
	}
	return false
}

// FileName returns Name or, if p has none, one made up for it: an attached mail is called
// after its own subject, a text of the mail after the subject given, anything else
// "part-" and its number in the mail. The name is not safe for a file system.
func (p *Part) FileName(subject string) string {
	if p.Name != "" {
		return p.Name
	}
	number := "part-" + strconv.Itoa(p.Number)
	switch p.Role {
	case RoleMessage:
		if len(p.Children) > 0 {
			if s := strings.TrimSpace(p.Children[0].Header.Text("Subject")); s != "" {
				return s + ".eml"
			}
		}
		return number + ".eml"
	case RoleBody:
		if s := strings.TrimSpace(subject); s != "" {
			return s + extension(p.MediaType)
		}
	}
	return number + extension(p.MediaType)
}

// extension returns the usual one; ".bin" for what is unknown.
func extension(mediaType string) string {
	if e, ok := extensions[mediaType]; ok {
		return e
	}
	kind, sub, _ := strings.Cut(mediaType, "/")
	switch {
	case strings.HasSuffix(sub, "+xml"):
		return ".xml"
	case strings.HasSuffix(sub, "+json"):
		return ".json"
	case strings.HasSuffix(sub, "+zip"):
		return ".zip"
	case kind == "text", kind == "multipart":
		return ".txt"
	case kind == "message":
		return ".eml"
	case kind == "image" && len(sub) > 1 && len(sub) < 6 && isWord(sub):
		return "." + sub
	}
	return ".bin"
}

func isWord(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

var extensions = map[string]string{
	"text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "text/xml": ".xml", "text/calendar": ".ics",
	"text/vcard": ".vcf", "text/x-vcard": ".vcf", "text/directory": ".vcf", "text/rtf": ".rtf", "text/css": ".css",
	"text/rfc822-headers": ".txt", "message/delivery-status": ".txt", "message/disposition-notification": ".txt",
	"message/feedback-report": ".txt", "message/external-body": ".txt",
	"application/pdf": ".pdf", "application/xml": ".xml", "application/json": ".json", "application/zip": ".zip",
	"application/x-zip-compressed": ".zip", "application/gzip": ".gz", "application/x-gzip": ".gz", "application/x-tar": ".tar",
	"application/rtf": ".rtf", "application/msword": ".doc", "application/vnd.ms-excel": ".xls",
	"application/vnd.ms-powerpoint": ".ppt", "application/ms-tnef": ".dat", "application/postscript": ".ps",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   ".docx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         ".xlsx",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
	"application/vnd.oasis.opendocument.text":                                   ".odt",
	"application/vnd.oasis.opendocument.spreadsheet":                            ".ods",
	"application/vnd.oasis.opendocument.presentation":                           ".odp",
	"application/pkcs7-signature":                                               ".p7s", "application/x-pkcs7-signature": ".p7s",
	"application/pkcs7-mime": ".p7m", "application/x-pkcs7-mime": ".p7m", "application/pgp-signature": ".asc",
	"application/pgp-encrypted": ".asc", "application/javascript": ".js",
	"image/jpeg": ".jpg", "image/pjpeg": ".jpg", "image/svg+xml": ".svg", "image/tiff": ".tif", "image/x-icon": ".ico",
	"audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/x-wav": ".wav", "video/mp4": ".mp4", "video/quicktime": ".mov",
}
