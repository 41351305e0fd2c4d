package cold

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestSafeNameExamples(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"facture.pdf":                       "facture.pdf",
		"Relevé n°4 – août.xml":             "Relevé n°4 – août.xml",
		"":                                  "document",
		".":                                 "document",
		"..":                                "document",
		"...":                               "document",
		"/":                                 "document",
		`\`:                                 "document",
		" . . ":                             "document",
		"\x00\x01\u200b":                    "document",
		"../../etc/passwd":                  "passwd",
		`..\..\windows\system.ini`:          "system.ini",
		`C:\Users\moi\a.pdf`:                "a.pdf",
		"C:a.pdf":                           "C_a.pdf",
		`\\serveur\part\a.pdf`:              "a.pdf",
		"dossier/":                          "dossier",
		"a.txt:cache":                       "a.txt_cache",
		"a\x00.pdf":                         "a.pdf",
		"a\tb\r\nc.pdf":                     "a b  c.pdf",
		"n°\u00a04.pdf":                     "n° 4.pdf",
		"facture\u202efdp.exe":              "facturefdp.exe",
		"a\u200db\ufeff.pdf":                "ab.pdf",
		"e\u0301te\u0301.pdf":               "été.pdf",
		"e\u200d\u0301.pdf":                 "é.pdf", // composed after the joiner went
		"a\xffb.pdf":                        "a_b.pdf",
		`<>:"|?*.pdf`:                       "_______.pdf",
		"CON":                               "_CON",
		"con.txt":                           "_con.txt",
		"NUL .tar.gz":                       "_NUL .tar.gz",
		"Aux.":                              "_Aux",
		"COM1.pdf":                          "_COM1.pdf",
		"LPT².pdf":                          "_LPT².pdf",
		"COM10.pdf":                         "COM10.pdf",
		"CONSEIL.pdf":                       "CONSEIL.pdf",
		"C\u200bON.pdf":                     "_CON.pdf",
		".htaccess":                         "_.htaccess",
		".vaguemestre":                      "_.vaguemestre",
		"a.pdf.":                            "a.pdf",
		"a.pdf ... ":                        "a.pdf",
		"  a.pdf":                           "a.pdf",
		"a.pdf/..":                          "document",
		strings.Repeat("a", 300) + ".pdf":   strings.Repeat("a", 196) + ".pdf",
		strings.Repeat("é", 150) + ".pdf":   strings.Repeat("é", 98) + ".pdf",
		"x" + strings.Repeat("é", 150):      "x" + strings.Repeat("é", 99),
		"a." + strings.Repeat("b", 300):     "a." + strings.Repeat("b", 198),
		strings.Repeat("a ", 150) + ".pdf":  strings.Repeat("a ", 97) + "a" + ".pdf",
		strings.Repeat("a", 199) + ".b c":   strings.Repeat("a", 199),
		strings.Repeat("a", 5000) + "/b.db": "b.db",
	} {
		if got := SafeName(in); got != want {
			t.Errorf("SafeName(%.60q) = %q, want %q", in, got, want)
		}
	}
}

// hostileNames are some 500 names, made of every class of trouble at every place.
func hostileNames() []string {
	bad := []string{"../", `..\`, "/", `\`, "\x00", "\x01", "\x7f", "\u0085", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00ad",
		"\u2028", "\u3164", "\ufffe", "\U000e0041", "\xff", "\xed\xa0\x80", ":", "*", "?", "\"", "<", ">", "|", " ", ".", "\t", "\r\n", "\u00a0",
		"e\u0301", "CON", "nul", "COM1", "lpt³", "~", "%2e%2e%2f", "$(x)", "-rf", "\u0301", "ß", "İ", "日本", "😀"}
	var out []string
	for _, b := range bad {
		out = append(out, b, b+"a.pdf", "a"+b+".pdf", "a."+b, "a.pdf"+b, b+b+b, b+".tar.gz", strings.Repeat(b, 130)+".pdf",
			strings.Repeat("é", 97)+b+".pdf", "a."+strings.Repeat(b, 130), b+"\u200b."+b)
	}
	return out
}

// wrongName says why s is no valid path element on Linux and Windows, "" if it is.
func wrongName(s string) string {
	switch {
	case s == "" || s == "." || s == "..":
		return "empty or dots"
	case len(s) > maxSafeName:
		return "too long"
	case !utf8.ValidString(s):
		return "no UTF-8"
	case !norm.NFC.IsNormalString(s):
		return "not composed"
	case strings.ContainsAny(s, "/\\<>:\"|?*\x00"):
		return "holds a character that Windows refuses"
	case strings.HasSuffix(s, ".") || strings.HasSuffix(s, " "):
		return "ends with a dot or space"
	case strings.HasPrefix(s, ".") || strings.HasPrefix(s, " "):
		return "begins with a dot or space"
	}
	for _, r := range s {
		if unicode.Is(unicode.C, r) && !unicode.Is(unicode.Co, r) || r == '\u2028' || r == '\u2029' {
			return fmt.Sprintf("holds %U", r)
		}
	}
	stem := strings.ToUpper(s)
	if i := strings.IndexByte(stem, '.'); i >= 0 {
		stem = stem[:i]
	}
	for _, dev := range strings.Fields("CON PRN AUX NUL COM1 COM2 COM9 LPT1 LPT3 LPT³") {
		if strings.TrimRight(stem, " ") == dev {
			return "is a device"
		}
	}
	if again := SafeName(s); again != s {
		return fmt.Sprintf("becomes %q the second time", again)
	}
	return ""
}

func TestSafeNameTable(t *testing.T) {
	t.Parallel()
	names := hostileNames()
	if len(names) < 400 {
		t.Fatalf("%d names only", len(names))
	}
	for _, n := range names {
		if why := wrongName(SafeName(n)); why != "" {
			t.Errorf("SafeName(%q) = %q: %s", n, SafeName(n), why)
		}
	}
}

func TestSafeNameProperties(t *testing.T) {
	t.Parallel()
	bits := rapid.SampledFrom(hostileNames())
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOfN(rapid.OneOf(bits, rapid.String(), rapid.StringMatching(`[a-zé .]{0,80}`)), 0, 6).Draw(t, "parts"), "")
		if why := wrongName(SafeName(in)); why != "" {
			t.Fatalf("SafeName(%q) = %q: %s", in, SafeName(in), why)
		}
		// A short extension of plain letters survives, whatever stands before it.
		if got := SafeName(in + "x.pdf"); !strings.HasSuffix(got, ".pdf") {
			t.Fatalf("SafeName(%q) = %q lost its extension", in+"x.pdf", got)
		}
	})
}

func FuzzSafeName(f *testing.F) {
	for _, n := range hostileNames() {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if why := wrongName(SafeName(in)); why != "" {
			t.Errorf("SafeName(%q) = %q: %s", in, SafeName(in), why)
		}
	})
}
