package routertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync/atomic"
	"testing/iotest"

	"github.com/vaguemestre/vaguemestre/router"
)

// These cases are about what arrives.
var contentCases = []testCase{
	{name: "attachment bytes", run: attachmentBytes,
		quote: "The far side gets every attachment byte for byte."},
	{name: "attachment opened anew", run: attachmentAnew,
		quote: "Attachment is a file of a message, opened as often as needed."},
	{name: "attachment closed", run: attachmentClosed,
		quote: "What was opened is closed when SendMail returns."},
	{name: "attachment fails", run: attachmentFails,
		quote: "If an attachment cannot be opened or read to its end, nothing is sent."},
	{name: "inline by content id", run: inlineByID,
		quote: "shown inside HTML by their ContentID"},
	{name: "any script", run: anyScript,
		quote: "Text in any script arrives as it was written."},
	{name: "further headers", run: furtherHeaders,
		quote: "further headers; none that the message sets itself"},
	{name: "bcc hidden", run: bccHidden,
		quote: "Bcc stands in no header."},
	{name: "message id and date", run: idAndDate,
		quote: "The Message-ID is that of m, and so is the Date, unless the far side stamps its own."},
	{name: "message id again", run: idAgain,
		quote: "set once, at acceptance by Mail.Send, if it is empty, and then stays the same over all attempts."},
	{name: "default sender", run: defaultSender,
		quote: "the address that it uses for a message without From.",
		needs: func(h *Harness) string {
			if d, ok := h.Sender.(router.DefaultSender); !ok || d.DefaultSender() == "" {
				return "sender that tells a DefaultSender"
			}
			return ""
		}},
	{name: "message unchanged", run: unchanged,
		quote: "It does not change m."},
}

