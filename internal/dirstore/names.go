package dirstore

import (
	"fmt"
	"strings"
)

// nothingBeside is the suffix of a file that comes alone.
const nothingBeside = ""

// pickName finds a name that is free: name itself, else "name (2).ext" and so on. The
// name with the suffix of what comes beside it must be free as well.
func (s *Store) pickName(name string, beside string, taken map[string]bool) (string, error) {
	var failed error
	open := func(n string) bool {
		if taken[n] {
			return false
		}
		there, err := exists(s.root, s.rootDir, n)
		if err != nil {
			failed = err
			return true
		}
		return !there
	}
	free := func(n string) bool { return open(n) && (beside == nothingBeside || open(n+beside)) }
	if free(name) {
		delete(s.numbers, name)
		return name, failed
	}
	// Double until one is free, then close in: names are taken from below.
	stem, ext := SplitExt(name)
	nth := func(n int) string { return fmt.Sprintf("%s (%d)%s", stem, n, ext) }
	if n := s.numbers[name]; n > 0 && free(nth(n+1)) { // as the last time
		s.numbers[name] = n + 1
		return nth(n + 1), failed
	}
	lo, hi := 1, 2
	for !free(nth(hi)) {
		lo, hi = hi, 2*hi
	}
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; free(nth(mid)) {
			hi = mid
		} else {
			lo = mid
		}
	}
	if s.numbers == nil || len(s.numbers) >= 4096 {
		s.numbers = map[string]int{}
	}
	s.numbers[name] = hi
	return nth(hi), failed
}

// SplitExt parts a name before its extension; an extension is short and holds no space.
func SplitExt(s string) (stem, ext string) {
	i := strings.LastIndexByte(s, '.')
	if i <= 0 || len(s)-i > 32 || strings.ContainsRune(s[i:], ' ') {
		return s, ""
	}
	return s[:i], s[i:]
}
