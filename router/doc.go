// Package router: see the tutorial to come.
package router
