package anomaly

import (
	"math"
	"math/rand/v2"
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

// TestShuffleKeepsPayments: each payment stays, and so do neighbours that echo.
func TestShuffleKeepsPayments(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for n := range history {
		paid := make([]Point, n+1)
		for i := range paid {
			paid[i].Due = int32(i)
		}
		for _, stretch := range []int{1, nullStretch} {
			got := shuffle(nil, paid, stretch, r)
			seen, apart := make([]bool, len(paid)), 0
			for i, q := range got {
				seen[q.Due] = true
				if i > 0 && q.Due != got[i-1].Due+1 {
					apart++
				}
			}
			for i := range seen {
				if !seen[i] || len(got) != len(paid) {
					t.Fatalf("%d payments in stretches of %d: %v", n+1, stretch, got)
				}
			}
			if stretch > 1 && apart > len(paid)/stretch+1 {
				t.Errorf("%d of %d neighbours are apart", apart, n+1)
			}
		}
	}
}
