package survival

import (
	"runtime"
	"sync"
)

// lanes is the number of independent sums into which rows are dealt. It is
// fixed, so that results are the same bits on any number of processors.
const lanes = 16

// blockRows is the number of consecutive rows dealt to one lane at a time.
const blockRows = 256

// eachLane calls work for every lane in 0…lanes−1, on as many goroutines as
// there are processors.
func eachLane(work func(lane int)) {
	workers := min(runtime.GOMAXPROCS(0), lanes)
	if workers == 1 {
		for l := range lanes {
			work(l)
		}
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for l := w; l < lanes; l += workers {
				work(l)
			}
		})
	}
	wg.Wait()
}

// addDot stores x·b + base in dst for rows of x (row-major, len(b) columns).
func addDot(dst, x, b []float64) {
	p := len(b)
	for i := range dst {
		row := x[i*p : i*p+p : i*p+p]
		var s0, s1, s2, s3 float64
		j := 0
		for ; j+4 <= p; j += 4 {
			r := (*[4]float64)(row[j:])
			c := (*[4]float64)(b[j:])
			s0 += r[0] * c[0]
			s1 += r[1] * c[1]
			s2 += r[2] * c[2]
			s3 += r[3] * c[3]
		}
		for ; j < p; j++ {
			s0 += row[j] * b[j]
		}
		dst[i] += (s0 + s1) + (s2 + s3)
	}
}

// addXtV adds Σᵢ vᵢ·xᵢ to dst; x is row-major with len(dst) columns.
func addXtV(dst, x, v []float64) {
	p := len(dst)
	i := 0
	for ; i+4 <= len(v); i += 4 {
		v0, v1, v2, v3 := v[i], v[i+1], v[i+2], v[i+3]
		r0 := x[i*p : i*p+p : i*p+p]
		r1 := x[(i+1)*p : (i+1)*p+p][:len(r0)]
		r2 := x[(i+2)*p : (i+2)*p+p][:len(r0)]
		r3 := x[(i+3)*p : (i+3)*p+p][:len(r0)]
		d := dst[:len(r0)]
		for j := range r0 {
			d[j] += (v0*r0[j] + v1*r1[j]) + (v2*r2[j] + v3*r3[j])
		}
	}
	for ; i < len(v); i++ {
		row := x[i*p : i*p+p : i*p+p]
		for j, xj := range row {
			dst[j] += v[i] * xj
		}
	}
}

// addXtWX adds the upper triangle of Σᵢ wᵢ·xᵢxᵢᵀ to dst, which is p×p and
// row-major; x is row-major with p columns and len(w) rows.
//
// The triangle is walked in 3×3 tiles, whose nine sums stay in registers while
// the rows of a block, small enough for the first-level cache, go past.
func addXtWX(dst []float64, p int, x, w []float64) {
	rows := max(16, 3072/p)
	for len(w) > 0 {
		m := min(rows, len(w))
		xtwxBlock(dst, p, x[:m*p], w[:m])
		x, w = x[m*p:], w[m:]
	}
}

func xtwxBlock(dst []float64, p int, x, w []float64) {
	j := 0
	for ; j+3 <= p; j += 3 {
		xtwxDiagonal(dst[j*p+j:], p, x[j:], w)
		k := j + 3
		for ; k+3 <= p; k += 3 {
			xtwxTile(dst[j*p+k:], p, x[j:], x[k:], w)
		}
		for ; k < p; k++ {
			var s0, s1, s2 float64
			o := 0
			for _, wi := range w {
				a := (*[3]float64)(x[o+j:])
				b := wi * x[o+k]
				s0 += a[0] * b
				s1 += a[1] * b
				s2 += a[2] * b
				o += p
			}
			dst[j*p+k] += s0
			dst[(j+1)*p+k] += s1
			dst[(j+2)*p+k] += s2
		}
	}
	for ; j < p; j++ {
		for k := j; k < p; k++ {
			s, o := 0.0, 0
			for _, wi := range w {
				s += wi * x[o+j] * x[o+k]
				o += p
			}
			dst[j*p+k] += s
		}
	}
}

func xtwxTile(dst []float64, p int, xa, xb, w []float64) {
	var s00, s01, s02, s10, s11, s12, s20, s21, s22 float64
	o := 0
	for _, wi := range w {
		a := (*[3]float64)(xa[o:])
		b := (*[3]float64)(xb[o:])
		b0, b1, b2 := wi*b[0], wi*b[1], wi*b[2]
		a0, a1, a2 := a[0], a[1], a[2]
		s00 += a0 * b0
		s01 += a0 * b1
		s02 += a0 * b2
		s10 += a1 * b0
		s11 += a1 * b1
		s12 += a1 * b2
		s20 += a2 * b0
		s21 += a2 * b1
		s22 += a2 * b2
		o += p
	}
	d := (*[3]float64)(dst)
	d[0] += s00
	d[1] += s01
	d[2] += s02
	d = (*[3]float64)(dst[p:])
	d[0] += s10
	d[1] += s11
	d[2] += s12
	d = (*[3]float64)(dst[2*p:])
	d[0] += s20
	d[1] += s21
	d[2] += s22
}

func xtwxDiagonal(dst []float64, p int, xa, w []float64) {
	var s00, s01, s02, s11, s12, s22 float64
	o := 0
	for _, wi := range w {
		a := (*[3]float64)(xa[o:])
		a0, a1, a2 := a[0], a[1], a[2]
		b1, b2 := wi*a1, wi*a2
		s00 += wi * a0 * a0
		s01 += a0 * b1
		s02 += a0 * b2
		s11 += a1 * b1
		s12 += a1 * b2
		s22 += a2 * b2
		o += p
	}
	dst[0] += s00
	dst[1] += s01
	dst[2] += s02
	dst[p+1] += s11
	dst[p+2] += s12
	dst[2*p+2] += s22
}
