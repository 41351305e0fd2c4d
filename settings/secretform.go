package settings

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// maxSecretFile bounds the file of a secret, in bytes.
const maxSecretFile = 64 << 10

// secretID is what a secret is bound to: the place of the whole and the path within.
func secretID(id, path string) string { return strconv.Quote(id) + " " + path }

// secret reads a secret in one of the forms that the options take.
func (d *decoder) secret(n *node, t *tree, v reflect.Value, path string) bool {
	fail := func(en, fr string) bool {
		d.add(issueSecret(path, en, fr))
		return false
	}
	if t.kind == '"' {
		switch {
		case t.text == mask:
			return fail("is only the mask of a secret: enter the secret itself", "n'est que le masque d'un secret : saisissez le secret lui-même")
		case t.text != "" && !d.o.Literal && !d.o.Files:
			return fail("a secret in plain text is not taken here: it must be sealed", "un secret en clair n'est pas admis ici : il doit être scellé")
		}
		v.SetString(t.text)
		return true
	}
	if t.kind != '{' || len(t.members) == 0 {
		d.add(issueWrongType(path, n, t))
		return false
	}
	form := map[string]string{}
	for _, m := range t.members {
		if m.value.kind != '"' {
			d.add(issueWrongType(child(path, m.key), &node{shape: shapeText}, m.value))
			return false
		}
		form[m.key] = m.value.text
	}
	from := t.members[0].key
	at, hasAt := form["at"]
	if d.moved && hasAt {
		delete(form, "at")
		from = "sealed"
	}
	value, known := form[from]
	if !known || len(form) != 1 || (from != "env" && from != "file" && from != "sealed") {
		return fail(`give exactly one of {"env":"NAME"} and {"file":"PATH"}`, `donnez soit {"env":"NOM"}, soit {"file":"CHEMIN"}`)
	}
	var plain string
	var problem Text
	switch {
	case from == "sealed":
		sealedFor := path
		if d.moved && hasAt {
			sealedFor = at
		}
		plain, problem = d.unseal(value, sealedFor)
	case !d.o.Files:
		return fail(fmt.Sprintf("a secret from %q is not taken here", from), fmt.Sprintf("un secret tiré de %q n'est pas admis ici", from))
	case from == "env":
		plain, problem = d.fromEnv(value)
	default:
		plain, problem = d.fromFile(value)
	}
	if problem.EN != "" {
		return fail(problem.EN, problem.FR)
	}
	v.SetString(plain)
	return true
}

func (d *decoder) unseal(value, path string) (string, Text) {
	if d.o.Opener == nil {
		return "", Text{"a sealed secret is not taken here: give it anew", "un secret scellé n'est pas admis ici : saisissez-le à nouveau"}
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(value)
	if err == nil {
		var plain []byte
		if plain, err = d.o.Opener.Open(sealed, secretID(d.o.ID, path)); err == nil {
			return string(plain), Text{}
		}
	} else {
		err = ErrTampered
	}
	d.causes = append(d.causes, err)
	switch {
	case errors.Is(err, ErrWrongKey):
		return "", Text{ErrWrongKey.Error(), "scellé avec une autre clé : ajoutez celle-ci au trousseau ou saisissez le secret à nouveau"}
	case errors.Is(err, ErrTampered):
		return "", Text{ErrTampered.Error(), "le secret scellé a été modifié ou vient d'ailleurs : saisissez-le à nouveau"}
	}
	return "", Text{"the secret cannot be opened: " + err.Error(), "le secret ne peut pas être ouvert : " + err.Error()}
}

func (d *decoder) fromEnv(name string) (string, Text) {
	lookup := d.o.Env
	if lookup == nil {
		lookup = os.LookupEnv
	}
	s, ok := lookup(name)
	switch {
	case !ok:
		return "", Text{fmt.Sprintf("environment variable %s is not set: set it", quote(name)),
			fmt.Sprintf("la variable d'environnement %s n'est pas définie : définissez-la", quote(name))}
	case s == "":
		return "", Text{fmt.Sprintf("environment variable %s is empty: put the secret into it", quote(name)),
			fmt.Sprintf("la variable d'environnement %s est vide : mettez-y le secret", quote(name))}
	}
	return s, Text{}
}

func (d *decoder) fromFile(name string) (string, Text) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.o.Dir, path)
	}
	data, err := readSmall(path)
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if err != nil {
		return "", Text{fmt.Sprintf("file %s cannot be read: %v", quote(name), err),
			fmt.Sprintf("le fichier %s ne peut pas être lu : %v", quote(name), err)}
	}
	s, ok := strings.CutSuffix(string(data), "\n") // what editors and echo add
	if ok {
		s = strings.TrimSuffix(s, "\r")
	}
	if s == "" {
		return "", Text{fmt.Sprintf("file %s is empty: put the secret into it", quote(name)),
			fmt.Sprintf("le fichier %s est vide : mettez-y le secret", quote(name))}
	}
	return s, Text{}
}

// readSmall reads a regular file of at most maxSecretFile bytes.
func readSmall(path string) ([]byte, error) {
	st, err := os.Stat(path) // before opening: a named pipe would block
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err == nil && len(data) > maxSecretFile {
		err = fmt.Errorf("it has more than %d bytes", maxSecretFile)
	}
	return data, err
}
