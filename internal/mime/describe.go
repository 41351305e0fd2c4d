package mime

import "strings"

// describe reads from p's header what it is. def is the media type when none is given.
func (p *Part) describe(def string) error {
	var ctype, disp, enc string
	var haveType bool
	for i := range p.Header.fields {
		f := &p.Header.fields[i]
		if len(f.name) < 10 || f.name[0]|0x20 != 'c' {
			continue
		}
		switch len(f.name) {
		case len("Content-ID"):
			if p.ContentID == "" && strings.EqualFold(f.name, "Content-ID") {
				p.ContentID = strings.Trim(unfold(f.value), "<> \t")
			}
		case len("Content-Type"):
			if !haveType && strings.EqualFold(f.name, "Content-Type") {
				ctype, haveType = strings.Trim(f.value, " \t\r\n"), true
			}
		case len("Content-Disposition"):
			if disp == "" && strings.EqualFold(f.name, "Content-Disposition") {
				disp = strings.Trim(f.value, " \t\r\n")
			}
		case len("Content-Transfer-Encoding"):
			if enc == "" && strings.EqualFold(f.name, "Content-Transfer-Encoding") {
				enc = strings.Trim(f.value, " \t\r\n")
			}
		}
	}
	typ, tp, odd := parseParams(ctype)
	switch {
	case !haveType || ctype == "":
		typ = def
	case !isMediaType(typ):
		if i := strings.IndexByte(typ, '='); i > 0 { // QUIRK: the type itself left out
			_, tp, _ = parseParams(";" + ctype)
		}
		p.repair("media type unreadable")
		typ = "text/plain" // RFC 2045 section 5.2
	}
	if len(tp) > maxParams {
		return &LimitError{"parameters", maxParams}
	}
	p.MediaType = typ
	charset := ""
	for _, t := range tp {
		if t.name == "charset" {
			charset = firstWord(t.value)
			break
		}
	}
	if len(tp) > 0 {
		p.Params = make(map[string]string, len(tp))
		for _, t := range tp {
			name, _, _ := strings.Cut(t.name, "*")
			if _, ok := p.Params[name]; ok {
				continue
			}
			v, mended := decodeParam(tp, name, charset)
			if name != "name" && !t.quoted && strings.ContainsAny(v, " \t") {
				v = firstWord(v) // a comment, or a next parameter that we do not know
			}
			p.Params[name] = v
			odd = odd || mended
		}
	}
	if odd {
		p.repair("Content-Type mended")
	}
	var dp []param
	p.Disposition, dp, odd = parseParams(disp)
	if len(dp) > maxParams {
		return &LimitError{"parameters", maxParams}
	}
	if i := strings.IndexByte(p.Disposition, '='); i >= 0 {
		// QUIRK: "Content-Disposition: filename=a.pdf"
		_, dp, _ = parseParams(";" + disp)
		p.Disposition, odd = "", true
	}
	// RFC 2183 section 2.3; the Content-Type's name is the older way (RFC 1341).
	name, mended := decodeParam(dp, "filename", charset)
	if strings.Trim(name, " \t") == "" {
		var m bool
		if name, m = decodeParam(dp, "name", charset); name != "" { // QUIRK: "name" here
			mended = mended || m
		}
	}
	if strings.Trim(name, " \t") == "" {
		name = p.Params["name"]
	}
	if strings.Trim(name, " \t") == "" {
		name, _ = decodeParam(tp, "filename", charset) // QUIRK: "filename" in the Content-Type
	}
	if strings.Trim(name, " \t") != "" {
		p.Name = name
	}
	if odd || mended {
		p.repair("Content-Disposition mended")
	}
	switch p.Encoding = transferEncoding(enc); p.Encoding {
	case "base64", "quoted-printable", "uuencode", "":
	default:
		p.repair("transfer encoding unknown: content kept as it is")
		p.Encoding = ""
	}
	return nil
}

func firstWord(v string) string {
	v = strings.Trim(v, " \t\r\n")
	if i := strings.IndexAny(v, " \t\r\n("); i > 0 {
		return v[:i]
	}
	return v
}

// isMediaType tells whether t is "type/subtype".
func isMediaType(t string) bool {
	i := strings.IndexByte(t, '/')
	return i > 0 && i < len(t)-1 && strings.IndexByte(t[i+1:], '/') < 0 && !strings.ContainsAny(t, " \t\r\n=\"")
}

// transferEncoding names the encoding, "" for none. RFC 2045 section 6.1; QUIRK: also
// with a comment, a semicolon, quotes or blanks ("base64;", "quoted printable").
func transferEncoding(v string) string {
	if i := strings.IndexAny(v, ";("); i >= 0 {
		v = v[:i]
	}
	b := make([]byte, 0, 24)
	for i := 0; i < len(v) && len(b) < 24; i++ {
		switch c := v[i]; {
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b = append(b, c)
		}
	}
	switch string(b) {
	case "", "7bit", "8bit", "binary", "7bits", "8bits", "none":
		return ""
	case "base64":
		return "base64"
	case "quotedprintable":
		return "quoted-printable"
	case "xuuencode", "uuencode", "xuue", "uue":
		return "uuencode"
	}
	return string(b)
}

func isMessage(mediaType string) bool {
	switch mediaType {
	case "message/rfc822", "message/global", "message/news": // RFC 2046, 6532, 5537
		return true
	}
	return false
}
