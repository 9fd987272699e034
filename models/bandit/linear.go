package bandit

import "math"

// The few dense routines below are written as plain loops, with products that
// the compiler may not fuse, so that a posterior has the same bits on every
// platform. All matrices are row-major.

// dot returns Σ a[i]·b[i], summed in four strands that need not wait for each
// other.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += float64(a[0] * b[0])
		s1 += float64(a[1] * b[1])
		s2 += float64(a[2] * b[2])
		s3 += float64(a[3] * b[3])
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += float64(v * b[i])
	}
	return (s0 + s1) + (s2 + s3)
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
