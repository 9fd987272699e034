package anomaly

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestNullOfNormal: where the nominal p-values are right, the Null says so, where
// they are counted and where they are extrapolated.
func TestNullOfNormal(t *testing.T) {
	var n Null
	r := rand.New(rand.NewPCG(8, 8))
	const tests = 200_000
	for range tests {
		n.Tests++
		for i := range min(nullLevels, int(r.ExpFloat64()/nullStep)+1) { // -log of a uniform
			n.Above[i]++
		}
	}
	for _, p := range []float64{0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-5} {
		// The last level that is counted was reached by some thirty: a fifth of
		// error there, and of the slope as much again over the next nats.
		if got := n.Rate(p); math.Abs(math.Log(got/p)) > 0.6 {
			t.Errorf("nominal %v is worth %v", p, got)
		}
	}
}

// TestNullIsMonotone: stronger evidence is never worth less, and what was never
// counted leaves a p-value as it is.
func TestNullIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n Null
		n.Tests = rapid.Float64Range(1000, 1e6).Draw(t, "tests")
		left := n.Tests
		for i := range n.Above {
			n.Above[i] = left
			left *= rapid.Float64Range(0, 1).Draw(t, "kept")
		}
		p := rapid.Float64Range(1e-12, 1).Draw(t, "p")
		q := rapid.Float64Range(1e-12, p).Draw(t, "q")
		a, b := n.Rate(p), n.Rate(q)
		if !(b <= a*(1+1e-12) && a <= 1 && b >= 0) {
			t.Fatalf("%v is worth %v, %v is worth %v", p, a, q, b)
		}
		if got := new(Null).Rate(p); got != p {
			t.Fatalf("unknown: %v is worth %v", p, got)
		}
	})
}

// TestShuffleKeepsPayments: where nothing echoes, each payment stays.
func TestShuffleKeepsPayments(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for n := range history {
		paid := make([]Point, n+1)
		for i := range paid {
			paid[i] = Point{int32(i), float32(r.IntN(30))}
		}
		got := new(Prior).shuffle(nil, paid, r)
		slices.SortFunc(got, func(a, b Point) int { return cmp.Compare(a.Due, b.Due) })
		if !slices.Equal(got, paid) {
			t.Fatalf("%v shuffled, in order: %v", paid, got)
		}
	}
}

// TestShuffleKeepsEcho: where payments echo, shuffled ones echo as much, around
// the same mean and as far from it, weekends or not.
func TestShuffleKeepsEcho(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 10))
	for _, workdays := range []bool{false, true} {
		p := Prior{Echo: 0.4, Workdays: workdays}
		p.Weekday[2] = 3
		const debtors, n = 4000, 12
		var was, is [3]float64 // mean, variance, product with the next
		sum := func(into *[3]float64, list []Point) {
			for i, q := range list[1:] {
				late, before := p.late(q)-p.season(q.Due), p.late(list[i])-p.season(list[i].Due)
				into[0] += late / debtors / (n - 1)
				into[1] += late * late / debtors / (n - 1)
				into[2] += late * before / debtors / (n - 1)
			}
		}
		for range debtors {
			list, last := make([]Point, n), r.NormFloat64()
			for i := range list {
				last = 0.4*last + math.Sqrt(1-0.4*0.4)*r.NormFloat64()
				due := int32(30 * i)
				list[i] = Point{due, p.paid(due, 2*last+p.season(due))}
			}
			sum(&was, list)
			sum(&is, p.shuffle(nil, list, r))
		}
		for i, name := range []string{"mean", "variance", "product with the next"} {
			if math.Abs(is[i]-was[i]) > 0.1 { // three standard errors of the product
				t.Errorf("weekends off %v: %s %v, shuffled %v", workdays, name, was[i], is[i])
			}
		}
	}
}
