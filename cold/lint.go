package cold

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/vaguemestre/vaguemestre/settings"
)

// Finding is a surprise in a filter, for the person who wrote it.
type Finding struct {
	Code    string        `json:"code"` // stable: see [Filter.Lint]
	Message settings.Text `json:"message"`
	Rewrite string        `json:"rewrite,omitempty"` // a filter that does what was probably meant; "" when there is none
}

// Lint names what surprises people in a filter. It tries names on the filter, so it may
// take some tenths of a second for one that is slow. Codes:
//
//	partial   it fits a part of ordinary names, and never the whole
//	last_dot  what it excludes passes behind another dot (a.b.db)
//	case      upper and lower case make a difference (thumbs.DB)
//	no_dot    it refuses every name without a dot
//	slow      it may take very long; such names are held
//	list      a glob that is a list
//	slashes   a pattern without its slashes, and so a glob
func (f Filter) Lint() []Finding {
	if f.p == nil {
		return nil
	}
	if f.p.re == nil {
		return lintGlob(f.p.text)
	}
	l := &linter{f: f, re: f.p.re}
	l.slow()
	if len(l.out) == 0 { // the others try names on it
		l.partial()
		l.excluded()
		l.letters()
		l.noDot()
	}
	return l.out
}

type linter struct {
	f   Filter
	re  *regex
	out []Finding
}

func (l *linter) found(code, en, fr, rewrite string) {
	for _, f := range l.out {
		if f.Code == code {
			return
		}
	}
	l.out = append(l.out, Finding{code, settings.Text{EN: en, FR: fr}, rewrite})
}

func (l *linter) takes(name string) bool { return takes(l.f, name) }

func takes(f Filter, name string) bool {
	ok, err := f.Match(name)
	return ok && err == nil
}

// rewritten is the filter with another pattern and further flags, if it takes and
// refuses the names that it should; else "".
func (l *linter) rewritten(src, flags string, take, refuse []string) string {
	for _, c := range l.re.flags {
		if !strings.ContainsRune(flags, c) {
			flags = string(c) + flags
		}
	}
	f, err := ParseFilter("/" + src + "/" + flags)
	if err != nil {
		return ""
	}
	for _, n := range take {
		if !takes(f, n) {
			return ""
		}
	}
	for _, n := range refuse {
		if takes(f, n) {
			return ""
		}
	}
	return f.String()
}

var (
	literalRun  = regexp.MustCompile(`[\pL\pN_ -]{2,}`)
	lookForbids = regexp.MustCompile(`\(\?!((?:\\.|[^()\\])*)\)`)
	plainExt    = regexp.MustCompile(`^[A-Za-z0-9]{1,10}$`)
)

// literals are texts that stand in the pattern as they are, outside of lookarounds.
func (l *linter) literals() []string {
	src := lookForbids.ReplaceAllString(l.re.src, "|")
	src = regexp.MustCompile(`\\[a-zA-Z]|\(\?[a-zA-Z<=!:-]*|\[[^\]]*\]|\{[^}]*\}`).ReplaceAllString(src, "|")
	return literalRun.FindAllString(src, -1)
}

// forbidden are the extensions that lookaheads exclude.
func (l *linter) forbidden() []string {
	var out []string
	for _, m := range lookForbids.FindAllStringSubmatch(l.re.src, -1) {
		for _, alt := range strings.Split(m[1], "|") {
			alt = strings.TrimPrefix(strings.TrimPrefix(alt, ".*"), `\.`)
			alt = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(alt, "$"), `\z`), ".*")
			if plainExt.MatchString(alt) {
				out = append(out, alt)
			}
		}
	}
	return out
}

