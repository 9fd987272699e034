package survival

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// penalised computes the penalised log-likelihood of d from the definition:
// every event's risk set row by row.
func penalised(d *Data, ties Ties, beta []float64) float64 {
	p := len(beta)
	info := mat.NewSymDense(p, nil)
	ll := 0.0
	risk := make([]float64, d.Rows())
	for i := range risk {
		eta := 0.0
		for j, b := range beta {
			eta += b * d.Columns[j][i]
		}
		if d.Offset != nil {
			eta += d.Offset[i]
		}
		risk[i] = math.Exp(eta)
		if d.Event[i] == 1 {
			ll += d.weight(i) * eta
		}
	}
	seen := map[string]bool{}
	for _, t := range d.Time {
		for stratum := range 3 {
			at := func(i int) bool {
				return d.Stratum == nil && stratum == 0 || d.Stratum != nil && d.Stratum[i] == stratum
			}
			if key := fmt.Sprint(t, stratum); seen[key] {
				continue
			} else {
				seen[key] = true
			}
			events, weight := 0, 0.0
			for i := range risk {
				if at(i) && d.Time[i] == t && d.Event[i] == 1 {
					events++
					weight += d.weight(i)
				}
			}
			for k := range events {
				share := float64(k) / float64(events)
				if ties == Breslow {
					share = 0
				}
				s0, s1, s2 := 0.0, make([]float64, p), mat.NewSymDense(p, nil)
				for i, r := range risk {
					if !at(i) || d.Time[i] < t || (d.Entry != nil && d.Entry[i] >= t) {
						continue
					}
					r *= d.weight(i)
					if d.Time[i] == t && d.Event[i] == 1 {
						r *= 1 - share
					}
					s0 += r
					for j := range p {
						s1[j] += r * d.Columns[j][i]
						for l := j; l < p; l++ {
							s2.SetSym(j, l, s2.At(j, l)+r*d.Columns[j][i]*d.Columns[l][i])
						}
					}
				}
				w := weight / float64(events)
				ll -= w * math.Log(s0)
				for j := range p {
					for l := j; l < p; l++ {
						info.SetSym(j, l, info.At(j, l)+w*(s2.At(j, l)/s0-s1[j]*s1[l]/(s0*s0)))
					}
				}
			}
		}
	}
	det, sign := mat.LogDet(info)
	if sign <= 0 {
		return math.Inf(-1)
	}
	return ll + det/2
}

// separated is data whose second column has no event, in small numbers.
func separated(n int, all bool) *Data {
	r := rand.New(rand.NewPCG(8, 9))
	d := &Data{Columns: [][]float64{make([]float64, n), make([]float64, n)}, Names: []string{"late", "silent"}, Time: make([]float64, n), Event: make([]uint8, n)}
	for i := range n {
		d.Columns[0][i] = r.NormFloat64()
		d.Time[i] = float64(1 + r.IntN(12))
		if r.Float64() < 0.6 {
			d.Event[i] = 1
		} else if r.Float64() < 0.5 {
			d.Columns[1][i] = 1
		}
	}
	if all {
		d.Entry, d.Weight, d.Offset, d.Stratum = make([]float64, n), make([]float64, n), make([]float64, n), make([]int, n)
		for i := range n {
			d.Entry[i] = math.Floor(d.Time[i] * r.Float64() * 0.6)
			d.Weight[i] = 0.5 + float64(r.IntN(3))
			d.Offset[i] = r.NormFloat64() / 3
			d.Stratum[i] = r.IntN(2)
		}
	}
	return d
}

// The maximum against a search without derivatives of the definition.
func TestFirthMaximisesThePenalisedLikelihood(t *testing.T) {
	for _, all := range []bool{false, true} {
		for _, ties := range []Ties{Efron, Breslow} {
			d := separated(60, all)
			fit, err := FitCox(d, CoxOptions{Ties: ties, Firth: true})
			if err != nil {
				t.Fatal(err)
			}
			if !fit.Converged || len(fit.Warnings) > 0 {
				t.Errorf("converged %v, warnings %q", fit.Converged, fit.Warnings)
			}
			of := func(b []float64) float64 { return penalised(d, ties, b) }
			for j, g := range fd.Gradient(nil, of, fit.Coef, &fd.Settings{Formula: fd.Central}) {
				if math.Abs(g) > 1e-6 { // central differences: about h²
					t.Errorf("%v: slope %d at the maximum is %v", ties, j, g)
				}
			}
			got, err := optimize.Minimize(optimize.Problem{Func: func(b []float64) float64 { return -of(b) }}, []float64{0, 0},
				&optimize.Settings{Converger: &optimize.FunctionConverge{Absolute: 1e-14, Iterations: 200}}, &optimize.NelderMead{})
			if err != nil {
				t.Fatal(err)
			}
			near(t, "coef", fit.Coef, got.X, 1e-5, 0.1) // a simplex knows the square of that
			near(t, "likelihood ratio", []float64{fit.LR.Stat}, []float64{2 * (of(fit.Coef) - of([]float64{0, 0}))}, 1e-9, 0)
		}
	}
}

// One event among n rows of which k have x = 1: its probability p maximises
// log p + ½·log p(1−p), so p = ¾ and exp(β) = 3(n−k)/k.
func TestFirthOfOneEvent(t *testing.T) {
	d := &Data{Columns: [][]float64{{1, 1, 0, 0, 0, 0, 0}}, Time: []float64{1, 2, 2, 3, 3, 4, 4}, Event: []uint8{1, 0, 0, 0, 0, 0, 0}}
	fit, err := FitCox(d, CoxOptions{Firth: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "coef", fit.Coef, []float64{math.Log(3 * 5.0 / 2)}, 1e-9, 0)
}

func TestSeparationFallsBack(t *testing.T) {
	d := separated(60, false)
	for name, opt := range map[string]CoxOptions{
		"fitted with a ridge of 1 instead":    {OnSeparation: RidgeOnSeparation},
		"fitted with Firth's penalty instead": {OnSeparation: FirthOnSeparation},
		ErrSeparated.Error():                  {},
	} {
		fit, err := FitCox(d, opt)
		if err != nil {
			t.Fatal(err)
		}
		said := len(fit.Warnings) == 1 && strings.HasPrefix(fit.Warnings[0], "column silent: ") && strings.HasSuffix(fit.Warnings[0], name)
		if !said || fit.Converged != (opt.OnSeparation != ReportSeparation) {
			t.Errorf("%s: converged %v, warnings %q", name, fit.Converged, fit.Warnings)
		}
		if opt.OnSeparation != ReportSeparation && !(math.Abs(fit.Coef[1]) < 10) {
			t.Errorf("%s: coefficients %v", name, fit.Coef)
		}
	}
	if _, err := FitCox(d, CoxOptions{Ties: Exact, Firth: true}); err == nil {
		t.Error("Firth's penalty with exact ties is not refused")
	}
}