// awkward are contents that a careless encoder damages.
func awkward() []File {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	random := make([]byte, 200_003)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	return []File{
		{"tous les octets.bin", every},
		{"Délibération n° 12.xml", []byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<a>d\xe9lib\xe9r\xe9 \xa4</a>")},
		{"lignes.txt", []byte("un\r\n.\r\ndeux\n..trois\rquatre\r\n\r\n.\n")},
		{"longue ligne.csv", bytes.Repeat([]byte("0123456789;"), 1000)},
		{"un.txt", []byte("x")},
		{"vide.txt", nil},
		{"espaces.txt", []byte("fin de ligne  \t\n \n=3D =\n")},
		{"aléatoire.pdf", random},
	}
}

func attachmentBytes(r *run) {
	m := r.message()
	files := awkward()
	for _, f := range files {
		m.Attachments = append(m.Attachments, router.Bytes(f.Name, "", f.Data))
	}
	r.mustSend(m)
	d := r.parse(r.only())
	if len(d.files) != len(files) {
		r.Errorf("%d files arrived, want %d", len(d.files), len(files))
	}
	for _, f := range files {
		got, ok := d.file(f.Name)
		if !ok {
			r.Errorf("no file called %q arrived", f.Name)
		} else if !bytes.Equal(got, f.Data) {
			r.Errorf("%q arrived with %d bytes that differ from the %d sent", f.Name, len(got), len(f.Data))
		}
	}
}

// counted is an attachment of unknown size, given in small pieces, that counts.
type counted struct {
	data           []byte
	opened, closed atomic.Int32
}

func (c *counted) attachment(name string) router.Attachment {
	return router.Attachment{Name: name, Size: -1, Open: func() (io.ReadCloser, error) {
		c.opened.Add(1)
		return &countedReader{Reader: iotest.HalfReader(bytes.NewReader(c.data)), c: c}, nil
	}}
}

type countedReader struct {
	io.Reader
	c    *counted
	done atomic.Bool
}

func (r *countedReader) Close() error {
	if !r.done.Swap(true) {
		r.c.closed.Add(1)
	}
	return nil
}

func attachmentAnew(r *run) {
	c := &counted{data: bytes.Repeat([]byte("octets "), 5000)}
	m := r.message()
	m.Attachments = []router.Attachment{c.attachment("a.bin")}
	r.mustSend(m)
	m2 := *m
	m2.Attachments = []router.Attachment{c.attachment("a.bin")}
	first := c.opened.Load()
	r.mustSend(&m2)
	r.mustSend(m)
	if c.opened.Load() < first+2 {
		r.Errorf("Open was called %d times for three mails", c.opened.Load())
	}
	got := r.Received()
	if len(got) != 3 {
		r.Fatalf("the far side has %d messages, want 3", len(got))
	}
	for i, rec := range got {
		if data, _ := r.parse(rec).file("a.bin"); !bytes.Equal(data, c.data) {
			r.Errorf("mail %d: the file arrived with %d bytes, want %d", i+1, len(data), len(c.data))
		}
	}
}

func attachmentClosed(r *run) {
	c := &counted{data: []byte("octets")}
	m := r.message()
	m.Attachments = []router.Attachment{c.attachment("a.bin"), c.attachment("b.bin")}
	r.mustSend(m)
	if o, cl := c.opened.Load(), c.closed.Load(); o == 0 || o != cl {
		r.Errorf("%d readers were opened and %d closed", o, cl)
	}
}

func attachmentFails(r *run) {
	broken := errors.New("the disk is broken")
	big := bytes.Repeat([]byte("octets "), 200_000)
	for _, c := range []struct {
		name string
		open func() (io.ReadCloser, error)
	}{
		{"on open", func() (io.ReadCloser, error) { return nil, broken }},
		{"at once", func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }},
		{"half way", func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(big), iotest.ErrReader(broken))), nil
		}},
	} {
		for _, size := range []int64{-1, int64(2 * len(big))} {
			m := r.message()
			m.Attachments = []router.Attachment{{Name: "a.bin", Size: size, Open: c.open}}
			rc, err := r.send(m)
			if err == nil {
				r.Errorf("an attachment that fails %s: no error", c.name)
			}
			if rc != nil && (rc.State == router.Accepted || rc.State == router.InDoubt) {
				r.Errorf("an attachment that fails %s: the receipt says %s", c.name, rc.State)
			}
		}
	}
	r.wantNothing()
	r.mustSend(r.message()) // the next one is not hurt
}

func inlineByID(r *run) {
	logo, sign := router.Bytes("logo.png", "image/png", []byte("\x89PNG\r\n\x1a\n1")), router.Bytes("signature.png", "", []byte("\x89PNG\r\n\x1a\n2"))
	logo.ContentID, sign.ContentID = "logo", "signature.1@example.org"
	m := r.message()
	m.HTML = `<p><img src="cid:logo"> <img src="cid:signature.1@example.org"></p>`
	m.Inline = []router.Attachment{logo, sign}
	m.Attachments = []router.Attachment{router.Bytes("a.bin", "", []byte("x"))}
	r.mustSend(m)
	d := r.parse(r.only())
	for _, a := range m.Inline {
		want, _ := readAttachment(a)
		if got, ok := d.ids["<"+a.ContentID+">"]; !ok || !bytes.Equal(got, want) { // RFC 2392
			r.Errorf("the image with Content-ID <%s> arrived as %q, want %q", a.ContentID, got, want)
		}
	}
	if _, ok := d.file("a.bin"); !ok {
		r.Errorf("the attachment beside the images did not arrive")
	}
}

