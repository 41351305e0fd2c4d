package launcher

import (
	"strconv"
	"strings"
)

// epochURL names a folder and its UIDVALIDITY (RFC 5092 section 6). The port is left
// out: the same mailbox is the same behind another one. validity 0 stands for a server
// that tells none.
func epochURL(account, host, folder string, validity uint32) string {
	return "imap://" + escapeURL(account, "") + "@" + strings.ToLower(host) + "/" + escapeURL(folder, "/:@") +
		";UIDVALIDITY=" + strconv.FormatUint(uint64(validity), 10)
}

// escapeURL escapes what RFC 5092 section 11 does not allow in achar, and in bchar with
// what more allows.
func escapeURL(s, more string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			strings.IndexByte("-._~!$'()*+,&=", c) >= 0, strings.IndexByte(more, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// uidOf reads the UID out of a key of this folder; 0 if it is none.
func (s *session) uidOf(key string) uint32 {
	rest, ok := strings.CutPrefix(key, s.prefix)
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(rest, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// sameFolder tells whether epoch is this folder under another UIDVALIDITY.
func (s *session) sameFolder(epoch string) bool {
	a, _, ok := strings.Cut(epoch, ";UIDVALIDITY=")
	b, _, _ := strings.Cut(s.epoch, ";UIDVALIDITY=")
	return ok && a == b
}

// uidSet writes ascending UIDs as an IMAP set.
func uidSet(uids []uint32) string {
	var b strings.Builder
	for i := 0; i < len(uids); {
		j := i
		for j+1 < len(uids) && uids[j+1] == uids[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(uids[i]), 10))
		if j > i {
			b.WriteByte(':')
			b.WriteString(strconv.FormatUint(uint64(uids[j]), 10))
		}
		i = j + 1
	}
	return b.String()
}
