package bandit

import "math"

// The few dense routines below are written as plain loops, with products that
// the compiler may not fuse, so that a posterior has the same bits on every
// platform. All matrices are row-major.

// dot returns Σ a[i]·b[i].
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	sum := 0.0
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}

// axpy adds alpha·x to dst.
func axpy(dst []float64, alpha float64, x []float64) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] += float64(alpha * v)
	}
}

// cholesky replaces the lower triangle of the n×n matrix a with L, a = L·Lᵀ.
// It reports whether a is positive definite.
func cholesky(a []float64, n int) bool {
	for i := range n {
		row := a[i*n : i*n+i+1]
		for j := range i {
			other := a[j*n : j*n+j+1]
			row[j] = (row[j] - dot(row[:j], other[:j])) / other[j]
		}
		d := row[i] - dot(row[:i], row[:i])
		if !(d > 0) {
			return false
		}
		row[i] = math.Sqrt(d)
	}
	return true
}

// solve replaces x with (L·Lᵀ)⁻¹·x for the lower triangle L of the n×n matrix l.
func solve(l []float64, n int, x []float64) {
	for i := range n {
		x[i] = (x[i] - dot(l[i*n:i*n+i], x[:i])) / l[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		x[i] /= l[i*n+i]
		axpy(x[:i], -x[i], l[i*n:i*n+i])
	}
}

// invert stores (L·Lᵀ)⁻¹ in dst, n×n and symmetric.
func invert(dst, l []float64, n int) {
	column := make([]float64, n)
	for j := range n {
		clear(column)
		column[j] = 1
		solve(l, n, column)
		for i := j; i < n; i++ {
			dst[i*n+j] = column[i]
			dst[j*n+i] = column[i]
		}
	}
}
