//go:build race

package chorus

// slow is how much longer things may take: the race detector costs tenfold.
const slow = 10
