package survival

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

func TestAFTMatchesSurvreg(t *testing.T) {
	ref := readReference(t, "reference.json")
	for _, id := range []string{"rossi", "lung", "veteran"} {
		raw := ref.of("aft_" + id)
		c := decode[coxCase](t, raw)
		base := decode[coxCase](t, ref.of(id))
		d := c.data(coxTable(t, id, base))
		for _, dist := range []Dist{Weibull, Exponential, LogNormal, LogLogistic} {
			t.Run(id+"/"+dist.String(), func(t *testing.T) {
				want := decode[struct {
					Coef, SE   []float64
					Scale      float64
					LogLikNull float64 `json:"loglik_null"`
					LogLik     float64
					NewX       map[string]float64
					P          []float64 `json:"quantiles_p"`
					Quantiles  []float64
				}](t, decode[map[string]json.RawMessage](t, raw)[dist.String()])
				got, err := FitAFT(d, AFTOptions{Dist: dist})
				if err != nil {
					t.Fatal(err)
				}
				if !got.Converged {
					t.Error("did not converge")
				}
				near(t, "coef", got.Coef, want.Coef, 1e-7, 0.01)
				near(t, "se", got.SE(), want.SE, 1e-7, 0)
				near(t, "scale, loglik", []float64{got.Scale, got.LogLikNull, got.LogLik}, []float64{want.Scale, want.LogLikNull, want.LogLik}, 1e-9, 0)
				var x []float64
				for _, name := range c.Covariates {
					x = append(x, want.NewX[name])
				}
				for k, p := range want.P {
					q := got.Quantile(x, p)
					near(t, "quantile", []float64{q, got.Survival(x, q)}, []float64{want.Quantiles[k], 1 - p}, 1e-7, 0)
				}
			})
		}
	}
}

func TestAFTIntervalCensoringMatchesSurvreg(t *testing.T) {
	ref := readReference(t, "reference.json")
	want := decode[struct {
		Coef, LogLik []float64
		Scale        float64
	}](t, ref.of("aft_interval_diabetes"))
	tab := readTable(t, "interval_diabetes.csv")
	left, right := tab.num("left"), tab.num("right")
	male := make([]float64, tab.n)
	for i, s := range tab.text["gender"] {
		if s == "male" {
			male[i] = 1
		}
		if tab.text["right"][i] == "Inf" || math.IsNaN(right[i]) {
			right[i] = math.Inf(1)
		}
	}
	got, err := FitAFT(&Data{Columns: [][]float64{male}, Names: []string{"male"}, Time: left, Upper: right, Event: make([]uint8, tab.n)}, AFTOptions{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "coef", got.Coef, want.Coef, 1e-7, 0.01)
	near(t, "scale, loglik", []float64{got.Scale, got.LogLikNull, got.LogLik}, []float64{want.Scale, want.LogLik[0], want.LogLik[1]}, 1e-8, 0)
}

func TestAFTDerivativesAreDifferences(t *testing.T) {
	d := &Data{
		Time: []float64{0, 2, 3, 5, 8, 1, 4}, Upper: []float64{3, 2, math.Inf(1), 9, 11, 1, math.Inf(1)},
		Event:   make([]uint8, 7),
		Columns: [][]float64{{1, 0, 2, 1, 0, 1, 3}}, Weight: []float64{1, 2, 1, 0.5, 1, 1, 3},
	}
	for _, dist := range []Dist{Weibull, Exponential, LogNormal, LogLogistic} {
		m, _, _ := newAFTModel(d, dist)
		phi := []float64{0.3, -0.2, 1.4}[:m.q]
		g, info := make([]float64, m.q), make([]float64, m.q*m.q)
		m.value(phi)
		m.derivatives(g, info)
		checkDerivatives(t, dist.String(), m, phi, g, info)
	}
}

// checkDerivatives compares gradient and information of f at b with central
// differences, whose error is about h² and rounding over h.
func checkDerivatives(t *testing.T, what string, f objective, b, grad, info []float64) {
	t.Helper()
	const h = 1e-5
	p := len(b)
	shifted := func(j int, by float64) []float64 {
		c := append([]float64(nil), b...)
		c[j] += by
		return c
	}
	for j := range p {
		hi, lo := f.value(shifted(j, h)), f.value(shifted(j, -h))
		if diff := (hi - lo) / (2 * h); math.Abs(diff-grad[j]) > 1e-6*(1+math.Abs(diff)) {
			t.Errorf("%s: gradient %d = %v, differences %v", what, j, grad[j], diff)
		}
		gh, gl, none := make([]float64, p), make([]float64, p), make([]float64, p*p)
		f.value(shifted(j, h))
		f.derivatives(gh, none)
		f.value(shifted(j, -h))
		f.derivatives(gl, none)
		for k := range p {
			got := info[min(j, k)*p+max(j, k)]
			if diff := -(gh[k] - gl[k]) / (2 * h); math.Abs(diff-got) > 1e-6*(1+math.Abs(diff)) {
				t.Errorf("%s: information %d,%d = %v, differences %v", what, j, k, got, diff)
			}
		}
	}
}

// A parametric model that has no finite estimate says which column it is, or
// that it is the scale.
func TestAFTNamesWhatRunsAway(t *testing.T) {
	separated := func() *Data {
		d := days(200, 2, 5)
		d.Names = []string{"amount", "silent"}
		for i, e := range d.Event {
			d.Columns[1][i] = 0
			if e == 0 && i%2 == 0 {
				d.Columns[1][i] = 1 // of whom nobody has the event
			}
		}
		return d
	}
	line := &Data{Time: []float64{math.E, math.Exp(2), math.Exp(3), math.Exp(4)}, Event: []uint8{1, 1, 1, 1}, Columns: [][]float64{{1, 2, 3, 4}}}
	for dist := Weibull; dist <= LogLogistic; dist++ {
		fit, err := FitAFT(separated(), AFTOptions{Dist: dist})
		if err != nil {
			t.Fatal(err)
		}
		if want := "column silent: " + ErrSeparated.Error(); fit.Converged || !slices.Contains(fit.Warnings, want) {
			t.Errorf("%v: converged %v, warnings %q, want %q", dist, fit.Converged, fit.Warnings, want)
		}
		if dist == Exponential {
			continue
		}
		if fit, err = FitAFT(line, AFTOptions{Dist: dist}); err != nil {
			t.Fatal(err)
		}
		if fit.Converged || !slices.Contains(fit.Warnings, ErrNoScale.Error()) {
			t.Errorf("%v: converged %v, warnings %q, want %q", dist, fit.Converged, fit.Warnings, ErrNoScale)
		}
	}
}
