// Package settings: see the tutorial to come.
package settings
