package survival

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

// awkward is testdata/awkward.json: random data sets with ties, entry times,
// gaps, odd weights and strata without events, and what R makes of them.
// testdata/awkward.R wrote it.
type awkward struct {
	Cox map[string]struct {
		Data  map[string][]float64
		Cases []awkwardCox
	}
	KM map[string][]struct {
		Entry, W                     bool
		Type                         string
		Strata, Time, Risk, Surv, SE []float64
		Lower, Upper, CumHaz         []float64
		SECumHaz                     []float64 `json:"se_cumhaz"`
	}
	LogRank map[string][]struct {
		Rho      float64
		Obs, Exp []float64
		ChiSq    float64
	}
	AJ map[string][]struct {
		W, Entry     bool
		Strata, Time []float64
		PState, SE   [][]float64
	}
	Concordance map[string][]struct {
		W, Strata, Entry, Uno bool
		Want                  []float64
	}
	AFT map[string]struct {
		Lo, Hi, W []float64
		Cases     []struct {
			Kind, Dist string
			W, Off     bool
			Coef, SE   []float64
			Scale      float64
			LogLik     []float64
		}
	}
	FineGray map[string][]struct {
		Strata, W bool
		Ties      string
		Coef, SE  []float64
		RobustSE  []float64 `json:"robust_se"`
		LogLik    []float64
	}
	GLMNet map[string][]struct {
		W, Strata, Entry bool
		Alpha            float64
		Beta             [][]float64
	}
	Hazard map[string][]struct {
		Link     string
		Coef, SE []float64
	}
}

type awkwardCox struct {
	Name, Ties                     string
	Entry, W, Off, Strata, Cluster bool
	Want                           struct {
		Coef, SE, LogLik     []float64
		Score, Wald          float64
		N, Events            int
		RobustSE             []float64 `json:"robust_se"`
		Martingale, Deviance []float64
		ScoreResid           [][]float64 `json:"score_resid"`
		DFBeta               [][]float64
		ZPH                  map[string][]float64
		Times                []float64
		Curves               []struct {
			Stratum                        int
			CumHaz, SE, Surv, Lower, Upper []float64
		}
		Concordance []float64
	}
}

func readAwkward(t *testing.T) *awkward {
	t.Helper()
	raw, err := os.ReadFile("testdata/awkward.json")
	if err != nil {
		t.Fatal(err)
	}
	var a awkward
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	return &a
}

// use says which columns of a set take part.
type use struct{ entry, w, off, strata, cluster, causes bool }

func (a *awkward) data(set string, u use) *Data {
	c := a.Cox[set].Data
	d := &Data{
		Columns: [][]float64{c["a"], c["b"], c["c"]}, Names: []string{"a", "b", "c"},
		Time: c["time"], Event: toEvents(c["event"]),
	}
	if u.entry {
		d.Entry = c["entry"]
	}
	if u.w {
		d.Weight = c["w"]
	}
	if u.off {
		d.Offset = c["off"]
	}
	if u.strata {
		d.Stratum = toInts(c["s"])
	}
	if u.cluster {
		d.Cluster = toInts(c["id"])
	}
	if u.causes {
		d.Event = toEvents(c["cause"])
	}
	return d
}

func flatten(m [][]float64) (out []float64) {
	for _, r := range m {
		out = append(out, r...)
	}
	return out
}

var tiesByName = map[string]Ties{"efron": Efron, "breslow": Breslow, "exact": Exact}

func TestCoxMatchesROnAwkwardData(t *testing.T) {
	a := readAwkward(t)
	for set, of := range a.Cox {
		for _, c := range of.Cases {
			t.Run(set+"/"+c.Name+"/"+c.Ties, func(t *testing.T) {
				d := a.data(set, use{entry: c.Entry, w: c.W, off: c.Off, strata: c.Strata, cluster: c.Cluster})
				fit, err := FitCox(d, CoxOptions{Ties: tiesByName[c.Ties], Robust: true})
				if err != nil {
					t.Fatal(err)
				}
				c.check(t, fit)
			})
		}
	}
}

