package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// Flags parses the arguments of a program. done tells that the program ends with code: 0
// after -h, which prints the usage to stdout, or 2 after a sentence on stderr.
func Flags(fs *flag.FlagSet, args []string, stdout, stderr io.Writer) (code int, done bool) {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "usage of %s:\n", fs.Name())
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return 0, true
	case err != nil:
		fmt.Fprintf(stderr, "%s: %s; -h lists the flags\n", fs.Name(), Sentence(err))
		return 2, true
	case fs.NArg() > 0:
		fmt.Fprintf(stderr, "%s: %q is no flag; -h lists the flags\n", fs.Name(), fs.Arg(0))
		return 2, true
	}
	return 0, false
}
