package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"regexp"

	"github.com/vaguemestre/vaguemestre/cold"
	"github.com/vaguemestre/vaguemestre/settings"
)

// Mbox is a decoder of our own: it takes a mailbox file (RFC 4155) apart, as Thunderbird
// and many archives make it, into one .eml document a mail.
type Mbox struct {
	MaxMails int `key:"max_mails" default:"10000" min:"1"`
}

var _ cold.Decoder = (*Mbox)(nil)

// Kind names it in the provenance of what came out: "mbox:archive.mbox".
func (*Mbox) Kind() string { return "mbox" }

// Labels gives the texts of its form.
func (*Mbox) Labels() map[string]settings.Label {
	return map[string]settings.Label{"max_mails": {
		Name: settings.Text{EN: "Mails at most", FR: "Nombre maximal de courriels"},
		Help: settings.Text{EN: "A file with more is delivered as it is.", FR: "Un fichier qui en contient plus est remis tel quel."},
	}}
}

var mboxKind = settings.Kind[cold.Decoder]{
	Name:  "mbox",
	Title: settings.Text{EN: "Mailbox file (mbox)", FR: "Fichier de messagerie (mbox)"},
	New:   func() cold.Decoder { return new(Mbox) },
}

// separator begins a mail: RFC 4155 appendix A. Its date tells it from a sentence.
var separator = regexp.MustCompile(`^From \S+ .*\d\d:\d\d.*\d{4}`)

// Decode calls out once for every mail. A mailbox file does not tell its length: one that
// breaks off inside a mail shows by the missing empty line at its end.
func (x *Mbox) Decode(ctx context.Context, d *cold.Document, out func(*cold.Document) error) error {
	mails, whole, err := x.index(ctx, d)
	if err != nil {
		return err
	}
	for i, m := range mails {
		if err := ctx.Err(); err != nil {
			return err
		}
		doc, err := m.document(d, i+1)
		if err != nil {
			return err
		}
		if err := out(doc); err != nil {
			return err
		}
	}
	if !whole {
		return errors.New("mbox: the last mail breaks off: no empty line follows it")
	}
	return nil
}

// span is where a mail lies in its file, in bytes.
type span struct{ at, size int64 }

// index finds the mails; whole tells that the last one is complete.
func (x *Mbox) index(ctx context.Context, d *cold.Document) (mails []span, whole bool, err error) {
	r, err := d.Open()
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	in := bufio.NewReaderSize(r, 64<<10)
	var pos int64
	blank, begins := true, true // the line before was empty; a line begins here
	for err == nil && ctx.Err() == nil {
		var line []byte
		line, err = in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) { // a piece of a very long line
			err = nil
		}
		switch {
		case begins && blank && separator.Match(line):
			mails = append(mails, span{at: pos + int64(len(line))})
		case len(mails) == 0:
			if err == nil || err == io.EOF {
				err = cold.ErrNotMine
			}
			return nil, false, err
		default:
			mails[len(mails)-1].size += int64(len(line))
		}
		if len(mails) > cmp.Or(x.MaxMails, 10_000) { // a zero value is one that was not given
			return nil, false, fmt.Errorf("mbox: more than %d mails; raise max_mails", len(mails)-1)
		}
		pos += int64(len(line))
		if len(line) > 0 {
			blank = begins && len(bytes.TrimRight(line, "\r\n")) == 0
			begins = line[len(line)-1] == '\n'
		}
	}
	if err == io.EOF {
		err = nil
	}
	return mails, blank, cmp.Or(err, ctx.Err())
}

// document makes the n-th mail of d a document.
func (m span) document(d *cold.Document, n int) (*cold.Document, error) {
	raw, err := m.read(d)
	if err != nil {
		return nil, err
	}
	doc := &cold.Document{Name: fmt.Sprintf("%04d.eml", n), MediaType: "message/rfc822", Size: int64(len(raw))}
	if msg, err := mail.ReadMessage(bytes.NewReader(raw)); err == nil {
		subject := msg.Header.Get("Subject")
		if words, err := new(mime.WordDecoder).DecodeHeader(subject); err == nil {
			subject = words
		}
		if subject != "" {
			doc.Name = fmt.Sprintf("%04d %s.eml", n, subject) // a sink makes it safe
			doc.Fields = map[string]string{"subject": subject}
		}
	}
	// read again when it is wanted, so that one mail at a time is in memory
	doc.Open = func() (io.ReadSeekCloser, error) {
		raw, err := m.read(d)
		return content{bytes.NewReader(raw)}, err
	}
	return doc, nil
}

// quoted lines had a ">" put before them, so that they begin no mail.
var quoted = regexp.MustCompile(`(?m)^>(>*From )`)

// read gives the mail as it was before it was put into the file.
func (m span) read(d *cold.Document) ([]byte, error) {
	r, err := d.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw := make([]byte, m.size)
	if _, err := r.Seek(m.at, io.SeekStart); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, err
	}
	for _, end := range []string{"\r\n\r\n", "\n\n"} { // RFC 4155: the empty line is not the mail's
		if bytes.HasSuffix(raw, []byte(end)) {
			raw = raw[:len(raw)-len(end)/2]
			break
		}
	}
	return quoted.ReplaceAll(raw, []byte("$1")), nil
}

// content is a mail in memory.
type content struct{ *bytes.Reader }

func (content) Close() error { return nil }
