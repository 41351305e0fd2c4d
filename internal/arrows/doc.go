// Package arrows checks which package may import which. The table in table.go is the
// one place that says so; docs/design.md section 2 gives the reasons. A package that
// is not in the table fails the check: decide where it stands, then add its row.
package arrows