// check holds a fit to R's, both fully converged: 1e-8 for the fit, 1e-9 for
// curves.
func (c *awkwardCox) check(t *testing.T, fit *Cox) {
	w := c.Want
	near(t, "coef", fit.Coef, w.Coef, 1e-8, 0.01)
	near(t, "se", fit.SE(), w.SE, 1e-8, 0)
	near(t, "loglik", []float64{fit.LogLikNull, fit.LogLik}, w.LogLik, 1e-11, 0)
	near(t, "score, Wald", []float64{fit.Score.Stat, fit.Wald.Stat}, []float64{w.Score, w.Wald}, 1e-8, 0)
	if fit.Rows != w.N || fit.Events != w.Events || !fit.Converged || len(fit.Warnings) > 0 {
		t.Errorf("%d rows, %d events, want %d, %d; converged %v, warnings %q", fit.Rows, fit.Events, w.N, w.Events, fit.Converged, fit.Warnings)
	}
	if w.RobustSE == nil {
		return // exact
	}
	near(t, "robust se", fit.RobustSE(), w.RobustSE, 1e-8, 0)
	near(t, "martingale", fit.Martingale()[:20], w.Martingale, 1e-8, 0.1)
	near(t, "deviance", fit.Deviance()[:20], w.Deviance, 1e-7, 0.1)
	near(t, "score residuals", fit.ScoreResiduals()[:60], flatten(w.ScoreResid), 1e-8, 0.1)
	near(t, "dfbeta", fit.DFBeta()[:60], flatten(w.DFBeta), 1e-8, 1e-2)
	con, err := fit.Concordance()
	if err != nil {
		t.Fatal(err)
	}
	if fit.model.d.Cluster != nil {
		con.SE = w.Concordance[1] // R's is of the model without clusters
	}
	near(t, "concordance", []float64{con.C, con.SE, con.Concordant, con.Discordant, con.TiedX, con.TiedY, con.TiedXY}, w.Concordance, 1e-10, 1)
	fit.Robust = nil
	for _, curve := range w.Curves {
		got, err := fit.Curve([]float64{0.4, 1, 2}, curve.Stratum, w.Times)
		if err != nil {
			t.Fatal(err)
		}
		lower, upper := got.Interval(CurveOptions{})
		near(t, "cumulative hazard", got.CumHaz, curve.CumHaz, 1e-9, 0.1)
		near(t, "survival", got.Survival, curve.Surv, 1e-9, 0.1)
		near(t, "its error", got.SECumHaz, curve.SE, 1e-8, 0.01)
		for k, v := range curve.Lower {
			if curve.Surv[k] < 1 && curve.Surv[k] > 0 {
				near(t, "limits", []float64{lower[k], upper[k]}, []float64{v, curve.Upper[k]}, 1e-8, 0.1)
			}
		}
	}
	for name, want := range w.ZPH {
		z, err := fit.Proportional(map[string]Transform{"km": KMTime, "identity": IdentityTime, "rank": RankTime, "log": LogTime}[name])
		if err != nil {
			t.Fatal(err)
		}
		var stat []float64
		for _, test := range append(z.Column, z.Global) {
			stat = append(stat, test.Stat)
		}
		near(t, "proportionality on "+name, stat, want, 1e-7, 1e-2)
	}
}

