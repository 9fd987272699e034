package survival

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The kernels against their definition, for every width around the tiles.
func TestKernelsAreTheirDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return v
	}
	check := func(plain bool) {
		for p := 1; p <= 41; p++ {
			for _, n := range []int{0, 1, 3, gramRows, gramRows + 1, 130} {
				x, w, b := draw(n*p), draw(n), draw(p)
				dot, sum, g := draw(n), draw(p), newGram(p)
				wantDot, wantSum, wantGram := append([]float64(nil), dot...), append([]float64(nil), sum...), make([]float64, p*p)
				for i := range n {
					for j := range p {
						wantDot[i] += x[i*p+j] * b[j]
						wantSum[j] += w[i] * x[i*p+j]
						for k := j; k < p; k++ {
							wantGram[j*p+k] += w[i] * x[i*p+j] * x[i*p+k]
						}
					}
				}
				got := make([]float64, p*p)
				addDot(dot, x, b)
				addXtV(sum, x, w)
				g.add(x, w)
				g.addTo(got)
				near(t, "dot", dot, wantDot, 1e-12, 1)
				near(t, "sum", sum, wantSum, 1e-12, 1)
				near(t, "gram", got, wantGram, 1e-12, 1)
				if t.Failed() {
					t.Fatalf("%d rows of %d columns, without FMA %v", n, p, plain)
				}
			}
		}
	}
	check(false)
	withoutFMA(func() { check(true) })
}

func TestKernelsDoNotAllocate(t *testing.T) {
	d := simulated(300, 20, 1, CLogLog)
	g, dst, sum := newGram(20), make([]float64, 300), make([]float64, 20)
	if n := testing.AllocsPerRun(10, func() { g.add(d.X, d.Y); addDot(dst, d.X, sum); addXtV(sum, d.X, d.Y) }); n != 0 {
		t.Errorf("kernels allocate %v times", n)
	}
}

// expTo against the library, over all of the range and beyond it.
func TestExponentialIsTheLibrarys(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]float64, 4099)
	for i := range x {
		x[i] = (2*r.Float64() - 1) * []float64{1e-9, 1, 30, 699}[i%4]
	}
	check := func() {
		t.Helper()
		got := make([]float64, len(x))
		expTo(got, x)
		for i, v := range x {
			want := math.Exp(v)
			// Two units in the last place.
			if same := got[i] == want || math.IsNaN(want) && math.IsNaN(got[i]); !same && !(math.Abs(got[i]-want) <= 4.5e-16*want) {
				t.Errorf("exp(%v) = %v, want %v", v, got[i], want)
			}
		}
	}
	check()
	withoutFMA(check)
	x = []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, 710, -745.2, -710, 709.5, 1, -700.1}
	check()
}
