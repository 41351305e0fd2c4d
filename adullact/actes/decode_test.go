package actes

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vaguemestre/vaguemestre"
)

const open = `<Acte xmlns="` + Namespace + `" xmlns:a="` + Namespace + `" `

// act is an act without fault, but for what the replacements make of it.
func act(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(open + `a:Date="2024-04-15" a:NumeroInterne="N1" a:CodeNatureActe="1">` +
		`<CodeMatiere1 a:CodeMatiere="3"/><CodeMatiere2 a:CodeMatiere="2"/><Objet>Objet</Objet><ClassificationDateVersion>2019-08-29</ClassificationDateVersion>` +
		`<Document><NomFichier>034-999999999-20240415-N1-DE-1-1_1.pdf</NomFichier></Document><Annexes a:Nombre="0"/></Acte>`)
}

func decodeString(t *testing.T, text string, o *Options) *Message {
	t.Helper()
	m, err := Decode(t.Context(), strings.NewReader(text), o)
	if err != nil {
		t.Fatalf("%.300s: %v", text, err)
	}
	return m
}

// What is against the norm is told with its place, and what can be read is read.
func TestDeviations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{act(), ""},
		{act(`a:`, ``), ""}, // attributes without namespace
		{act(Namespace, ""), "Acte|the namespace is not that of ACTES v1.1"},
		{act(Namespace, "http://www.interieur.gouv.fr/ACTES#v2"), "Acte|the namespace is not that of ACTES v1.1"},
		{act(`"2024-04-15"`, `"15/04/2024"`), "Acte/Date|it is not a date YYYY-MM-DD"},
		{act(`"2024-04-15"`, `""`), "Acte/Date|it is missing or empty"},
		{act(`"N1"`, `"N°1"`), "Acte/NumeroInterne|it is not 1 to 15 letters, digits, -, _ and spaces"},
		{act(`"N1"`, `"1234567890123456"`), "Acte/NumeroInterne|it is not 1 to 15 letters, digits, -, _ and spaces"},
		{act(`Acte="1"`, `Acte="9"`), "Acte/CodeNatureActe|the norm does not have this nature"},
		{act(`Acte="1"`, `Acte=""`), "Acte/CodeNatureActe|it is missing or empty"},
		{act(`<CodeMatiere2 a:CodeMatiere="2"/>`, ``), "Acte/CodeMatiere2|it is missing"},
		{act(`<CodeMatiere2 `, `<CodeMatiere4 `), "Acte/CodeMatiere4|a level of the matter is out of order, missing or twice"},
		{act(`<CodeMatiere2 `, `<CodeMatiere1 `), "Acte/CodeMatiere1|a level of the matter is out of order, missing or twice Acte/CodeMatiere2|it is missing"},
		{act(`<CodeMatiere2 a:CodeMatiere="2"`, `<CodeMatiere2 a:CodeMatiere="II"`), "Acte/CodeMatiere|it is not a number"},
		{act(`<CodeMatiere2 `, `<CodeMatiere6 `), "Acte/CodeMatiere6|the norm does not have this element here Acte/CodeMatiere2|it is missing"},
		{act(`>Objet<`, `><`), "Acte/Objet|it is missing or empty"},
		{act(`>Objet<`, `>`+strings.Repeat("é", 501)+`<`), "Acte/Objet|it is longer than 500 characters"},
		{act(`>Objet<`, `>`+strings.Repeat("é", 500)+`<`), ""},
		{act(`>2019-08-29<`, `><`), "Acte/ClassificationDateVersion|it is missing or empty"},
		{act(`034-999999999-20240415-N1-DE-1-1_1.pdf`, `Delib Adullact.pdf`), "NomFichier|it is not a name of the norm"},
		{act(`<NomFichier>034-999999999-20240415-N1-DE-1-1_1.pdf</NomFichier>`, ``), "Acte/Document|it is missing or empty"},
		{act(`Nombre="0"`, `Nombre="1"`), "Acte/Annexes|Nombre is not the number of annexes"},
		{act(`<Annexes a:Nombre="0"/>`, `<Annexes a:Nombre="1"><Fichier/></Annexes>`), "Acte/Annexes/Fichier|the norm does not have this element here Acte/Annexes|Nombre is not the number of annexes"},
		{act(`</Acte>`, `<Extra><Deep/></Extra></Acte>`), "Acte/Extra|the norm does not have this element here"},
		{act(`<Annexes`, `<Document><NomFichier>034-999999999----1-1_9.pdf</NomFichier></Document><Annexes`), "Acte/Document|an act has more than one document: the others are taken for annexes"},
		{`<ARActe xmlns="` + Namespace + `" IDActe="034-1-2" DateReception="2024-04-16"><ClassificationDateVersionEnCours>2019-08-29</ClassificationDateVersionEnCours></ARActe>`,
			"IDActe|it is not department, SIREN, date, number and nature ARActe/ActeRecu|it is missing or empty"},
		{`<ARActe xmlns="` + Namespace + `" IDActe="034-999999999-20240415-N2-DE" DateReception="2024-04-16">` + strings.NewReplacer("<Acte ", "<ActeRecu ", "</Acte>", "</ActeRecu>").Replace(act()) +
			`<ClassificationDateVersionEnCours>2019-08-29</ClassificationDateVersionEnCours></ARActe>`, "IDActe|number, date or nature are not those of the act"},
		{`<Annulation xmlns="` + Namespace + `"/>`, "IDActe|it is missing or empty"},
		{`<AnomalieActe xmlns="` + Namespace + `"><Date>2024-04-16</Date><Nature>2</Nature></AnomalieActe>`,
			"Nature|it is not three digits AnomalieActe/ActeRecu|it is missing or empty ClassificationDateVersionEnCours|it is missing or empty"},
		{`<CourrierSimple xmlns="` + Namespace + `" IDActe="034-999999999-20240415-N1-DE" DateCourrierPref="2024-04-16"/>`, "CourrierSimple|it names no document"},
		{`<RetourClassification xmlns="` + Namespace + `"/>`, "DateClassification|it is missing or empty RetourClassification|the list has no natures or no matters"},
		{`<EnveloppeCLMISILL xmlns="` + Namespace + `"/>`, "EnveloppeCLMISILL/Emetteur|it is missing or empty EnveloppeCLMISILL/FormulairesEnvoyes|it names no message"},
		{`<EnveloppeMISILLCL xmlns="` + Namespace + `"><Emetteur><IDCL SIREN="999999999" Departement="34" Arrondissement="1" Nature="31"/></Emetteur></EnveloppeMISILLCL>`,
			"EnveloppeMISILLCL/Emetteur/Departement|it is not a department of three characters EnveloppeMISILLCL/Destinataire/SIREN|it is missing or empty " +
				"EnveloppeMISILLCL/Emetteur|the sender does not fit the way of the envelope EnveloppeMISILLCL/FormulairesEnvoyes|it names no message"},
		{"<?xml version='1.0' encoding='UTF-8'?>" + act(`>Objet<`, ">\xe9cole<"), "|it is not UTF-8: read as windows-1252"},
		{"\xef\xbb\xbf\r\n" + act(), ""},
	} {
		m := decodeString(t, c.text, nil)
		var got []string
		for _, d := range m.Deviations {
			got = append(got, d.Path+"|"+d.Reason)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s\n%s, want\n%s", c.text, s, c.want)
		}
	}
	if m := decodeString(t, act(`<CodeMatiere2 `, `<CodeMatiere4 `), nil); m.Acte.Matiere() != "3.2" || len(m.Acte.Matieres) != 4 {
		t.Errorf("%+v", m.Acte)
	}
	if m := decodeString(t, act(`Acte="1"`, `Acte="9"`), nil); m.Fields()["acte_nature"] != "9" || m.Fields()["nature_libelle"] != "" {
		t.Errorf("%v", m.Fields())
	}
}