func (l *linter) partial() {
	bare, err := compile2(l.re.src, l.re.flags)
	if err != nil {
		return
	}
	var parts []string // names of which a part fits, and none as a whole
	for _, lit := range l.literals() {
		for _, n := range []string{lit + ".pdf", lit + "_2024-01.pdf", "mon " + lit + " n° 4.pdf", "2024 " + lit, "a." + lit, lit + " 12.xml"} {
			if l.takes(n) {
				return
			}
			if m, err := find2(bare, []rune(n)); err == nil && m != nil && m.Length > 0 {
				parts = append(parts, n)
			}
		}
	}
	if strings.HasPrefix(l.re.src, `\.`) {
		if l.takes("a.pdf") {
			return
		}
		if m, err := find2(bare, []rune("facture.pdf")); err == nil && m != nil {
			parts = append(parts, "facture.pdf")
		}
	}
	if len(parts) == 0 {
		return
	}
	src := l.re.src
	if len(splitTop(src, '|')) > 1 {
		src = "(?:" + src + ")"
	}
	var tries []string
	begins := strings.HasPrefix(src, "^") || strings.HasPrefix(src, `\A`)
	ends := strings.HasSuffix(src, `\z`) || strings.HasSuffix(src, "$") && !strings.HasSuffix(src, `\$`)
	switch {
	case begins:
		tries = []string{src + ".*"}
	case ends || strings.HasPrefix(src, `\.`):
		tries = []string{".*" + src, ".*" + src + ".*"}
	default:
		tries = []string{".*" + src + ".*", src + ".*"}
	}
	rewrite := ""
	for _, s := range tries {
		for _, n := range parts {
			if rewrite == "" {
				rewrite = l.rewritten(s, "", []string{n}, nil)
			}
		}
	}
	l.found("partial",
		"The pattern must fit the whole name, and this one fits only a part of ordinary names: put .* where anything may stand.",
		"Le motif doit couvrir le nom entier, et celui-ci n'en couvre qu'une partie : placez .* là où n'importe quoi peut figurer.", rewrite)
}

func (l *linter) excluded() {
	for _, ext := range l.forbidden() {
		if l.takes("a."+ext) || !l.takes("a.pdf") {
			continue
		}
		if !l.takes("a.b." + ext) {
			continue
		}
		rewrite := l.rewritten(fmt.Sprintf(`(?!.*\.%s\z).*\..*`, ext), "i", []string{"a.pdf", "a.b.pdf"}, []string{"a." + ext, "a.b." + ext, "a." + strings.ToUpper(ext)})
		l.found("last_dot",
			fmt.Sprintf("A name with two dots passes: a.b.%s is not excluded, since its first dot is not followed by %s.", ext, ext),
			fmt.Sprintf("Un nom à deux points passe : a.b.%s n'est pas exclu, car son premier point n'est pas suivi de %s.", ext, ext), rewrite)
	}
}

// letters looks for names that differ in nothing but case and are judged differently.
func (l *linter) letters() {
	tries := []string{}
	for _, ext := range l.forbidden() {
		tries = append(tries, "thumbs."+ext)
	}
	for _, m := range lookForbids.FindAllStringSubmatch(l.re.src, -1) {
		if isPlain(m[1]) {
			tries = append(tries, m[1]+".pdf")
		}
	}
	for _, lit := range l.literals() {
		tries = append(tries, lit, "a."+lit, lit+".pdf", "x "+lit+" 1.pdf")
	}
	for _, n := range tries {
		for _, other := range []string{strings.ToUpper(n), strings.ToLower(n)} {
			i := strings.LastIndexByte(n, '.') + 1
			for _, o := range []string{n[:i] + other[min(i, len(other)):], other} {
				if o == n || l.takes(n) == l.takes(o) {
					continue
				}
				l.found("case",
					fmt.Sprintf("Upper and lower case make a difference: %q and %q are not judged alike. Add the flag i.", n, o),
					fmt.Sprintf("Majuscules et minuscules comptent : « %s » et « %s » ne sont pas traités de même. Ajoutez l'option i.", n, o),
					l.rewritten(l.re.src, "i", nil, nil))
				return
			}
		}
	}
}

func (l *linter) noDot() {
	for _, n := range []string{"a.pdf", "scan.tif", "x y.xml", "a.b.c"} {
		if !l.takes(n) {
			return // it asks for more than a dot
		}
	}
	if l.takes("README") || l.takes("facture") || l.takes("scan 12") {
		return
	}
	rewrite := ""
	refuse := []string{}
	for _, ext := range l.forbidden() {
		if !l.takes("a." + ext) {
			refuse = append(refuse, "a."+ext)
			if rewrite == "" {
				rewrite = fmt.Sprintf(`(?!.*\.%s\z).*`, ext)
			}
		}
	}
	for _, src := range []string{strings.Replace(l.re.src, `.*\..*`, ".*", 1), rewrite} {
		if src == "" || src == l.re.src {
			continue
		}
		if rewrite = l.rewritten(src, "", []string{"README", "facture", "a.pdf"}, refuse); rewrite != "" {
			break
		}
	}
	l.found("no_dot",
		"Names without a dot are refused, such as README or a scan without an extension.",
		"Les noms sans point sont refusés, comme README ou une numérisation sans extension.", rewrite)
}

