//go:build linux || darwin || freebsd

package dirstore

import "golang.org/x/sys/unix"

// FreeSpace is what this user may still write below path, in bytes.
func FreeSpace(path string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}
