package adullact

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/vaguemestre/vaguemestre/adullact/actes"
	"github.com/vaguemestre/vaguemestre/adullact/chorus"
)

// kindOfType knows the types of Pastell's flows, and those of the product's own list.
func kindOfType(typ string) Kind {
	typ = strings.ToLower(typ)
	for _, k := range []struct {
		kind     Kind
		prefixes []string
	}{
		{KindActes, []string{"actes", "ls-actes", "acte_nature"}},
		{KindHelios, []string{"helios", "ls-helios", "ls-pes"}},
		{KindChorus, []string{"facture-cpp", "facture-chorus", "facture-formulaire-pivot", "statut-facture-cpp", "chorus"}},
	} {
		for _, p := range k.prefixes {
			if strings.HasPrefix(typ, p) {
				return k.kind
			}
		}
	}
	return KindUnknown
}

// keys tell the kind by a field; what all flows share is not among them.
var keys = map[string]Kind{
	"acte_nature": KindActes, "actes_nature": KindActes, "numero_de_lacte": KindActes, "numero_de_l_acte": KindActes,
	"aractes": KindActes, "arrete": KindActes, "date_de_lacte": KindActes, "date_de_l_acte": KindActes,
	"fichier_pes": KindHelios, "fichier_pes_signe": KindHelios, "pes_acquit": KindHelios, "pes_aller": KindHelios,
	"fichier_reponse": KindHelios, "helios": KindHelios,
	"chorus_fact": KindChorus, "id_facture_cpp": KindChorus, "fichier_facture": KindChorus, "facture_pj_01": KindChorus,
	"statut_cpp": KindChorus, "is_cpp": KindChorus,
}

func kindOfFields(fields []Field) Kind {
	has := map[string]bool{}
	count := map[Kind]bool{}
	for _, f := range fields {
		has[f.Name] = true
		if k, ok := keys[f.Name]; ok {
			count[k] = true
		}
	}
	if has["id_coll"] && has["dte_str"] {
		count[KindHelios] = true
	}
	for _, k := range []Kind{KindActes, KindHelios, KindChorus} {
		if count[k] {
			return k
		}
	}
	return KindUnknown
}

// kindOfRoot knows the root elements of the three protocols.
func kindOfRoot(local, space string) Kind {
	switch local {
	case "":
		return KindUnknown
	case "PES_Aller", "PES_Retour", "PES_ACQUIT", "PES_ACQUIT_RETOUR", "PES_NonAcquit":
		return KindHelios
	case "PES":
		if strings.Contains(space, "minefi.gouv.fr/cp/helios") {
			return KindHelios
		}
	}
	switch {
	case actes.Root(local, space):
		return KindActes
	case chorus.Root(local):
		return KindChorus
	}
	return KindUnknown
}

var (
	actesName   = regexp.MustCompile(`^([A-Z0-9]{3}-|ANO_)?[ET]ACT--`)
	heliosName  = regexp.MustCompile(`^(PESALR|PES2R_|ACQUIT_PES)`)
	chorusName  = regexp.MustCompile(`(?i)^(FSO11[0-9]{2}A_|PivotS\.xml$|PJ[0-9]{2}FAC|chorus_fact)`)
	pastellName = regexp.MustCompile(`^[A-Za-z0-9]+\.yml_([a-z0-9_]+)_([0-9]+)$`)
)

func kindOfName(name string) Kind {
	switch {
	case actesName.MatchString(name):
		return KindActes
	case heliosName.MatchString(name):
		return KindHelios
	case chorusName.MatchString(name):
		return KindChorus
	}
	if n, ok := actes.ParseName(name); ok && n.Kind == actes.NameMessage {
		return KindActes
	}
	return KindUnknown
}

// fieldOfName is what Pastell's own name of a file says: "qJO7qzV.yml_pes_aller_0".
func fieldOfName(name string) (field string, n int, ok bool) {
	m := pastellName.FindStringSubmatch(name)
	if m == nil {
		return "", 0, false
	}
	n, err := strconv.Atoi(m[2])
	return m[1], n, err == nil
}
