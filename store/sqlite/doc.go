// Package sqlite keeps the state of a host in one file.
package sqlite
