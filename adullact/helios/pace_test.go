//go:build !race

package helios

import "time"

const (
	slowest = 5 * time.Second // of a bomb
	bulk    = 20 << 20        // bytes or so of a bomb
	large   = 128 << 20       // of the files that memory is measured with
)
