package survival

// cpuid and xgetbv ask the processor what it can do.
//
//go:noescape
func cpuid(leaf, sub uint32) (a, b, c, d uint32)

//go:noescape
func xgetbv() uint32

//go:noescape
func tileFMA(c *float64, cStride int, a, b, w *float64, stride, rows int)

//go:noescape
func dotFMA(dst, x, b *float64, rows, stride, quads int)

//go:noescape
func sumFMA16(dst, x, v *float64, rows, stride int)

//go:noescape
func expFMA(dst, x *float64, quads int) (far bool)

//go:noescape
func sumFMA4(dst, x, v *float64, rows, stride int)

// hasFMA reports whether processor and system offer AVX2 and fused
// multiply-add.
var hasFMA = func() bool {
	const (
		fma, osxsave, avx = 1 << 12, 1 << 27, 1 << 28
		avx2              = 1 << 5
		ymm               = 6 // the system saves XMM and YMM registers
	)
	if leaves, _, _, _ := cpuid(0, 0); leaves < 7 {
		return false
	}
	_, _, c, _ := cpuid(1, 0)
	if c&(fma|osxsave|avx) != fma|osxsave|avx || xgetbv()&ymm != ymm {
		return false
	}
	_, b, _, _ := cpuid(7, 0)
	return b&avx2 != 0
}()

// tile adds Σᵢ w[i]·a[i][0…3]ᵀ·b[i][0…7] to the 4×8 tile that begins at c.
func tile(c []float64, cStride int, a, b, w []float64, stride int) {
	if !hasFMA {
		tilePlain(c, cStride, a, b, w, stride)
		return
	}
	rows := len(w)
	_, _, _ = c[3*cStride+7], a[(rows-1)*stride+3], b[(rows-1)*stride+7]
	tileFMA(&c[0], cStride, &a[0], &b[0], &w[0], stride, rows)
}

// expQuads stores exp(x) in dst for as many values as it can, from the first,
// and returns their number.
func expQuads(dst, x []float64) int {
	n := len(x) / 4 * 4
	if !hasFMA || n == 0 {
		return 0
	}
	_ = dst[n-1]
	if !expFMA(&dst[0], &x[0], n/4) {
		return n
	}
	return 0
}

// addDotQuads adds x·b to dst over as many columns as it can, from the first,
// and returns their number.
func addDotQuads(dst, x, b []float64) int {
	p := len(b)
	if !hasFMA || p < 4 || len(dst) == 0 {
		return 0
	}
	_ = x[len(dst)*p-1]
	dotFMA(&dst[0], &x[0], &b[0], len(dst), p, p/4)
	return p / 4 * 4
}

// addXtVQuads adds Σᵢ vᵢ·xᵢ to dst over as many columns as it can, from the
// first, and returns their number.
func addXtVQuads(dst, x, v []float64) int {
	p := len(dst)
	if !hasFMA || p < 4 || len(v) == 0 {
		return 0
	}
	_ = x[len(v)*p-1]
	j := 0
	for ; j+16 <= p; j += 16 {
		sumFMA16(&dst[j], &x[j], &v[0], len(v), p)
	}
	for ; j+4 <= p; j += 4 {
		sumFMA4(&dst[j], &x[j], &v[0], len(v), p)
	}
	return j
}
