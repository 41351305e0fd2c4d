// Package office365 has the tests of Microsoft 365 that need whole programs: killed at
// every durable step, sending from a process of its own, refreshing from many at once. They
// run against connector/graphtest and need nothing but Go.
package office365