// A repeated act and a repeated, empty date (Pastell's fake TdT): the last that says
// something counts.
func TestRepeated(t *testing.T) {
	t.Parallel()
	recu := strings.NewReplacer("<Acte ", "<ActeRecu ", "</Acte>", "</ActeRecu>")
	m := decodeString(t, `<ARActe xmlns="`+Namespace+`" IDActe="034-999999999-20240415-N1-DE" DateReception="2024-04-16">`+
		act(`>Objet<`, `>one<`)+`<ClassificationDateVersionEnCours>2019-08-29</ClassificationDateVersionEnCours>`+
		recu.Replace(act(`>Objet<`, `>two<`))+`<ClassificationDateVersionEnCours/>`+`<ActeRecu/></ARActe>`, nil)
	if m.Acte.Objet != "two" || m.DateEnCours != "2019-08-29" || len(m.Deviations) != 3 {
		t.Errorf("%+v, %+v", m.Acte, m.Deviations)
	}
}

func TestPapier(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"<DocumentPapier>O</DocumentPapier>": "1", "<DocumentPapier> 1 </DocumentPapier>": "1", "<DocumentPapier>true</DocumentPapier>": "1",
		"<DocumentPapier>N</DocumentPapier>": "", "<DocumentPapier>0</DocumentPapier>": "", "<DocumentPapier/>": "", "": "",
		`<DocumentPapier xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>`: "",
	} {
		m := decodeString(t, act("</Acte>", text+"</Acte>"), nil)
		if got := m.Fields()["document_papier"]; got != want || len(m.Deviations) != 0 {
			t.Errorf("%s: %q, %v", text, got, m.Deviations)
		}
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	der := []byte{0x30, 0x03, 0x02, 0x01, 0x01}
	b64 := base64.StdEncoding.EncodeToString(der)
	for text, want := range map[string]string{
		"": "", "<Signature/>": "", "<Signature> \n</Signature>": "",
		"<Signature>\n" + b64[:4] + "\r\n&#13;" + b64[4:] + "\n</Signature>":                  "pkcs7",
		"<Signature>" + strings.TrimRight(b64, "=") + "</Signature>":                          "pkcs7",
		"<Signature>-----BEGIN PKCS7-----\n" + b64 + "\n-----END PKCS7-----</Signature>":      "pkcs7",
		`<Signature><ds:Signature xmlns:ds="d"><ds:X>a</ds:X></ds:Signature><Y/></Signature>`: "xml",
		"<Signature>====</Signature>":  "unknown",
		"<Signature>signé</Signature>": "unknown",
		"<Signature>" + base64.StdEncoding.EncodeToString([]byte("not DER")) + "</Signature>": "unknown",
	} {
		m := decodeString(t, act("</NomFichier>", "</NomFichier>"+text), nil)
		var got string
		if s := m.Acte.Document.Signature; s != nil {
			got = s.Format
			if got == "pkcs7" && string(s.DER) != string(der) {
				t.Errorf("%s: %x", text, s.DER)
			}
		}
		if got != want || m.Acte.Document.Nom == "" || m.Acte.Objet == "" || (want == "unknown") != (len(m.Deviations) == 1) {
			t.Errorf("%s: %q, want %q, %+v", text, got, want, m)
		}
	}
}

