package launcher

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// Keys are "file:///srv/depot/a.pdf;size=812;mtime=1763790000123456789" for a file, and
// "file:///srv/depot/b/;files=3;size=9120;tree=5f0c…" for a directory. Each is an epoch of
// its own: the path below the directory is in the content key, so only a file that was
// there before is ever taken for the same.

// folderURL is the beginning of all keys of a directory (RFC 8089), with a slash at its end.
func folderURL(abs string) string {
	p := filepath.ToSlash(abs)
	if !strings.HasPrefix(p, "/") { // C:/depot
		p = "/" + p
	}
	return "file://" + escapeURL(strings.TrimSuffix(p, "/")+"/", "/:@")
}

// filePrint is what tells one version of a file from another.
func filePrint(size int64, mtime time.Time) string {
	return fmt.Sprintf("size=%d;mtime=%d", size, mtime.UnixNano())
}

// key is the key of what lies at rel.
func (s *folderSession) key(rel string, dir bool, print string) string {
	end := ";"
	if dir {
		end = "/;"
	}
	return s.prefix + escapeURL(rel, "/:@") + end + print
}

// parse is the reverse of key. It is false for keys of another directory.
func (s *folderSession) parse(key string) (rel string, dir bool, print string, ok bool) {
	rest, ok := strings.CutPrefix(key, s.prefix)
	if !ok {
		return "", false, "", false
	}
	name, print, ok := strings.Cut(rest, ";")
	if !ok {
		return "", false, "", false
	}
	name, dir = strings.CutSuffix(name, "/")
	rel, err := url.PathUnescape(name)
	if err != nil || !filepath.IsLocal(filepath.FromSlash(rel)) || rel == "." {
		return "", false, "", false
	}
	return rel, dir, print, true
}

const asidePrefix = ".vaguemestre-"

// asideName is what the item called base is called while it is moved or removed. It is
// hidden, the same in every session, and leads back to the key, unless base is so long that
// there is no room for it.
func asideName(key, base string) string {
	h := sha256.Sum256([]byte(key))
	name := asidePrefix + hex.EncodeToString(h[:10])
	if len(name)+1+len(base)+len(".gone") > 255 {
		return name
	}
	return name + "~" + base
}

// readable makes a name text.
//
// QUIRK: shares that were filled by old Samba or DOS programs hold names in ISO-8859-1; each
// byte that is no UTF-8 is taken for one.
func readable(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if r == utf8.RuneError && n == 1 {
			r = rune(name[0])
		}
		b.WriteRune(r)
		name = name[n:]
	}
	return b.String()
}