func anyScript(r *run) {
	m := r.message(`"Müller, Jörg" <` + r.address("jorg") + ">")
	m.From = "Hélène Dupré-Œuvre <" + m.From + ">"
	m.Subject = "Délibération n° 12 – « cœur de ville » – 漢字 – 🙂 – " + strings.Repeat("très long été à Nîmes ", 12) + "fin"
	m.Text = "Bonjour à tous,\n.\n..deux points\nŒuvre à 10 €\nFrom nulle part\n" + strings.Repeat("é", 2000) + "\nfin"
	m.HTML = "<p>Bonjour à <b>tous</b> = 10 €</p>\n<p>" + strings.Repeat("à ", 900) + "</p>"
	m.Attachments = []router.Attachment{router.Bytes("été œuvre 漢字 – \"guillemets\"; point-virgule.txt", "text/plain", []byte("x"))}
	r.mustSend(m)
	rec := r.only()
	d := r.parse(rec)
	if got := decode(d.header.Get("Subject")); got != m.Subject {
		r.Errorf("the subject arrived as %q\nwant %q", got, m.Subject)
	}
	from, err := d.addresses("From")
	want, _ := router.ParseAddress(m.From)
	if err != nil || len(from) != 1 || *from[0] != want {
		r.Errorf("From arrived as %q (%v), want %q", d.header.Get("From"), err, want)
	}
	to, err := d.addresses("To")
	want, _ = router.ParseAddress(m.To[0])
	if err != nil || len(to) != 1 || *to[0] != want {
		r.Errorf("To arrived as %q (%v), want %q", d.header.Get("To"), err, want)
	}
	for _, body := range []string{m.Text, m.HTML} {
		found := false
		for _, t := range d.text {
			found = found || lines(t) == lines(body)
		}
		if !found {
			r.Errorf("no body arrived that reads %.60q…", body)
		}
	}
	if _, ok := d.file(m.Attachments[0].Name); !ok {
		r.Errorf("no file called %q arrived, but %q", m.Attachments[0].Name, names(d.files))
	}
	for _, line := range bytes.SplitAfter(rec.Raw, []byte("\n")) {
		if len(line) > 1000 { // RFC 5321 section 4.5.3.1.6
			r.Errorf("a line of %d bytes arrived", len(line))
		}
	}
}

// lines makes line ends one kind, and forgets those at the end.
func lines(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
}

func names(fs []File) (out []string) {
	for _, f := range fs {
		out = append(out, f.Name)
	}
	return out
}

func furtherHeaders(r *run) {
	m := r.message()
	m.ReplyTo = []string{r.address("reponse")}
	m.Headers = map[string]string{"X-Dossier": "2026/éà-12", "In-Reply-To": "<avant@example.org>"}
	m.Importance = router.ImportanceHigh
	m.ReadReceipt = true
	r.mustSend(m)
	d := r.parse(r.only())
	for name, want := range m.Headers {
		if got := decode(d.header.Get(name)); got != want {
			r.Errorf("header %s arrived as %q, want %q", name, got, want)
		}
	}
	if a, err := d.addresses("Reply-To"); err != nil || len(a) != 1 || a[0].Address != m.ReplyTo[0] {
		r.Errorf("Reply-To arrived as %q", d.header.Get("Reply-To"))
	}
	if got := d.header.Get("Importance"); !strings.EqualFold(got, "high") {
		r.Errorf("Importance arrived as %q, want high", got)
	}
	if a, err := d.addresses("Disposition-Notification-To"); err != nil || len(a) != 1 || a[0].Address != m.From {
		r.Errorf("Disposition-Notification-To arrived as %q, want %s", d.header.Get("Disposition-Notification-To"), m.From)
	}
}

func bccHidden(r *run) {
	m := r.message()
	secret := r.address("copie-cachee")
	m.Cc = []string{r.address("copie")}
	m.Bcc = []string{"Personne Cachée <" + secret + ">"}
	rc := r.mustSend(m)
	r.wantState(rc, secret, router.Accepted)
	told := false
	for _, rec := range r.Received() {
		for _, a := range rec.To {
			told = told || a == secret
		}
		if !r.FromHeaders && bytes.Contains(bytes.ToLower(rec.Raw), []byte("copie-cachee")) {
			r.Errorf("the address of Bcc stands in the mail that arrived")
		}
		if h := r.parse(rec).header.Get("Bcc"); h != "" && !r.FromHeaders {
			r.Errorf("a Bcc header arrived: %q", h)
		}
	}
	if !told {
		r.Errorf("the recipient in Bcc did not get the mail")
	}
}

