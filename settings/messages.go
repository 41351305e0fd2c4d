package settings

import (
	"fmt"
	"strconv"
	"strings"
)

// maxQuoted bounds what is repeated of a text that somebody else wrote, in runes.
const maxQuoted = 60

// quote makes a stranger's text safe to show: one line, cut.
func quote(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxQuoted {
			return strconv.Quote(s[:i] + "…")
		}
	}
	return strconv.Quote(s)
}

func issue(path, code, en, fr string) Issue {
	return Issue{Path: path, Code: code, Message: Text{EN: en, FR: fr}}
}

func issueDeclaration(path, what string) Issue {
	return issue(path, CodeDeclaration, "the Go declaration is wrong: "+what, "la déclaration Go est fautive : "+what)
}

func issueRequired(path string) Issue {
	return issue(path, CodeRequired, "is missing: give a value", "valeur obligatoire : à renseigner")
}

func issueUnknownKey(path, key string, known []string) Issue {
	if near := nearest(key, known); near != "" {
		return issue(path, CodeUnknownKey,
			fmt.Sprintf("unknown key %s: did you mean %q?", quote(key), near),
			fmt.Sprintf("clé inconnue %s : vouliez-vous dire %q ?", quote(key), near))
	}
	if len(known) == 0 {
		return issue(path, CodeUnknownKey,
			fmt.Sprintf("unknown key %s: there are no settings here, remove it", quote(key)),
			fmt.Sprintf("clé inconnue %s : aucun paramètre n'est attendu ici, supprimez-la", quote(key)))
	}
	return issue(path, CodeUnknownKey,
		fmt.Sprintf("unknown key %s: use one of %s", quote(key), strings.Join(known, ", ")),
		fmt.Sprintf("clé inconnue %s : clés possibles : %s", quote(key), strings.Join(known, ", ")))
}

func issueDuplicateKey(path, key string) Issue {
	return issue(path, CodeDuplicateKey,
		fmt.Sprintf("key %s stands twice: remove one", quote(key)),
		fmt.Sprintf("la clé %s figure deux fois : supprimez-en une", quote(key)))
}

func issueWrongType(path string, n *node, got *tree) Issue {
	want, veut := n.named()
	have, a := got.named()
	return issue(path, CodeWrongType,
		fmt.Sprintf("must be %s, not %s", want, have),
		fmt.Sprintf("doit être %s et non %s", veut, a))
}

func issueNotOneOf(path, got string, enum []string) Issue {
	return issue(path, CodeNotOneOf,
		fmt.Sprintf("%s is not possible: use one of %s", quote(got), strings.Join(enum, ", ")),
		fmt.Sprintf("%s n'est pas possible : valeurs admises : %s", quote(got), strings.Join(enum, ", ")))
}

// issueRange names the bounds; en and fr say of what: "" or "the length ".
func issueRange(path, en, fr string, min, max *bound) Issue {
	switch {
	case min != nil && max != nil:
		en += fmt.Sprintf("must be between %s and %s", min.text, max.text)
		fr += fmt.Sprintf("doit se situer entre %s et %s", min.text, max.text)
	case min != nil:
		en += "must be at least " + min.text
		fr += "doit être au moins " + min.text
	case max != nil:
		en += "must be at most " + max.text
		fr += "doit être au plus " + max.text
	}
	return issue(path, CodeOutOfRange, en, fr)
}

func issueFormat(path, en, fr string) Issue { return issue(path, CodeBadFormat, en, fr) }

func issueSecret(path, en, fr string) Issue { return issue(path, CodeSecret, en, fr) }

// named says in both languages what a value of the type looks like.
func (n *node) named() (en, fr string) {
	switch n.shape {
	case shapeText, shapeMarshal:
		return "a text in quotes", "un texte entre guillemets"
	case shapeBool:
		return "true or false", "true ou false"
	case shapeInt:
		return "a whole number", "un nombre entier"
	case shapeFloat:
		return "a number", "un nombre"
	case shapeDuration:
		return `a duration in quotes such as "30s" or "5m"`, `une durée entre guillemets, par exemple "30s" ou "5m"`
	case shapeSecret:
		return `a text in quotes, {"env":"NAME"} or {"file":"PATH"}`, `un texte entre guillemets, {"env":"NOM"} ou {"file":"CHEMIN"}`
	case shapeList:
		return "a list in [ ]", "une liste entre [ ]"
	case shapeRaw:
		return "a JSON value", "une valeur JSON"
	}
	return "an object in { }", "un objet entre { }"
}

// named says in both languages what stands in the document.
func (t *tree) named() (en, fr string) {
	switch t.kind {
	case '{':
		return "an object", "un objet"
	case '[':
		return "a list", "une liste"
	case '"':
		return "a text", "un texte"
	case '0':
		return "a number", "un nombre"
	case 't':
		return "true or false", "true ou false"
	}
	return "null (leave the key out instead)", "null (omettez plutôt la clé)"
}

// nearest returns the candidate that key most likely was meant to be, or "".
func nearest(key string, candidates []string) string {
	if len(key) > maxQuoted {
		return ""
	}
	key = strings.ToLower(strings.ReplaceAll(key, "-", "_"))
	best, name := max(2, len([]rune(key))/3)+1, ""
	for _, c := range candidates {
		if d := distance([]rune(key), []rune(c)); d < best && d < len(c) {
			best, name = d, c
		}
	}
	return name
}

// distance is Levenshtein's: insertions, removals and replacements.
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
