package survival

// withoutFMA runs f as on a processor without fused multiply-add.
func withoutFMA(f func()) {
	has := hasFMA
	hasFMA = false
	f()
	hasFMA = has
}
