package unpack

import (
	"strings"
	"unicode/utf8"
)

// maxName bounds the name and the directory of an entry, in bytes.
const maxName = 4 << 10

// split parts a sender's path: the name is what follows the last slash, backslash or
// drive; whatever stands before it leads nowhere and is kept as text.
func split(p string) (dir, name string) {
	p = strings.TrimRight(p, `/\`)
	i := strings.LastIndexAny(p, `/\`)
	if i < 0 && len(p) >= 2 && p[1] == ':' && (p[0]|0x20) >= 'a' && (p[0]|0x20) <= 'z' {
		i = 1 // C:name
		dir = p[:2]
	} else if i >= 0 {
		dir = p[:i]
		if dir == "" {
			dir = p[:1]
		}
	}
	if name = p[i+1:]; name == "." || name == ".." {
		dir, name = p, ""
	}
	return cutEnd(dir), keepEnd(name)
}

func cutEnd(s string) string {
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "")
	}
	return s
}

// keepEnd keeps the end, where the extension is.
func keepEnd(s string) string {
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[len(s)-maxName:], "")
	}
	return s
}

// The upper halves of the code pages that DOS and Windows write names in.
const (
	cp437  = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"
	cp850  = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0"
	cp1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"
)

var pages = map[string][]rune{cp437: []rune(cp437), cp850: []rune(cp850), cp1252: []rune(cp1252)}

func decode(s, page string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < 0x80 {
			b.WriteByte(c)
		} else {
			b.WriteRune(pages[page][c-0x80])
		}
	}
	return b.String()
}

// dosName reads a name that a zip does not mark as UTF-8. APPNOTE.TXT, appendix D, makes it
// code page 437.
//
// QUIRK: macOS and many programs write UTF-8 without the mark. Windows writes its own page,
// 850 in western Europe; where 437 would have lines and boxes, no name has them.
func dosName(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	t := decode(s, cp437)
	if strings.ContainsFunc(t, func(r rune) bool { return r >= 0x2500 && r < 0x25a0 }) {
		t = decode(s, cp850)
	}
	return t
}

// unixName reads a name of a tar, or of a zip made on Unix: UTF-8, or ISO-8859-1 and what
// Windows makes of it.
func unixName(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return decode(s, cp1252)
}
