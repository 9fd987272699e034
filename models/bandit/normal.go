package bandit

// The standard normal distribution function, from a table that is computed
// with nothing but +, − and × and so has the same bits everywhere.

const (
	normalLimit = 8   // Φ(−8) < 1e-15
	normalSteps = 256 // table entries per unit
)

// normalTable holds Φ and the density φ at x = −8 + i/256.
var normalTable = makeNormalTable()

type normalPoint struct{ cdf, density float64 }

// makeNormalTable integrates the density from 0 outwards by Taylor steps:
// the derivatives of φ follow the Hermite recurrence.
func makeNormalTable() []normalPoint {
	const n = 2*normalLimit*normalSteps + 1
	const h = 1.0 / normalSteps
	const peak = 0.3989422804014327 // 1/√(2π)
	table := make([]normalPoint, n)
	middle := n / 2
	table[middle] = normalPoint{0.5, peak}
	x, density, tail := 0.0, peak, 0.5 // tail = 1 − Φ(x)
	for i := 1; i <= middle; i++ {
		// Taylor of φ around x: φ(x+t) = φ(x)·Σ c_k·t^k with
		// (k+1)·c_{k+1} = −x·c_k − c_{k−1}.
		previous, current := 0.0, 1.0
		value, area, power := 1.0, h, h
		for k := range 12 {
			next := -(float64(x*current) + previous) / float64(k+1)
			previous, current = current, next
			value += float64(next * power)
			power *= h
			area += float64(next*power) / float64(k+2)
		}
		tail = max(tail-float64(density*area), 0)
		density *= value
		x += h
		table[middle+i] = normalPoint{1 - tail, density}
		table[middle-i] = normalPoint{tail, density}
	}
	return table
}

// normal returns Φ(x) within 1e-11, by a cubic through the two nearest points
// of the table and their slopes.
func normal(x float64) float64 {
	if x <= -normalLimit {
		return 0
	}
	if x >= normalLimit {
		return 1
	}
	position := float64((x + normalLimit) * normalSteps)
	i := int(position)
	t := position - float64(i)
	p, q := normalTable[i], normalTable[i+1]
	rise := q.cdf - p.cdf
	a := p.density*(1.0/normalSteps) - rise
	b := rise - q.density*(1.0/normalSteps)
	bend := a + float64((b-a)*t)
	return p.cdf + float64(t*(rise+float64((1-t)*bend)))
}
