package cold

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vaguemestre/vaguemestre/internal/dirstore"
	"golang.org/x/text/unicode/norm"
)

// maxSafeName is the length of a safe name in bytes. It leaves room for " (2)" and
// ".json" below the 255 of most file systems.
const maxSafeName = 200

// SafeName makes a sender's file name one path element that is valid on Linux and
// on Windows and looks like what it is. SafeName of a safe name is the same name.
//
// It keeps what follows the last slash or backslash, in composed form (NFC), drops
// control, direction and zero-width characters, and writes _ for <>:"|?* and before
// a leading dot and a reserved Windows name. It cuts the name to 200 bytes, keeping
// a short extension. A name of which nothing is left becomes "document".
func SafeName(original string) string {
	s := strings.TrimRight(original, `/\`)
	s = s[strings.LastIndexAny(s, `/\`)+1:]
	if len(s) > 64<<10 {
		s = s[len(s)-64<<10:] // the extension is at the end
	}
	s = strings.Map(safeRune, s)
	s = norm.NFC.String(s)
	s = trimName(s)
	if s == "" {
		return "document"
	}
	if s[0] == '.' || reservedName(s) {
		s = "_" + s // a hidden file is overlooked; CON is a device
	}
	return cutName(s, maxSafeName)
}

// safeRune maps one character; a negative result drops it.
func safeRune(r rune) rune {
	switch {
	case r == '\t' || r == '\n' || r == '\r' || unicode.Is(unicode.Zs, r):
		return ' '
	case strings.ContainsRune(`<>:"|?*`, r) || r == utf8.RuneError:
		return '_'
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point):
		return -1
	case !unicode.IsGraphic(r) && !unicode.Is(unicode.Co, r): // what no system can show, such as a code point without a character
		return '_'
	}
	return r
}

// trimName removes what Windows drops at the end by itself: dots and spaces.
func trimName(s string) string { return strings.TrimLeft(strings.TrimRight(s, ". "), " ") }

// reservedName reports whether Windows takes s for a device, with any extension
// (learn.microsoft.com, "Naming Files, Paths, and Namespaces").
func reservedName(s string) bool {
	stem, _, _ := strings.Cut(s, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	for _, dev := range []string{"COM", "LPT"} {
		if n, ok := strings.CutPrefix(stem, dev); ok {
			switch n {
			case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
				return true
			}
		}
	}
	return false
}

// cutName cuts s to limit bytes between two characters, keeping its extension.
func cutName(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	stem, ext := dirstore.SplitExt(s)
	n := limit - len(ext)
	for !utf8.RuneStart(stem[n]) {
		n--
	}
	return trimName(strings.TrimRight(stem[:n], ". ") + ext)
}
