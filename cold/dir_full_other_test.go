//go:build !linux

package cold

import "testing"

// smallDisk is a file system of four mebibytes.
func smallDisk(t *testing.T) string {
	t.Skip("no small disk can be mounted here")
	return ""
}
