package adullact

import (
	"strconv"
	"strings"
)

// readYAML reads the flat map that Pastell writes with Spyc (versions 2 and 3) or with Symfony
// Yaml (4 and later): "key: scalar", or "key:" and a list, or a block of text. Scalars stay the text that they are: 0012, no and
// 2024-04-15 are not to be a number, a boolean and a date. Anchors, aliases, tags and maps
// within maps do not occur and are not read, so nothing can grow.
func readYAML(data []byte) (*metadata, error) {
	lines := strings.Split(strings.ReplaceAll(text(data), "\r\n", "\n"), "\n")
	m := &metadata{}
	for i := 0; i < len(lines); i++ {
		line := strings.TrimRight(lines[i], " \t")
		if line == "" || line == "---" || line == "..." || line[0] == '#' || strings.HasPrefix(line, "%YAML") {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' || line[0] == '-' {
			return nil, errNotMetadata
		}
		key, value, ok := yamlKey(line)
		if !ok || strings.ContainsAny(key, "{}[]<>") {
			return nil, errNotMetadata
		}
		var err error
		switch {
		case value != "" && (value[0] == '|' || value[0] == '>') && len(value) <= 3:
			var block string
			block, i = yamlBlock(lines, i+1, value[0])
			err = m.add(&m.fields, key, block, false, "")
		case value == "":
			n := 0
			for i+1 < len(lines) {
				item := strings.TrimSpace(lines[i+1])
				if item != "-" && !strings.HasPrefix(item, "- ") {
					break
				}
				i++
				n++
				v, next := yamlScalar(lines, i, strings.TrimSpace(item[1:]))
				i = next
				if err = m.add(&m.fields, key, v, true, ""); err != nil {
					break
				}
			}
			if n == 0 {
				err = m.add(&m.fields, key, "", false, "")
			}
		case value == "[]", value == "{}", value == "{  }": // an empty list
		default:
			var v string
			v, i = yamlScalar(lines, i, value)
			err = m.add(&m.fields, key, v, false, "")
		}
		if err != nil {
			return nil, err
		}
	}
	if len(m.fields) == 0 {
		return nil, errNotMetadata
	}
	return m, nil
}

// yamlKey parts "key: value".
func yamlKey(line string) (key, value string, ok bool) {
	if line[0] == '\'' || line[0] == '"' {
		end := strings.Index(line[1:], line[:1]+":")
		if end < 0 {
			return "", "", false
		}
		key, value = line[1:end+1], line[end+3:]
	} else if key, value, ok = strings.Cut(line, ": "); !ok {
		if key, ok = strings.CutSuffix(line, ":"); !ok {
			return "", "", false
		}
	}
	return strings.TrimSpace(key), strings.TrimSpace(value), true
}

// yamlScalar reads a scalar that begins with v on line i; a quoted one may go on below.
func yamlScalar(lines []string, i int, v string) (string, int) {
	if v == "" || v[0] != '\'' && v[0] != '"' {
		if v == "null" || v == "~" {
			v = ""
		}
		return v, i
	}
	var b strings.Builder
	b.WriteString(v)
	for n := 0; !yamlClosed(b.String()) && n < 1000 && i+1 < len(lines); n++ {
		i++
		more := strings.TrimSpace(lines[i])
		if more == "" {
			b.WriteByte('\n') // YAML 1.2 section 6.5: an empty line is a line break
		} else {
			b.WriteString(" " + more)
		}
	}
	v = b.String()
	if !yamlClosed(v) {
		return v, i
	}
	if v[0] == '\'' {
		return strings.ReplaceAll(v[1:len(v)-1], "''", "'"), i
	}
	if s, err := strconv.Unquote(strings.NewReplacer(`\/`, "/", `\e`, `\x1b`, "\n", `\n`).Replace(v)); err == nil {
		return s, i
	}
	return strings.ReplaceAll(v[1:len(v)-1], `\"`, `"`), i
}

// yamlClosed reports whether the quote that v begins with ends it.
func yamlClosed(v string) bool {
	if len(v) < 2 || v[len(v)-1] != v[0] {
		return false
	}
	n, mark := 0, byte('\\')
	if v[0] == '\'' {
		mark = '\''
	}
	for j := len(v) - 2; j > 0 && v[j] == mark; j-- {
		n++
	}
	return n%2 == 0
}

// yamlBlock reads the indented lines of a literal ("|") or folded (">") scalar.
func yamlBlock(lines []string, i int, style byte) (string, int) {
	indent, sep := -1, "\n"
	if style == '>' {
		sep = " "
	}
	var out []string
	for ; i < len(lines); i++ {
		l := lines[i]
		if strings.TrimSpace(l) == "" {
			out = append(out, "")
			continue
		}
		depth := len(l) - len(strings.TrimLeft(l, " "))
		if depth == 0 {
			break
		}
		if indent < 0 {
			indent = depth
		}
		out = append(out, l[min(indent, depth):])
	}
	return strings.TrimRight(strings.Join(out, sep), "\n "), i - 1
}
