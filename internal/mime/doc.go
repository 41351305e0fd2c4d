// Package mime takes a mail apart: lenient, bounded, without changing a byte.
//
// It reads the message where it lies (a spool in memory or on disk), records where
// every part begins and ends, and decodes a part when it is opened, as often as it is
// opened. What had to be mended is reported, never hidden.
//
// Parse gives the tree of parts, each with its role for the reader of the mail:
//
//	m, err := mime.Parse(spool, size, nil)
//	if limit := (*mime.LimitError)(nil); errors.As(err, &limit) {
//		// too deep, too many parts …: hand the mail over whole, with limit as the reason
//	}
//	for p := range m.Parts() {
//		if p.Role == mime.RoleAttachment {
//			r := p.Open()
//			_, err = io.Copy(file, r) // the bytes that the sender attached
//			repairs := append(p.Repairs, r.Repairs()...)
//			r.Close()
//		}
//	}
//
// # Bytes
//
// A part's content is what the sender encoded: the transfer encoding is undone and
// nothing else. No charset is converted and no line end changed, so that a signed
// document still verifies. The line break before a boundary belongs to the boundary.
//
// # Names
//
// Part.Name is decoded (RFC 2231, RFC 2047, raw 8-bit) and otherwise as the sender wrote
// it, paths and control characters included: it is not safe for a file system.
// Content-Disposition's filename wins over Content-Type's name, and within one field
// RFC 2231 wins over RFC 2047 words and these over plain text; of equals the first wins.
//
// # Leniency
//
// Mails are read as people's mail readers do: any line end, a missing or wrong boundary,
// junk between header fields, no empty line below the header, base64 with stray
// characters. Each such thing is told in Repairs of the message, the part or the reader.
//
// # Bounds
//
// Parsing takes time linear in the size of the mail and memory for its headers only;
// depth, number of parts and headers are bounded by Options.
package mime