func idAndDate(r *run) {
	m := r.message()
	rc := r.mustSend(m)
	d := r.parse(r.only())
	if got := d.header.Get("Message-ID"); got != "<"+m.MessageID+">" {
		r.Errorf("Message-ID arrived as %s, want <%s>", got, m.MessageID)
	}
	if n := len(d.header["Message-Id"]); n != 1 {
		r.Errorf("%d Message-ID headers arrived", n)
	}
	if date, err := d.header.Date(); err != nil || !date.Equal(m.Date) && !r.OwnDate {
		r.Errorf("Date arrived as %q, want %v", d.header.Get("Date"), m.Date)
	}
	if rc.MessageID != "" && rc.MessageID != m.MessageID {
		r.Errorf("the receipt names Message-ID %q, want %q", rc.MessageID, m.MessageID)
	}
}

func idAgain(r *run) {
	m := r.message()
	r.mustSend(m)
	r.mustSend(m)
	got := r.Received()
	if len(got) != 2 {
		r.Fatalf("the far side has %d messages, want 2", len(got))
	}
	for i, rec := range got {
		if id := r.parse(rec).header.Get("Message-ID"); id != "<"+m.MessageID+">" {
			r.Errorf("attempt %d carried Message-ID %s, want <%s>", i+1, id, m.MessageID)
		}
	}
}

func defaultSender(r *run) {
	want, err := router.ParseAddress(r.Sender.(router.DefaultSender).DefaultSender())
	if err != nil {
		r.Fatalf("DefaultSender: %v", err)
	}
	m := r.message()
	m.From = ""
	r.mustSend(m)
	rec := r.only()
	from, err := r.parse(rec).addresses("From")
	if err != nil || len(from) != 1 || from[0].Address != want.Address {
		r.Errorf("From arrived as %v (%v), want %s", from, err, want.Address)
	}
	if rec.From != "" && rec.From != want.Address {
		r.Errorf("the envelope came from %s, want %s", rec.From, want.Address)
	}
}

func unchanged(r *run) {
	m := r.message(r.address("un"), "Deux <"+r.address("deux")+">")
	m.Cc, m.Bcc, m.ReplyTo = []string{r.address("trois")}, []string{r.address("quatre")}, []string{r.address("cinq")}
	m.Headers = map[string]string{"X-Dossier": "12"}
	m.DSN = &router.DSN{Notify: []router.Notify{router.NotifySuccess, router.NotifyFailure}}
	m.Attachments = []router.Attachment{router.Bytes("a.bin", "", []byte("x"))}
	before := fingerprint(m)
	r.mustSend(m)
	if after := fingerprint(m); !reflect.DeepEqual(before, after) {
		r.Errorf("the message was\n%v\nand is now\n%v", before, after)
	}
}

// fingerprint holds all of m that can be compared.
func fingerprint(m *router.Message) []string {
	c := copyMessage(m)
	for _, list := range [2][]router.Attachment{c.Inline, c.Attachments} {
		for i := range list {
			list[i] = router.Attachment{Name: list[i].Name, MediaType: list[i].MediaType, ContentID: list[i].ContentID, Size: list[i].Size}
		}
	}
	out := []string{fmt.Sprintf("%#v %v %v", c.Envelope, c.Date, c.Importance)}
	if c.DSN != nil {
		out = append(out, fmt.Sprintf("%q", *c.DSN))
	}
	return append(out, fmt.Sprintf("%q %q %q %q %q %q %q %q %q %v %v %v %q", c.From, c.ReplyTo, c.To, c.Cc, c.Bcc,
		c.Subject, c.Text, c.HTML, c.Headers, c.ReadReceipt, c.Inline, c.Attachments, c.MessageID))
}
