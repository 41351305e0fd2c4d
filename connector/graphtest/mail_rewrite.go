package graphtest

import (
	"encoding/base64"
	"io"
	"slices"
	"strings"
)

// rewrite does to the header of a mail that came as MIME what Exchange does when it goes
// out, and leaves the rest byte for byte: the fields in set take the place of those in the
// mail, Bcc goes.
//
// QUIRK: Exchange also drops Auto-Submitted and a Return-Path that was given
// (microsoftgraph/msgraph-sdk-dotnet issue 2209).
func (t *tempFiles) rewrite(raw *blob, set []header) (*blob, error) {
	out := &blobWriter{files: t}
	fields, at := splitHeader(raw)
	for _, h := range set {
		io.WriteString(out, h.name+": "+oneLine(h.value)+"\r\n")
	}
	for _, f := range fields {
		name, _, _ := strings.Cut(f, ":")
		switch name = strings.TrimSpace(name); strings.ToLower(name) {
		case "bcc", "auto-submitted", "return-path":
			continue
		}
		if !slices.ContainsFunc(set, func(h header) bool { return strings.EqualFold(h.name, name) }) {
			io.WriteString(out, strings.TrimRight(f, "\r\n")+"\r\n")
		}
	}
	if at == raw.size {
		io.WriteString(out, "\r\n")
	}
	if _, err := io.Copy(out, io.NewSectionReader(raw, at, raw.size-at)); err != nil {
		return nil, err
	}
	return out.blob()
}

// decodeMIME undoes the base64 in which MIME comes; it may be broken into lines.
func decodeMIME(body []byte) (*blob, *fault) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(body)), ""))
	if err != nil || len(raw) == 0 {
		return nil, bad("ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
	}
	return blobOf(raw), nil
}
