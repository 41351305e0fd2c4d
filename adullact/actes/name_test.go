package actes

import (
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Name{
		"EACT--210600730--20180115-1.xml":            {Kind: NameEnvelope, SIREN: "210600730", Date: "20180115", Seq: "1"},
		"EACT--SPREF0441-214400152-20181012-9.xml":   {Kind: NameEnvelope, Sender: "SPREF", Departement: "044", Arrondissement: "1", SIREN: "214400152", Date: "20181012", Seq: "9"},
		"TACT--PREF02A-214400152-20181012-99.xml":    {Kind: NameEnvelope, Test: true, Sender: "PREF", Departement: "02A", SIREN: "214400152", Date: "20181012", Seq: "99"},
		"EACT--SGAR9711-214400152-20181012-9.xml":    {Kind: NameEnvelope, Sender: "SGAR", Departement: "971", Arrondissement: "1", SIREN: "214400152", Date: "20181012", Seq: "9"},
		"ANO_EACT--214400152--20180925-1.xml":        {Kind: NameEnvelope, Anomaly: true, SIREN: "214400152", Date: "20180925", Seq: "1"},
		"SLO-EACT--999999999--20240415-3.tar.gz":     {Kind: NameArchive, ITC: "SLO", SIREN: "999999999", Date: "20240415", Seq: "3"},
		"EACT--999999999--20240415-3.tar.gz":         {Kind: NameArchive, SIREN: "999999999", Date: "20240415", Seq: "3"},
		"abc-ANO_TACT--999999999--20240415-3.tar.gz": {Kind: NameArchive, ITC: "abc", Anomaly: true, Test: true, SIREN: "999999999", Date: "20240415", Seq: "3"},
		"044-214400152----1-3_1.xml":                 {Kind: NameMessage, Departement: "044", SIREN: "214400152", Code: "1-3", K: "1", Ext: "xml"},
		"999-1234----7-2_1.xml":                      {Kind: NameMessage, Departement: "999", SIREN: "1234", Code: "7-2", K: "1", Ext: "xml"},
		"034-491011698-20171207-CL20171227_06-DE-1-2.xml": {Kind: NameMessage, Departement: "034", SIREN: "491011698", Date: "20171207", Numero: "CL20171227_06",
			Nature: "DE", Code: "1-2", Ext: "xml"},
		"006-210600235-20180522-684-AI-1-2_5279.xml": {Kind: NameMessage, Departement: "006", SIREN: "210600235", Date: "20180522", Numero: "684", Nature: "AI",
			Code: "1-2", K: "5279", Ext: "xml"},
		"CO_DE-02A-210600730-20180115-2018-007 bis-AR-1-1_1.jpg": {Kind: NameMessage, TypePJ: "CO_DE", Departement: "02A", SIREN: "210600730", Date: "20180115",
			Numero: "2018-007 bis", Nature: "AR", Code: "1-1", K: "1", Ext: "jpg"},
	} {
		if got, ok := ParseName(name); !ok || got != want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	for _, name := range []string{
		"", ".xml", "EACT.xml", "EACT----1.xml", "044-214400152-20180905-4365-DE-4365-DE_0.xml", "EACT--21060073--20180115-1.xml",
		"XACT--210600730--20180115-1.xml", "../EACT--210600730--20180115-1.xml", "EACT--210600730--20180115-1.xml\n", "SLO-EACT--x.tar.gz",
		"044-214400152----8-1_1.xml", "044-214400152----1-7_1.xml", "44-214400152----1-3_1.xml", "044-214400152----1-3_1", "044-a----1-3_1.xml",
		"SLO-044-214400152----1-3_1.tar.gz", "034-" + strings.Repeat("9", 300) + "----1-3_1.xml",
	} {
		if got, ok := ParseName(name); ok {
			t.Errorf("%q: %+v", name, got)
		}
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]ID{
		"034-999999999-20240415-2024_DEL_012-DE": {"034", "999999999", "20240415", "2024_DEL_012", "DE"},
		"02B-999999999-20240415-A-1 2-AU":        {"02B", "999999999", "20240415", "A-1 2", "AU"},
	} {
		if got, ok := ParseID(id); !ok || got != want {
			t.Errorf("%s: %+v, %v", id, got, ok)
		}
	}
	for _, id := range []string{"", "034-999999999-20240415--DE", "034-999999999-20240415-1234567890123456-DE", "034-99999999-20240415-1-DE", "034-999999999-20240415-1-de"} {
		if got, ok := ParseID(id); ok {
			t.Errorf("%q: %+v", id, got)
		}
	}
}

// A name that says other things than the content is told of, and believed in nothing.
func TestNameAgainstContent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ root, name, want string }{
		{"ARActe", "034-999999999-20240415-2024_DEL_012-DE-1-2_1.xml", ""},
		{"ARActe", "034-999999999----1-2_1.xml", ""},
		{"ARActe", "2024_DEL_012-ar-actes.xml", ""},
		{"ARActe", "034-999999999-20240415-2024_DEL_012-DE-1-1_1.xml", "message code"},
		{"ARActe", "035-999999999-20240415-2024_DEL_012-DE-1-2_1.xml", "department"},
		{"ARActe", "034-999999998-20240415-2024_DEL_012-DE-1-2_1.xml", "SIREN"},
		{"ARActe", "034-999999999-20240416-2024_DEL_012-DE-1-2_1.xml", "date"},
		{"ARActe", "034-999999999-20240415-2024_DEL_013-DE-1-2_1.xml", "number"},
		{"Acte", "034-999999999-20240415-2024_DEL_013-DE-1-1_0.xml", "number"},
		{"Acte", "034-999999999-20240415-2024_DEL_012-AR-1-1_0.xml", "nature"},
		{"ARActe", "EACT--999999999--20240415-1.xml", "by its name"},
		{"EnveloppeCLMISILL", "034-999999999-20240415-2024_DEL_012-DE-1-1_0.xml", "by its name"},
		{"EnveloppeCLMISILL", "EACT--999999999--20240415-1.xml", ""},
		{"EnveloppeCLMISILL", "EACT--999999998--20240415-1.xml", "SIREN"},
		{"EnveloppeCLMISILL", "ANO_EACT--999999999--20240415-1.xml", "anomaly"},
		{"EnveloppeCLMISILL", "EACT--PREF034-999999999-20240415-1.xml", "sender"},
		{"EnveloppeCLMISILL", "EACT--SPREF0342-999999999-20240415-1.xml", "the name has another sender than the content.the name has another arrondissement than the content."},
		{"EnveloppeMISILLCL", "EACT--PREF034-999999999-20240415-1.xml", ""},
		{"EnveloppeMISILLCL", "EACT--SPREF0341-999999999-20240415-1.xml", "sender"},
		{"EnveloppeMISILLCL", "EACT--PREF035-999999999-20240415-1.xml", "department"},
		{"AnomalieEnveloppe", "ANO_EACT--999999999--20240415-1.xml", ""},
		{"AnomalieEnveloppe", "EACT--999999999--20240415-1.xml", "anomaly"},
	} {
		m := fixture(t, c.root, &Options{Name: c.name})
		var got string
		for _, d := range m.Deviations {
			got += d.Reason + "."
			if d.Path != c.name {
				t.Errorf("%s as %s: %+v", c.root, c.name, d)
			}
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.Count(got, ".") > max(1, strings.Count(c.want, ".")) {
			t.Errorf("%s as %s: %q, want %q", c.root, c.name, got, c.want)
		}
	}
	if f := fixture(t, "RetourClassification", &Options{Name: "999-1234----7-2_1.xml"}).Fields(); f["siren"] != "" || f["departement"] != "999" {
		t.Errorf("%v", f)
	}
	// The name of an act's file gives what its XML does not say.
	if f := fixture(t, "Acte", &Options{Name: "034-999999999-20240415-2024_DEL_012-DE-1-1_0.xml"}).Fields(); f["acte_unique_id"] != "034-999999999-20240415-2024_DEL_012-DE" ||
		f["siren"] != "999999999" || f["departement"] != "034" {
		t.Errorf("%v", f)
	}
}
