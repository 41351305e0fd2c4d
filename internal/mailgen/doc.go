// Package mailgen makes realistic French mails, the same ones for the same seed, and
// says what is in them: the name and SHA-256 of every attachment.
//
//	raw, entry := mailgen.Mail(1, 42)                  // mail 42 of seed 1
//	entries, err := mailgen.Write(dir, 10_000, 1, nil) // about 1 GB
//
// Of 100 mails some 30 are plain text; the others carry PDF, XML, CSV, pictures and
// archives, in base64 and quoted-printable, with names in every form that mail
// programs use, as attached mails too, with logos inside HTML, and the Thumbs.db that
// somebody always sends along. People, places and contents are invented.
package mailgen
