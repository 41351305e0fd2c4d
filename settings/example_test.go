package settings_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/vaguemestre/vaguemestre/settings"
)

// Printer is a settings struct.
type Printer struct {
	Host     string          `key:"host" required:"true" format:"host"`
	Port     int             `key:"port" default:"631" min:"1" max:"65535"`
	Password settings.Secret `key:"password"`
	Timeout  time.Duration   `key:"timeout" default:"30s" min:"1s"`
}

// Labels are the texts of the form.
func (*Printer) Labels() map[string]settings.Label {
	text := func(en, fr string) settings.Text { return settings.Text{EN: en, FR: fr} }
	return map[string]settings.Label{
		"host":     {Name: text("Address", "Adresse"), Help: text("Name of the printer on the network.", "Nom de l'imprimante sur le réseau.")},
		"port":     {Name: text("Port", "Port")},
		"password": {Name: text("Password", "Mot de passe")},
		"timeout":  {Name: text("Time limit", "Délai maximal")},
	}
}

func ExampleDecode() {
	var p Printer
	err := settings.Decode([]byte(`{"host":"imp-1.mondaine.fr","password":{"env":"PW"}}`), &p, &settings.DecodeOptions{
		Files: true,
		Env:   func(string) (string, bool) { return "geheim", true },
	})
	fmt.Println(p, err)

	err = settings.Decode([]byte(`{"hosts":"imp-1","port":0}`), &p, nil)
	fmt.Println(err)

	var issues settings.Issues
	if errors.As(err, &issues) {
		for _, i := range issues {
			fmt.Printf("%s | %s | %s\n", i.Path, i.Code, i.Message.FR)
		}
	}
	// Output:
	// {imp-1.mondaine.fr 631 ••• 30s} <nil>
	// settings: decode: hosts: unknown key "hosts": did you mean "host"?; port: must be between 1 and 65535; host: is missing: give a value
	// hosts | unknown_key | clé inconnue "hosts" : vouliez-vous dire "host" ?
	// port | out_of_range | doit se situer entre 1 et 65535
	// host | required | valeur obligatoire : à renseigner
}

func ExampleRegistry() {
	var printers settings.Registry[*Printer]
	err := printers.Register(settings.Kind[*Printer]{
		Name:    "ipp",
		Title:   settings.Text{EN: "Network printer", FR: "Imprimante réseau"},
		New:     func() *Printer { return new(Printer) },
		Version: 2,
		Migrations: []settings.Migration{
			func(m map[string]any) (map[string]any, error) { // version 1 called it "address"
				m["host"] = m["address"]
				delete(m, "address")
				return m, nil
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := printers.Open(settings.Instance{Name: "accueil", Kind: "ipp", Version: 1, Settings: []byte(`{"address":"imp-1"}`)}, nil)
	fmt.Println(p.Host, p.Port, err)

	p, err = printers.Open(settings.Instance{Name: "étage", Kind: "ipp", Settings: []byte(`{}`)}, nil)
	var incomplete *settings.Incomplete
	fmt.Println(errors.As(err, &incomplete), incomplete.Missing[0].Path, p.Port)

	_, err = printers.Open(settings.Instance{Kind: "ip"}, nil)
	fmt.Println(err)
	// Output:
	// imp-1 631 <nil>
	// true host 631
	// settings: open "ip": unknown kind "ip": did you mean "ipp"? use one of ipp
}

func ExampleKeyring() {
	key, err := settings.ParseKey("pjFn0bV0tvFQQ2DRBKMl7SLyGuZK0kmQ0t0YFkTxAVE=") // never in code: from the host's environment
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := settings.NewKeyring(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, err := settings.Encode(&Printer{Host: "imp-1", Password: "geheim"}, keys, "ipp/accueil")
	fmt.Println(len(stored) > 0, err)

	var p Printer
	err = settings.Decode(stored, &p, &settings.DecodeOptions{Opener: keys, ID: "ipp/accueil"})
	fmt.Println(p.Password, p.Password.Reveal(), err)

	err = settings.Decode(stored, &p, &settings.DecodeOptions{Opener: keys, ID: "ipp/elsewhere"})
	fmt.Println(errors.Is(err, settings.ErrTampered))
	// Output:
	// true <nil>
	// ••• geheim <nil>
	// true
}
