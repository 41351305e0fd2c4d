//go:build race

package helios

import "time"

const (
	slowest = 50 * time.Second
	bulk    = 1 << 20 // bytes or so of a bomb
	large   = 8 << 20
)
