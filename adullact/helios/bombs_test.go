package helios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

// repeated gives a beginning, n times the same, and an end, without holding them.
func repeated(begin, unit string, n int, end string) io.Reader {
	return io.MultiReader(strings.NewReader(begin), &repeater{unit: unit, n: n}, strings.NewReader(end))
}

type repeater struct {
	unit string
	at   int
	n    int
}

func (r *repeater) Read(p []byte) (n int, err error) {
	for n < len(p) && r.n > 0 {
		k := copy(p[n:], r.unit[r.at:])
		n += k
		if r.at += k; r.at == len(r.unit) {
			r.at = 0
			r.n--
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

const (
	refused = "refused" // an error of class poison
	read    = "read"    // no error
	alien   = "not"     // ErrNotPES
)

// Bombs and tricks: each ends within seconds, in bounded memory, with the summary in bounds,
// and nothing that it says quotes more than a line.
func TestBombs(t *testing.T) {
	const (
		pjs   = head + "<PES_PJ>"
		pjEnd = "</PES_PJ>" + tail
		dep   = head + "<PES_DepenseAller>"
		depE  = "</PES_DepenseAller>" + tail
		piece = "<Bordereau><Piece><BlocPiece><InfoPce>"
		ack   = `<PES_ACQUIT xmlns="` + minefi + `pes_v2/Rev0/retour/v2"><ACQUIT>`
	)
	x := func(n int) string { return strings.Repeat("x", n) }
	laughs := `<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>`
	nested := zipped(make([]byte, 3<<20))
	for range 5 {
		nested = zipped(nested)
	}
	xmlBomb := zipped([]byte(head + strings.Repeat("<a>", 100_000)))
	for name, c := range map[string]struct {
		in   io.Reader
		want string
	}{
		"billion laughs":                  {strings.NewReader(laughs + head + "<x>&c;</x>" + tail), alien},
		"external DTD":                    {strings.NewReader(`<!DOCTYPE PES_Aller SYSTEM "file:///etc/passwd">` + head + tail), alien},
		"public DTD":                      {strings.NewReader(`<!DOCTYPE PES_Aller PUBLIC "-//W3C" "http://example.org/x.dtd">` + head + tail), alien},
		"DTD after the root":              {strings.NewReader(head + tail + laughs), refused},
		"DTD within":                      {strings.NewReader(head + laughs + tail), refused},
		"entity in a value":               {strings.NewReader(head + `<a V="&c;"/>` + tail), refused},
		"entity in a document":            {strings.NewReader(holding("A", "AAAA&file;")), refused},
		"entity of no character":          {strings.NewReader(head + `<a V="&#x110000;"/>` + tail), refused},
		"zero as a reference":             {strings.NewReader(holding("A", "AAAA&#0;")), read},
		"processing instruction":          {strings.NewReader(head + `<?php system("x") ?>` + tail), read},
		"stylesheet":                      {strings.NewReader(`<?xml version="1.0"?><?xml-stylesheet href="file:///etc/passwd"?>` + head[43:] + tail), read},
		"inclusion":                       {strings.NewReader(head + `<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>` + tail), read},
		"second root":                     {strings.NewReader(head + tail + "<PES_Aller/>"), refused},
		"text after":                      {strings.NewReader(head + tail + "x"), refused},
		"endless text after":              {repeated(head+tail, "x", bulk, ""), refused},
		"endless space after":             {repeated(head+tail, " ", bulk, ""), read},
		"endless zeros after":             {repeated(head+tail, "\x00", bulk, ""), read},
		"endless space before":            {repeated("", "\n", bulk, head[43:]+tail), read},
		"endless zeros":                   {repeated("", "\x00", bulk, ""), alien},
		"endless name":                    {repeated("<", "x", bulk, ""), alien},
		"endless value":                   {repeated(head+`<a V="`, "x", bulk, ""), refused},
		"endless end tag":                 {repeated(head+"</", "x", bulk, ""), refused},
		"endless comment":                 {repeated(head+"<!--", "-x", bulk/2, ""), refused},
		"endless instruction":             {repeated(head+"<?x ", "?x", bulk/2, ""), refused},
		"endless CDATA":                   {repeated(head+"<a><![CDATA[", "]]x", bulk/4, ""), refused},
		"endless text":                    {repeated(head+"<CodCol>", "x", bulk, ""), refused},
		"deep":                            {repeated(head, "<a>", bulk/4, ""), refused},
		"deep pieces":                     {repeated(dep, "<Bordereau><Piece>", 1<<20, ""), refused},
		"deep details":                    {repeated(ack+"<ElementACQUIT>", "<DetailPiece>", 1<<20, ""), refused},
		"attributes":                      {repeated(head+"<a ", `b="1" `, 100_000, "/>"), refused},
		"namespaces":                      {repeated(head+"<a ", `xmlns:b="1" `, 50_000, "/>"), refused},
		"namespaces, deep":                {repeated(head, "<a "+strings.Repeat(`xmlns:b="1" `, 200)+">", 200, ""), refused},
		"names, each another":             {many(head, bulk/100, tail, func(i int) string { return fmt.Sprintf("<a%d/>", i) }), read},
		"parts, each with PJRef":          {many(head, bulk/200, tail, func(i int) string { return fmt.Sprintf("<p><PJRef><IdUnique V='%d'/></PJRef></p>", i) }), read},
		"bordereaux":                      {repeated(dep, "<Bordereau/>", bulk/40, depE), read},
		"pieces":                          {repeated(dep+"<Bordereau>", "<Piece/>", bulk/40, "</Bordereau>"+depE), read},
		"pieces with long values":         {repeated(dep+"<Bordereau>", "<Piece><BlocPiece><Obj V='"+x(2000)+"'/></BlocPiece></Piece>", 30_000, "</Bordereau>"+depE), read},
		"values that are 1 MB":            {repeated(head+"<Enveloppe><Parametres>", "<NomFic V='"+x(1<<20-100)+"'/>", bulk>>20, "</Parametres></Enveloppe>"+tail), read},
		"references":                      {many(dep+piece, bulk/100, "</InfoPce></BlocPiece></Piece></Bordereau>"+depE, func(i int) string { return fmt.Sprintf("<PJRef><IdUnique V='%d'/></PJRef>", i) }), read},
		"third parties":                   {many(dep+"<Bordereau><Piece><LigneDePiece>", bulk/200, "</LigneDePiece></Piece></Bordereau>"+depE, func(i int) string { return fmt.Sprintf("<Tiers><InfoTiers><Nom V='%d'/></InfoTiers></Tiers>", i) }), read},
		"acknowledgements":                {repeated(ack, "<ElementACQUIT><EtatAck V='1'/></ElementACQUIT>", bulk/100, "</ACQUIT></PES_ACQUIT>"), read},
		"errors":                          {repeated(ack+"<ElementACQUIT>", "<Erreur><NumAnoAck V='E'/></Erreur>", bulk/100, "</ElementACQUIT></ACQUIT></PES_ACQUIT>"), read},
		"signatures":                      {repeated(head, "<Signature/>", bulk/80, tail), read},
		"a certificate that is endless":   {repeated(head+"<Signature><X509Certificate>", "TUlJ", bulk/4, "</X509Certificate></Signature>"+tail), read},
		"certificates":                    {repeated(head+"<Signature>", "<X509Certificate>MAMCAQE=</X509Certificate>", bulk/200, "</Signature>"+tail), read},
		"documents that are empty":        {many(pjs, bulk/500, pjEnd, func(i int) string { return fmt.Sprintf("<PJ><IdUnique V='%d'/></PJ>", i) }), read},
		"documents of one byte":           {many(pjs, bulk/2000, pjEnd, func(i int) string { return pjText(fmt.Sprint(i), "YQ==") }), read},
		"documents in one PJ":             {repeated(pjs+"<PJ><Contenu>", "<Fichier>YQ==</Fichier>", bulk/2000, "</Contenu></PJ>"+pjEnd), read},
		"a document of junk":              {repeated(pjs+"<PJ><Contenu><Fichier>", "*é ", bulk/4, "</Fichier></Contenu></PJ>"+pjEnd), read},
		"a document of padding":           {repeated(pjs+"<PJ><Contenu><Fichier>", "=", bulk, "</Fichier></Contenu></PJ>"+pjEnd), read},
		"a document of padded characters": {repeated(pjs+"<PJ><Contenu><Fichier>", "QQ==", bulk/16, "</Fichier></Contenu></PJ>"+pjEnd), read},
		"a document that does not end":    {repeated(pjs+"<PJ><Contenu><Fichier>", "AAAA", bulk/4, ""), refused},
		"a document of elements":          {repeated(pjs+"<PJ><Contenu><Fichier>", "<a>AAAA</a>", bulk/50, "</Fichier></Contenu></PJ>"+pjEnd), read},
		"a document of CDATA":             {repeated(pjs+"<PJ><Contenu><Fichier>", "<![CDATA[AAAA]]>", bulk/50, "</Fichier></Contenu></PJ>"+pjEnd), read},
		"gzip bomb":                       {strings.NewReader(holding("A", b64(zipped(make([]byte, 12<<20))))), read},
		"gzip in gzip":                    {strings.NewReader(holding("A", b64(nested))), read},
		"gzip of empty members":           {repeated(pjs+"<PJ><Contenu><Fichier>", b64(bytes.Repeat(zipped(nil), 3)), bulk/800, "</Fichier></Contenu></PJ>"+pjEnd), read},
		"gzip name that is endless":       {repeated(pjs+"<PJ><Contenu><Fichier>"+b64([]byte("\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03aa")), "YWFh", bulk/16, "</Fichier></Contenu></PJ>"+pjEnd), read},
		"PES bomb in a document":          {strings.NewReader(holding("A", b64(xmlBomb))), read},
		"deviations":                      {many(pjs, bulk/500, pjEnd, func(i int) string { return fmt.Sprintf("<PJ><IdUnique V='%d'/><NomPJ V='../%d'/></PJ>", i%10, i) }), read},
		"UTF-16":                          {strings.NewReader("\xff\xfe" + wide(head[43:]+tail)), read},
		"UTF-7":                           {strings.NewReader("<?xml version='1.0' encoding='UTF-7'?>+ADw-PES_Aller+AD4-"), alien},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			p := &peak{r: c.in, base: before.HeapAlloc}
			begin := time.Now()
			f, err := Decode(context.Background(), p, &Options{Personal: true, Inner: true, Scratch: t.TempDir(),
				Out: func(_ *File, r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }})
			runtime.ReadMemStats(&after)
			p.look(&after)
			switch {
			case c.want == read && (err != nil || f == nil), c.want == refused && (f == nil || vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || errors.Is(err, ErrNotPES)),
				c.want == alien && (f != nil || !errors.Is(err, ErrNotPES)):
				t.Errorf("%v, %v", f != nil, err)
			}
			if err != nil && len(err.Error()) > 300 {
				t.Errorf("a long error: %.1000v", err)
			}
			if took := time.Since(begin); took > slowest {
				t.Errorf("it took %v", took)
			}
			if p.most > 128<<20 {
				t.Errorf("%d MB of memory", p.most>>20)
			}
			if f == nil {
				return
			}
			listed := len(f.Bordereaux) + len(f.Signatures) + len(f.Files)
			for _, b := range f.Bordereaux {
				listed += len(b.Pieces)
			}
			if listed > 200_001 || len(f.Deviations) > maxDeviations+1 || len(f.Parts) > 100 {
				t.Errorf("%d items, %d deviations, %d parts", listed, len(f.Deviations), len(f.Parts))
			}
			for _, d := range f.Deviations {
				if len(d.Path)+len(d.Reason) > 1000 {
					t.Errorf("a long deviation: %.100v", d)
				}
			}
		})
	}
}

// many gives a beginning, what each gives from 0 to n-1, and an end.
func many(begin string, n int, end string, each func(int) string) io.Reader {
	return io.MultiReader(strings.NewReader(begin), &maker{each: each, n: n}, strings.NewReader(end))
}

type maker struct {
	each  func(int) string
	i, n  int
	ahead string
}

func (m *maker) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if m.ahead == "" {
			if m.i == m.n {
				break
			}
			m.ahead = m.each(m.i)
			m.i++
		}
		k := copy(p[n:], m.ahead)
		n, m.ahead = n+k, m.ahead[k:]
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func wide(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		b.WriteByte(0)
	}
	return b.String()
}