// slow finds a repeated group that repeats something itself, and tries long names.
func (l *linter) slow() {
	suspect, rewrite := nested(l.re.src)
	if !suspect {
		names := []string{strings.Repeat("a", 254) + "!", strings.Repeat("a.", 127), strings.Repeat("a ", 127), strings.Repeat("1", 254) + "!"}
		for _, lit := range l.literals() {
			if n := []rune(strings.Repeat(lit, 254/len([]rune(lit)))); len(n) > 0 {
				names = append(names, string(n)+"!")
				break
			}
		}
		for _, n := range names {
			if _, err := l.f.Match(n); err != nil {
				suspect = true
				break
			}
		}
	}
	if !suspect {
		return
	}
	if rewrite != "" {
		rewrite = l.rewritten(rewrite, "", nil, nil)
	}
	l.found("slow",
		"A repetition within a repetition may take very long, and a document whose name takes longer than a tenth of a second is held. Repeat once only.",
		"Une répétition dans une répétition peut durer très longtemps, et un document dont le nom demande plus d'un dixième de seconde est retenu. Ne répétez qu'une fois.", rewrite)
}

// nested reports whether an unbounded repetition of a group holds another one that can
// share its text: (a+)+. The rewritten pattern is "" unless the group is that only.
func nested(s string) (bool, string) {
	for i := 0; i < len(s); {
		end := elementEnd(s, i)
		q := quantifierEnd(s, end)
		unbounded := q > end && (s[end] == '*' || s[end] == '+' || s[end] == '{' && strings.HasSuffix(strings.TrimSuffix(s[end:q], "?"), ",}"))
		if s[i] == '(' && end-1 > i {
			body := s[i+1 : end-1]
			if strings.HasPrefix(body, "?") {
				_, body, _ = strings.Cut(body, body[:min(2, len(body))])
			}
			if unbounded && loose(body) {
				rewrite := ""
				if first := elementEnd(body, 0); len(body) > 0 && quantifierEnd(body, first) == len(body) && body[0] != '(' {
					rewrite = s[:i] + body[:first] + s[end:]
					if strings.HasSuffix(body, "*") || s[end] == '*' {
						rewrite = s[:i] + body[:first] + "*" + s[q:]
					}
				}
				return true, rewrite
			}
			if yes, _ := nested(body); yes {
				return true, ""
			}
		}
		i = q
	}
	return false, ""
}

// loose reports whether a text can be cut into repetitions of body in several ways, as
// far as can be seen: every element may repeat or be absent.
func loose(body string) bool {
	repeats := false
	for _, alt := range splitTop(body, '|') {
		must := 0
		for i := 0; i < len(alt); {
			end := elementEnd(alt, i)
			q := quantifierEnd(alt, end)
			switch {
			case q > end && (alt[end] == '*' || alt[end] == '+'):
				repeats = true
			case q == end:
				must++
			}
			i = q
		}
		if must > 0 {
			return false // a fixed element keeps the repetitions apart
		}
	}
	return repeats
}

func lintGlob(text string) []Finding {
	switch {
	case strings.Contains(text, ".*") && strings.Contains(text, `\.`), strings.Contains(text, "(?"):
		rewrite := ""
		if f, err := ParseFilter("/" + text + "/"); err == nil {
			rewrite = f.String()
		}
		return []Finding{{"slashes", settings.Text{
			EN: "This looks like a pattern, and without slashes around it is a glob, in which only *, ? and [ ] are special.",
			FR: "Ceci ressemble à un motif ; sans barres obliques autour, c'est un filtre simple où seuls *, ? et [ ] sont spéciaux."}, rewrite}}
	case strings.Count(text, "*.") > 1 && strings.ContainsAny(text, ";,| "), strings.ContainsAny(text, "{") && strings.Contains(text, ","):
		return []Finding{{"list", settings.Text{
			EN: "A glob is one pattern, not a list: write a filter for each.",
			FR: "Un filtre simple est un seul motif, pas une liste : écrivez un filtre pour chacun."}, ""}}
	}
	return nil
}
