//go:build !race

package chorus

const slow = 1
