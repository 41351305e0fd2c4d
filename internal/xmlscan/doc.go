// Package xmlscan reads XML from strangers as a stream: tags one by one, and the text
// between them as a reader, so that an attachment of 90 MB inside one element costs no
// more memory than an empty one.
//
//	s := xmlscan.New(r, nil)
//	for s.Next() {
//		if s.Kind() == xmlscan.Start && s.Local() == "Fichier" {
//			io.Copy(out, base64.NewDecoder(base64.StdEncoding, s.TextReader()))
//		}
//	}
//	err := s.Err() // nil at the end of a whole document
//
// It takes what the field writes: a byte order mark or blank lines before the prolog,
// UTF-8, UTF-16, ISO-8859-1 (read as windows-1252, which it often is), ISO-8859-15 and
// windows-1252. A document type declaration, an entity that XML does not have, a second
// root, and what goes beyond [Limits] end the scan with an error of class poison. It
// does not validate: names and characters are read leniently.
package xmlscan
