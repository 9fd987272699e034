package survival

import "math"

// collinearAt is the share of a column's information that must be left after
// the columns before it are taken out; below, it counts as their combination.
// Rounding in forming the information leaves about 1e-16·n of it.
const collinearAt = 1e-11

// chol is the Cholesky factor of a symmetric positive definite matrix scaled
// to a unit diagonal, so that units of the columns do not matter.
type chol struct {
	p     int
	l     []float64 // lower triangle, row-major p×p
	scale []float64 // 1/√diagonal of the matrix
}

// factor decomposes the p×p matrix whose upper triangle is in a (row-major).
// It returns −1, or the first column without information of its own.
func (c *chol) factor(a []float64, p int) int {
	if len(c.l) != p*p {
		c.p, c.l, c.scale = p, make([]float64, p*p), make([]float64, p)
	}
	for j := range p {
		d := a[j*p+j]
		if !(d > 0) || math.IsInf(d, 0) {
			return j
		}
		c.scale[j] = 1 / math.Sqrt(d)
	}
	for j := range p {
		for i := j; i < p; i++ {
			s := a[j*p+i] * c.scale[i] * c.scale[j]
			li, lj := c.l[i*p:i*p+j], c.l[j*p:j*p+j]
			for k, v := range lj {
				s -= v * li[k]
			}
			if i == j {
				if !(s > collinearAt) {
					return j
				}
				c.l[j*p+j] = math.Sqrt(s)
			} else {
				c.l[i*p+j] = s / c.l[j*p+j]
			}
		}
	}
	return -1
}

// solve replaces b by A⁻¹b.
func (c *chol) solve(b []float64) {
	p := c.p
	for i := range p {
		s := b[i] * c.scale[i]
		for k, v := range c.l[i*p : i*p+i] {
			s -= v * b[k]
		}
		b[i] = s / c.l[i*p+i]
	}
	for i := p - 1; i >= 0; i-- {
		s := b[i]
		for k := i + 1; k < p; k++ {
			s -= c.l[k*p+i] * b[k]
		}
		b[i] = s / c.l[i*p+i]
	}
	for i := range p {
		b[i] *= c.scale[i]
	}
}

// inverse returns A⁻¹, p×p and row-major, both triangles filled.
func (c *chol) inverse() []float64 {
	p := c.p
	inv, e := make([]float64, p*p), make([]float64, p)
	for j := range p {
		clear(e)
		e[j] = 1
		c.solve(e)
		for i := range p {
			inv[i*p+j] = e[i]
		}
	}
	for i := range p {
		for j := range i {
			m := (inv[i*p+j] + inv[j*p+i]) / 2
			inv[i*p+j], inv[j*p+i] = m, m
		}
	}
	return inv
}

// collinearWith returns the columns that together make up column j of the
// matrix whose upper triangle is a: those with weight in the combination that
// leaves no information.
func (c *chol) collinearWith(a []float64, p, j int) []int {
	if j == 0 {
		return nil
	}
	sub := make([]float64, j*j)
	for i := range j {
		copy(sub[i*j:i*j+j], a[i*p:i*p+j])
	}
	var s chol
	if s.factor(sub, j) >= 0 {
		return nil
	}
	b := make([]float64, j)
	for i := range j {
		b[i] = a[i*p+j]
	}
	s.solve(b)
	var with []int
	for i := range j {
		// The share of column j that column i carries, in units of j.
		if math.Abs(b[i])*math.Sqrt(a[i*p+i]) > 1e-4*math.Sqrt(a[j*p+j]) {
			with = append(with, i)
		}
	}
	return with
}

// collinearError names column j and those that it is made of.
func collinearError(a []float64, p, j int, names []string) error {
	if !(a[j*p+j] > 0) {
		return &ColumnError{Columns: []string{columnName(names, j)}, Row: -1, Err: ErrConstant}
	}
	var c chol
	cols := []string{columnName(names, j)}
	for _, i := range c.collinearWith(a, p, j) {
		cols = append(cols, columnName(names, i))
	}
	return &ColumnError{Columns: cols, Row: -1, Err: ErrCollinear}
}

// soft is the soft-threshold operator: z moved towards zero by t.
func soft(z, t float64) float64 {
	switch {
	case z > t:
		return z - t
	case z < -t:
		return z + t
	}
	return 0
}

// quadraticL1 minimises ½(b−b0)ᵀA(b−b0) − gᵀ(b−b0) + Σ l1ⱼ|bⱼ| over b by
// coordinate descent, starting from what b holds. The upper triangle of A is
// in a (p×p, row-major, positive diagonal wherever a column may move).
func quadraticL1(b, b0, g, a, l1 []float64, p int) {
	full := make([]float64, p*p)
	for i := range p {
		for j := i; j < p; j++ {
			full[i*p+j], full[j*p+i] = a[i*p+j], a[i*p+j]
		}
	}
	// r = g − A(b − b0) is the negative gradient of the smooth part.
	r := make([]float64, p)
	copy(r, g)
	for j := range p {
		if d := b[j] - b0[j]; d != 0 {
			for k, v := range full[j*p : j*p+p] {
				r[k] -= v * d
			}
		}
	}
	active := make([]bool, p)
	sweep := func(only bool) float64 {
		worst := 0.0
		for j := range p {
			if only && !active[j] {
				continue
			}
			row := full[j*p : j*p+p]
			if !(row[j] > 0) {
				continue
			}
			nb := soft(r[j]+row[j]*b[j], l1[j]) / row[j]
			d := nb - b[j]
			if d == 0 {
				continue
			}
			b[j] = nb
			active[j] = true
			for k, v := range row {
				r[k] -= v * d
			}
			worst = max(worst, row[j]*d*d)
		}
		return worst
	}
	// The stop is far below the decrement at which Newton stops.
	const small = 1e-20
	for range 1000 {
		if sweep(false) < small {
			return
		}
		for range 10000 {
			if sweep(true) < small {
				break
			}
		}
	}
}
