package router

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"os"
	"path/filepath"
	"strings"
)

// Attachment is a file of a message, opened as often as needed. [File], [Bytes] and [Reader]
// make one; so does any function that gives the same bytes each time.
type Attachment struct {
	Name      string // as the recipient sees it, without a folder
	MediaType string // "" is guessed from Name
	ContentID string // of an inline one, without angle brackets
	Size      int64  // bytes; -1 when it must be found out by opening

	// Open gives the content from its beginning, as often as it is called and also at once
	// from several goroutines. Who opens closes.
	Open func() (io.ReadCloser, error)

	spool *spool // of Reader
}

// File attaches the file at path under its own name. Nothing is opened now: the file is
// read, and its size is taken, when the message is sent, and must stay until then. What is
// not a regular file cannot be opened.
func File(path string) Attachment {
	return Attachment{Name: filepath.Base(path), Size: -1, Open: func() (io.ReadCloser, error) {
		// Asked before opening, which would wait for ever on a named pipe.
		st, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !st.Mode().IsRegular() {
			return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
		}
		return os.Open(path)
	}}
}

// Bytes attaches data, which must not change until the message is sent.
func Bytes(name, mediaType string, data []byte) Attachment {
	return Attachment{Name: name, MediaType: mediaType, Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

// Close gives back what [Reader] holds. After it Open fails. On an attachment of another
// make, and the second time, it does nothing.
func (a Attachment) Close() error {
	if a.spool == nil {
		return nil
	}
	return a.spool.Close()
}

// Length returns how many bytes Open will give: Size, or if that is negative what the opened
// file says, or else what a reading to the end counts.
func (a Attachment) Length() (int64, error) {
	if a.Size >= 0 {
		return a.Size, nil
	}
	if a.Open == nil {
		return 0, errors.New("attachment has no Open function")
	}
	rc, err := a.Open()
	if err != nil {
		return 0, err
	}
	defer rc.Close()
	if n, ok := statSize(rc); ok {
		return n, nil
	}
	n, err := io.Copy(io.Discard, rc)
	if err != nil {
		return 0, fmt.Errorf("read to the end: %w", err)
	}
	return n, nil
}

// statSize tells the size of what is a regular file.
func statSize(r io.Reader) (int64, bool) {
	if f, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			return st.Size(), true
		}
	}
	return 0, false
}

// Type returns MediaType, or what the extension of Name stands for, or
// "application/octet-stream". It does not depend on the machine's tables.
func (a Attachment) Type() string {
	if a.MediaType != "" {
		return a.MediaType
	}
	if t, ok := mediaTypes[strings.ToLower(filepath.Ext(a.Name))]; ok {
		return t
	}
	return "application/octet-stream"
}

// mediaTypes holds what document management sends. Text has no charset here: nobody knows
// which it is in, and a wrong one would be worse than none.
var mediaTypes = map[string]string{
	".7z":   "application/x-7z-compressed",
	".bmp":  "image/bmp",
	".bz2":  "application/x-bzip2",
	".csv":  "text/csv",
	".doc":  "application/msword",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".eml":  "message/rfc822",
	".gif":  "image/gif",
	".gz":   "application/gzip",
	".heic": "image/heic",
	".htm":  "text/html",
	".html": "text/html",
	".ics":  "text/calendar",
	".jpeg": "image/jpeg",
	".jpg":  "image/jpeg",
	".json": "application/json",
	".md":   "text/markdown",
	".mp3":  "audio/mpeg",
	".mp4":  "video/mp4",
	".msg":  "application/vnd.ms-outlook",
	".odp":  "application/vnd.oasis.opendocument.presentation",
	".ods":  "application/vnd.oasis.opendocument.spreadsheet",
	".odt":  "application/vnd.oasis.opendocument.text",
	".p7m":  "application/pkcs7-mime",
	".p7s":  "application/pkcs7-signature",
	".pdf":  "application/pdf",
	".png":  "image/png",
	".ppt":  "application/vnd.ms-powerpoint",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".rtf":  "application/rtf",
	".svg":  "image/svg+xml",
	".tar":  "application/x-tar",
	".tif":  "image/tiff",
	".tiff": "image/tiff",
	".txt":  "text/plain",
	".vcf":  "text/vcard",
	".wav":  "audio/wav",
	".webp": "image/webp",
	".xls":  "application/vnd.ms-excel",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".xml":  "application/xml",
	".zip":  "application/zip",
}

// checkMediaType: RFC 2045 section 5.1, in ASCII and without surprises.
func checkMediaType(s string) error {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return say("it holds a control or non-ASCII character", "contient un caractère de contrôle ou non ASCII")
		}
	}
	t, _, err := mime.ParseMediaType(s)
	if err != nil || len(s) > maxFileName || !strings.Contains(t, "/") {
		return say(`it does not read as type/subtype, such as "application/pdf"`, `n'est pas de la forme type/sous-type, comme "application/pdf"`)
	}
	// RFC 2045 section 6.4: composite types are not to be encoded, and content is. A
	// message/rfc822 is let through all the same: only so does an attached mail keep its bytes.
	if strings.HasPrefix(t, "multipart/") {
		return say("a multipart cannot be attached; attach its parts, or the whole mail as message/rfc822", "un multipart ne peut pas être joint ; joignez ses parties, ou le courriel entier en message/rfc822")
	}
	return nil
}
