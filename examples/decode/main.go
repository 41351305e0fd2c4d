// Decode prints what an envelope or a message of ACTES, PES V2 or Chorus Pro holds: a
// directory, a zip, a tar.gz, an XML file, a PDF.
//
//	go run ./examples/decode PATH [-out DIR] [-json]
//
// With -out it writes the files of the envelope into DIR, which must be empty or new, under
// safe names. It ends with 0 when all went well, with 1 after a failure and with 2 when the
// call is wrong. What is not recognized is of kind unknown, which is no failure.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/vaguemestre/vaguemestre/adullact"
	"github.com/vaguemestre/vaguemestre/examples/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var out string
	var asJSON bool
	fs := flag.NewFlagSet("decode", flag.ContinueOnError)
	fs.StringVar(&out, "out", "", "write the files into `DIR`")
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	var path string
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") { // PATH may stand before the flags
		path, args = args[0], args[1:]
	}
	fs.SetOutput(stderr)
	if err := fs.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return 0
		}
		return 2
	}
	rest := fs.Args()
	if path == "" && len(rest) > 0 {
		path, rest = rest[0], rest[1:]
	}
	if path == "" || len(rest) > 0 {
		fmt.Fprintln(stderr, "decode: name one file or directory: decode PATH [-out DIR] [-json]")
		return 2
	}
	if err := decode(ctx, path, out, asJSON, stdout); err != nil {
		fmt.Fprintln(stderr, "decode:", config.Sentence(err))
		return 1
	}
	return 0
}

func decode(ctx context.Context, path, out string, asJSON bool, stdout io.Writer) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	set := []adullact.Source{{Name: filepath.Base(path), Size: info.Size(), Open: func() (io.ReadSeekCloser, error) { return os.Open(path) }}}
	if info.IsDir() {
		if set, err = adullact.Dir(os.DirFS(path)); err != nil {
			return err
		}
	}
	e, err := adullact.Decode(ctx, set, nil)
	if err != nil {
		return err
	}
	defer e.Close()
	if out != "" {
		if err := write(ctx, e, out); err != nil {
			return err
		}
	}
	if asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(e)
	}
	return show(e, stdout)
}

// show prints e for people. What strangers wrote is quoted: it may hold control characters.
func show(e *adullact.Envelope, w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "kind   %s\n", e.Kind)
	if e.Type != "" {
		fmt.Fprintf(&b, "type   %q\n", e.Type)
	}
	if e.Title != "" {
		fmt.Fprintf(&b, "title  %q\n", e.Title)
	}
	fields := e.Index()
	fmt.Fprintf(&b, "\n%d fields\n", len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, "  %q = %q\n", name, fields[name])
	}
	fmt.Fprintf(&b, "\n%d files\n", len(e.Files))
	for _, f := range e.Files {
		fmt.Fprintf(&b, "  %q, %d bytes, role %q\n", f.Name, f.Size, f.Role)
	}
	fmt.Fprintf(&b, "\n%d pieces\n", len(e.Pieces))
	for _, p := range e.Pieces {
		fmt.Fprintf(&b, "  %s %q %q %s %d files\n", p.Kind, p.ID, p.Object, p.Amount, len(p.Files))
	}
	fmt.Fprintf(&b, "\n%d deviations\n", len(e.Deviations))
	for _, d := range e.Deviations {
		fmt.Fprintf(&b, "  %q: %q\n", d.Path, d.Reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
