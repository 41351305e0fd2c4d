//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: it runs on linux only: it needs dovecot and postfix")
	os.Exit(1)
}