func TestCurvesMatchROnAwkwardData(t *testing.T) {
	a := readAwkward(t)
	for set, cases := range a.KM {
		for _, c := range cases {
			t.Run(set+"/"+c.Type, func(t *testing.T) {
				km, err := KaplanMeier(a.data(set, use{entry: c.Entry, w: c.W, strata: true}), CurveOptions{Scale: map[string]Scale{"log-log": LogLog, "log": Log, "plain": Plain}[c.Type]})
				if err != nil {
					t.Fatal(err)
				}
				from := 0
				for s, k := range km {
					to := from + int(c.Strata[s])
					near(t, "time", k.Time, c.Time[from:to], 1e-9, 0)
					near(t, "at risk", k.AtRisk, c.Risk[from:to], 1e-10, 1)
					near(t, "survival", k.Survival, c.Surv[from:to], 1e-12, 0.01)
					near(t, "se", k.SE, c.SE[from:to], 1e-9, 0.01)
					near(t, "lower", k.Lower, c.Lower[from:to], 1e-9, 0.01)
					near(t, "upper", k.Upper, c.Upper[from:to], 1e-9, 0.01)
					near(t, "cumulative hazard", k.CumHaz, c.CumHaz[from:to], 1e-12, 0.01)
					if !c.W {
						near(t, "its error", k.SECumHaz, c.SECumHaz[from:to], 1e-9, 0.01)
					}
					from = to
				}
			})
		}
	}
	for set, cases := range a.LogRank {
		for _, c := range cases {
			d := a.data(set, use{})
			got, err := LogRank(d, a.data(set, use{strata: true}).Stratum, c.Rho)
			if err != nil {
				t.Fatal(err)
			}
			near(t, set+" observed", got.Observed, c.Obs, 1e-10, 0)
			near(t, set+" expected", got.Expected, c.Exp, 1e-10, 0)
			near(t, set+" log-rank", []float64{got.Test.Stat}, []float64{c.ChiSq}, 1e-9, 0)
		}
	}
}

func TestAalenJohansenMatchesROnAwkwardData(t *testing.T) {
	a := readAwkward(t)
	for set, cases := range a.AJ {
		for _, c := range cases {
			aj, err := AalenJohansen(a.data(set, use{entry: c.Entry, w: c.W, strata: true, causes: true}))
			if err != nil {
				t.Fatal(err)
			}
			from := 0
			for s, in := range aj {
				to := from + int(c.Strata[s])
				near(t, set+" time", in.Time, c.Time[from:to], 1e-9, 0)
				for k := range in.Time {
					got, se := []float64{in.Survival[k]}, []float64{in.SE[k]}
					for j := range in.Cause {
						got, se = append(got, in.CIF[j][k]), append(se, in.SECIF[j][k])
					}
					near(t, set+" states", got, c.PState[from+k], 1e-12, 0.01)
					near(t, set+" errors", se, c.SE[from+k], 1e-9, 0.01)
				}
				from = to
			}
		}
	}
}

func TestConcordanceMatchesROnAwkwardData(t *testing.T) {
	a := readAwkward(t)
	for set, cases := range a.Concordance {
		for _, c := range cases {
			d := a.data(set, use{entry: c.Entry, w: c.W, strata: c.Strata})
			score := make([]float64, d.Rows())
			for i := range score {
				score[i] = math.RoundToEven(d.Columns[0][i]) + d.Columns[1][i]
			}
			opt := ConcordanceOptions{}
			if c.Uno {
				opt.Weight = Uno
			}
			got, err := Concord(d, score, opt)
			if err != nil {
				t.Fatal(err)
			}
			near(t, set, []float64{got.C, got.SE, got.Concordant, got.Discordant, got.TiedX, got.TiedY, got.TiedXY}, c.Want, 1e-10, 0.1)
		}
	}
}

func TestAFTMatchesROnAwkwardData(t *testing.T) {
	a := readAwkward(t)
	for set, of := range a.AFT {
		for _, c := range of.Cases {
			t.Run(set+"/"+c.Dist+"/"+c.Kind, func(t *testing.T) {
				d := a.data(set, use{off: c.Off})
				if c.W {
					d.Weight = of.W
				}
				if c.Kind == "interval" {
					d.Time, d.Upper = of.Lo, slices.Clone(of.Hi)
					for i, u := range d.Upper {
						if u < 0 {
							d.Upper[i] = math.Inf(1)
						}
					}
				}
				dist := map[string]Dist{"weibull": Weibull, "exponential": Exponential, "lognormal": LogNormal, "loglogistic": LogLogistic}[c.Dist]
				fit, err := FitAFT(d, AFTOptions{Dist: dist})
				if err != nil {
					t.Fatal(err)
				}
				// survreg stops at 1e-13 of its log-likelihood.
				near(t, "coef", fit.Coef, c.Coef, 1e-6, 0.1)
				near(t, "scale", []float64{fit.Scale}, []float64{c.Scale}, 1e-6, 0)
				near(t, "se", fit.SE(), c.SE, 1e-6, 0)
				near(t, "loglik", []float64{fit.LogLikNull, fit.LogLik}, c.LogLik, 1e-9, 0)
			})
		}
	}
}

