package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/vaguemestre/vaguemestre/adullact"
)

// write puts the files of e into dir. An os.Root and new files only: no name leads out of
// dir or over anything.
func write(ctx context.Context, e *adullact.Envelope, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return fmt.Errorf("%s is not empty: name a new directory with -out", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	taken := map[string]bool{}
	for _, f := range e.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writeOne(root, unique(safe(f.Name), taken), f); err != nil {
			return err
		}
	}
	return nil
}

func writeOne(root *os.Root, name string, f *adullact.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

// safe makes a name that every file system takes.
func safe(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if name = strings.Trim(name, " ."); name == "" {
		return "document"
	}
	for len(name) > 150 { // the end has the extension
		_, name = name[:1], strings.ToValidUTF8(name[1:], "")
	}
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch strings.TrimRight(stem, "0123456789 ") {
	case "CON", "PRN", "AUX", "NUL", "COM", "LPT": // devices of Windows
		return "_" + name
	}
	return name
}

// unique numbers a name that was taken, without regard to case.
func unique(name string, taken map[string]bool) string {
	out := name
	for n := 2; taken[strings.ToLower(out)]; n++ {
		out = fmt.Sprintf("%d-%s", n, name)
	}
	taken[strings.ToLower(out)] = true
	return out
}
