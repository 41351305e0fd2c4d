// Package unpack takes containers of strangers apart: zip, tar, gzip and tar.gz, TNEF
// (winmail.dat) and opaque S/MIME (p7m).
//
// [Walk] goes through one container once, within bounds that hold whatever its headers
// say, and gives each entry as a stream: memory does not grow with the container, and
// nothing is written anywhere. It opens one level; its caller, who knows what room is
// left, calls it again for what is inside.
package unpack