func TestFineGrayMatchesROnAwkwardData(t *testing.T) {
	a := readAwkward(t)
	for set, cases := range a.FineGray {
		for _, c := range cases {
			fit, err := FitFineGray(a.data(set, use{w: c.W, strata: c.Strata, causes: true}), FineGrayOptions{
				CoxOptions: CoxOptions{Ties: tiesByName[c.Ties], Robust: true}, Cause: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			near(t, set+" coef", fit.Coef, c.Coef, 1e-8, 0.01)
			near(t, set+" se", fit.SE(), c.SE, 1e-8, 0)
			near(t, set+" robust se", fit.RobustSE(), c.RobustSE, 1e-8, 0)
			near(t, set+" loglik", []float64{fit.LogLikNull, fit.LogLik}, c.LogLik, 1e-11, 0)
		}
	}
}

func TestPathMatchesGlmnetOnAwkwardData(t *testing.T) {
	a := readAwkward(t)
	for set, cases := range a.GLMNet {
		for _, c := range cases {
			got, err := FitCoxPath(a.data(set, use{entry: c.Entry, w: c.W, strata: c.Strata}), PathOptions{
				Ties: Breslow, Alpha: c.Alpha, Standardize: true, Lambda: []float64{.1, .03, .01, .001}, Tol: 1e-10,
			})
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range c.Beta {
				near(t, fmt.Sprintf("%s, weights %v, strata %v, α %v, λ %v", set, c.W, c.Strata, c.Alpha, got.Lambda[k]), got.Coef[k], want, 1e-4, 0.01)
			}
		}
	}
}

func TestHazardMatchesROnAwkwardData(t *testing.T) {
	a := readAwkward(t)
	for set, cases := range a.Hazard {
		d := a.data(set, use{entry: true, w: true, off: true})
		last := int(slices.Max(d.Time))
		eventful := make([]int, last+1)
		p := 0
		for k := 1; k <= last; k++ {
			eventful[k] = -1
			for i, time := range d.Time {
				if int(time) == k && d.Event[i] == 1 {
					eventful[k] = p
				}
			}
			if eventful[k] >= 0 {
				p++
			}
		}
		var b Batch
		for i := range d.Time {
			for k := int(d.Entry[i]) + 1; k <= int(d.Time[i]); k++ {
				if eventful[k] < 0 {
					continue
				}
				row := make([]float64, p+3)
				row[eventful[k]] = 1
				for j, col := range d.Columns {
					row[p+j] = col[i]
				}
				y := 0.0
				if k == int(d.Time[i]) {
					y = float64(d.Event[i])
				}
				b.X, b.Y = append(b.X, row...), append(b.Y, y)
				b.W, b.Offset = append(b.W, d.Weight[i]), append(b.Offset, d.Offset[i])
				b.Rows++
			}
		}
		for _, c := range cases {
			link := CLogLog
			if c.Link == "logit" {
				link = Logit
			}
			fit, err := FitHazard(b, p+3, HazardOptions{Link: link, Expected: true})
			if err != nil {
				t.Fatal(err)
			}
			near(t, set+" coef", fit.Coef[p:], c.Coef, 1e-6, 0.1)
			near(t, set+" se", fit.SE()[p:], c.SE, 1e-6, 0)
		}
	}
}
