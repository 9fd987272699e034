//go:build !amd64

package survival

// withoutFMA runs f.
func withoutFMA(f func()) { f() }
