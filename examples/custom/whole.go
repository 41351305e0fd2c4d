package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// errUnsure means that a file is in its place, but that a power cut may still undo that.
var errUnsure = errors.New("the directory could not be flushed to disk")

// writeWhole makes a new file in dir, under a name of its own that ends in ext, and
// returns that name. Who looks into dir sees the whole file or nothing, and what was
// returned without an error survives a power cut.
func writeWhole(dir, ext string, write func(io.Writer) error) (string, error) {
	name := rand.Text() + ext // 130 bits: never taken
	temp := filepath.Join(dir, name+".tmp")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	err = write(f)
	if err == nil {
		err = f.Sync() // the content first, then its name
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(temp, filepath.Join(dir, name))
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(temp))
	}
	if err := syncDir(dir); err != nil {
		return name, fmt.Errorf("%w: %w", errUnsure, err)
	}
	return name, nil
}

// syncDir makes the names in a directory survive a power cut.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // directories cannot be flushed there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