// peak looks at the heap while it is read.
type peak struct {
	r    io.Reader
	n    int64
	base uint64
	most int64
}

func (p *peak) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.n += int64(n); p.n > 4<<20 {
		p.n = 0
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		p.look(&m)
	}
	return n, err
}

func (p *peak) look(m *runtime.MemStats) { p.most = max(p.most, int64(m.HeapAlloc)-int64(p.base)) }

// The summary of a file of more pieces than it holds stays in bounds, counts all, and says what it left out.
func TestSummaryFull(t *testing.T) {
	t.Parallel()
	f, err := Decode(context.Background(), repeated(head+"<PES_DepenseAller><Bordereau><BlocBordereau><IdBord V='1'/></BlocBordereau>",
		"<Piece><BlocPiece><InfoPce><IdPce V='1'/></InfoPce></BlocPiece><LigneDePiece/></Piece>", 60_000,
		"</Bordereau></PES_DepenseAller><PES_PJ>"+pjText("LAST", "YQ==")+"</PES_PJ>"+tail), nil)
	if err != nil || f.Totals.Pieces != 60_000 || f.Totals.Lines != 60_000 || f.Bordereaux[0].PieceCount != 60_000 {
		t.Fatalf("%+v, %v", f.Totals, err)
	}
	if n := len(f.Bordereaux[0].Pieces); n < 30_000 || n > maxPieces {
		t.Errorf("%d pieces are listed", n)
	}
	if !strings.Contains(fmt.Sprint(f.Deviations), "summary is full") || f.Totals.Files != 1 {
		t.Errorf("%v, %+v", f.Deviations, f.Totals)
	}
}