// Files of another kind are told from damaged ones, and errors quote little.
func TestRefused(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("name.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "program": string(file), "pdf": "%PDF-1.4", "html": "<!DOCTYPE html><html></html>", "PES": `<PES_Aller xmlns="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller"/>`,
		"another Acte": `<Acte xmlns="http://example.org/theatre"/>`, "long root": "<" + strings.Repeat("é", 5000) + "/>", "entities": `<!DOCTYPE Acte [<!ENTITY x "y">]>` + act(),
	} {
		_, err := Decode(t.Context(), strings.NewReader(text), nil)
		if !errors.Is(err, ErrNotActes) || vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || !strings.HasPrefix(err.Error(), "actes: ") || len(err.Error()) > 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole := act()
	for name, text := range map[string]string{
		"cut": whole[:len(whole)-9], "second root": whole + whole, "entity": act(">Objet<", ">&x;<"), "depth": act(">Objet<", ">"+strings.Repeat("<x>", 200)),
		"long text": act(">Objet<", ">"+strings.Repeat("x", 2<<20)+"<"), "many annexes": act(`Nombre="0"/>`, `Nombre="0">`+strings.Repeat("<Annexe/>", 20_001)+"</Annexes>"),
		"many matters": `<RetourClassification xmlns="` + Namespace + `"><Matieres>` + strings.Repeat(`<Matiere1/>`, 20_001) + "</Matieres></RetourClassification>",
		"deep matters": `<RetourClassification xmlns="` + Namespace + `"><Matieres>` + strings.Repeat(`<Matiere2>`, 200),
		"long":         act("</Acte>", strings.Repeat("<x/>", 1<<18)+"</Acte>"),
	} {
		o := &Options{}
		if name == "long" {
			o.Limits.XML = 1 << 20
		}
		_, err := Decode(t.Context(), strings.NewReader(text), o)
		if errors.Is(err, ErrNotActes) || vaguemestre.ClassOf(err) != vaguemestre.ClassPoison || !strings.HasPrefix(err.Error(), "actes: ") || len(err.Error()) > 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m := decodeString(t, act("</Acte>", strings.Repeat("<x/>", 1000)+"</Acte>"), nil); len(m.Deviations) != maxDeviations+1 {
		t.Errorf("%d deviations", len(m.Deviations))
	}
}

// An error of the reader is the source's, and an end of the context ends reading.
func TestReader(t *testing.T) {
	t.Parallel()
	_, err := Decode(t.Context(), io.MultiReader(strings.NewReader(act()[:200]), iotest.ErrReader(io.ErrClosedPipe)), nil)
	if !errors.Is(err, io.ErrClosedPipe) || vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
		t.Error(err)
	}
	if _, err = Decode(t.Context(), iotest.ErrReader(io.ErrClosedPipe), nil); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, ErrNotActes) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	endless := io.MultiReader(strings.NewReader(open+">"), readerFunc(func(p []byte) (int, error) {
		cancel()
		return copy(p, "<x/>"), nil
	}))
	began := time.Now()
	if _, err = Decode(ctx, endless, nil); vaguemestre.ClassOf(err) != vaguemestre.ClassCanceled || !errors.Is(err, context.Canceled) || time.Since(began) > time.Second {
		t.Error(err)
	}
	if m, err := Decode(t.Context(), iotest.OneByteReader(strings.NewReader(act())), nil); err != nil || fmt.Sprint(m.Fields()) != fmt.Sprint(decodeString(t, act(), nil).Fields()) {
		t.Errorf("byte by byte: %+v, %v", m, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
