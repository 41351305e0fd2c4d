package settings_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/vaguemestre/vaguemestre/settings"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	form, err := settings.Describe(new(sample))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]settings.Field{}
	for _, f := range form.Fields {
		fields[f.Key] = f
	}
	if form.Fields[0].Key != "note" || form.Fields[1].Key != "host" {
		t.Errorf("order: %s, %s", form.Fields[0].Key, form.Fields[1].Key)
	}
	text := func(en, fr string) settings.Text { return settings.Text{EN: en, FR: fr} }
	for _, want := range []settings.Field{
		{Key: "host", Type: "text", Label: text("Address", "Adresse"), Help: text("Name of the server.", "Nom du serveur."), Required: true, Format: "host"},
		{Key: "port", Type: "integer", Label: text("The port", "Le port"), Min: "1", Max: "65535"},
		{Key: "tls", Type: "text", Label: text("The tls", "Le tls"), Default: "implicit", Enum: []settings.Choice{
			{Value: "implicit", Label: text("SSL/TLS", "SSL/TLS")}, {Value: "starttls", Label: text("starttls", "starttls")}, {Value: "none", Label: text("none", "none")}}},
		{Key: "insecure", Type: "bool", Label: text("The insecure", "Le insecure"), Advanced: true, When: &settings.When{Key: "tls", Values: []string{"none"}}},
		{Key: "ca_file", Type: "text", Label: text("The ca_file", "Le ca_file"), Required: true, Format: "file", When: &settings.When{Key: "tls", Values: []string{"starttls", "none"}}},
		{Key: "password", Type: "secret", Label: text("The password", "Le password"), Secret: true, Max: "100"},
		{Key: "timeout", Type: "duration", Label: text("The timeout", "Le timeout"), Default: "1m", Min: "0s"},
		{Key: "types", Type: "list", Items: "text", Label: text("The types", "Le types"), Default: []any{"a", "b"}},
		{Key: "headers", Type: "map", Items: "text", Label: text("The headers", "Le headers")},
		{Key: "level", Type: "text", Label: text("The level", "Le level")},
	} {
		if got := fields[want.Key]; !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	for _, key := range []string{"reply", "replies", "named"} {
		f := fields[key]
		if len(f.Fields) != 3 || f.Fields[1].Key != "token" || !f.Fields[1].Secret || f.Fields[1].Label.FR != "Jeton" {
			t.Errorf("%s: %+v", key, f)
		}
	}
	if _, err := json.Marshal(form); err != nil {
		t.Error(err)
	}
	if form, err := settings.Describe(&struct{}{}); err != nil || len(form.Fields) != 0 {
		t.Errorf("no settings struct: %+v, %v", form, err)
	}
}
