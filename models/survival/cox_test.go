package survival

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"
)

// coxCase is one Cox case of the reference results.
type coxCase struct {
	CSV, Time, Status              string
	Start, Strata, Weights, Offset *string
	Cluster                        *string
	Covariates                     []string
	N, NEvent                      int
	Efron, Breslow, Exact          *coxWant
}

type coxWant struct {
	Coef, SE   []float64
	VCov       [][]float64
	LogLikNull float64   `json:"loglik_null"`
	LogLik     float64   `json:"loglik"`
	Score      float64   `json:"score_test"`
	Wald       float64   `json:"wald_test"`
	LR         float64   `json:"lr_test"`
	RobustSE   []float64 `json:"robust_se"`

	Concordance *struct {
		C, SE  float64
		Counts map[string]float64
	}
	Baseline json.RawMessage `json:"baseline_x0"`
	AtNewX   json.RawMessage `json:"at_newx"`
	First5   struct {
		Martingale, Deviance []float64
		Score                [][]float64 `json:"score_resid"`
		DFBeta               [][]float64
		Schoenfeld           [][]float64
		LP                   []float64 `json:"lp_uncentered"`
	}
	ZPH map[string]struct {
		Term  []string
		ChiSq []float64
		P     []float64
	} `json:"cox_zph"`
}

type curveWant struct {
	X                   json.RawMessage
	Times, CumHaz, Surv []float64
	SECumHaz            []float64 `json:"se_cumhaz"`
	SESurv              []float64 `json:"se_surv"`
}

// coxTable reads the data of a case and derives the columns that its spec
// names.
func coxTable(t *testing.T, id string, c coxCase) *table {
	t.Helper()
	d := readTable(t, c.CSV)
	switch id {
	case "rossi_weighted_offset":
		prio, age := d.num("prio"), d.num("age")
		w, off := make([]float64, d.n), make([]float64, d.n)
		for i := range w {
			w[i] = 1 + float64(int(prio[i])%3)
			off[i] = (age[i] - 25) / 100
		}
		d.set("w", w)
		d.set("off", off)
	case "lung", "lung_strata_sex":
		status := d.num("status")
		for i := range status {
			status[i]--
		}
		d.set("dead", status)
		d = d.where(func(i int) bool {
			return d.text["ph.ecog"][i] != "" && d.text["age"][i] != "" && d.text["sex"][i] != ""
		})
	case "veteran":
		for _, cell := range []string{"smallcell", "adeno", "large"} {
			v := make([]float64, d.n)
			for i, s := range d.text["celltype"] {
				if s == cell {
					v[i] = 1
				}
			}
			d.set("cell_"+cell, v)
		}
	case "bladder2_ag":
		start, stop := d.num("start"), d.num("stop")
		d = d.where(func(i int) bool { return stop[i] > start[i] })
	}
	return d
}

func toEvents(v []float64) []uint8 {
	out := make([]uint8, len(v))
	for i, e := range v {
		out[i] = uint8(e)
	}
	return out
}

func toInts(v []float64) []int {
	out := make([]int, len(v))
	for i, e := range v {
		out[i] = int(e)
	}
	return out
}

func (c coxCase) data(d *table) *Data {
	out := &Data{Names: c.Covariates, Time: d.num(c.Time), Event: toEvents(d.num(c.Status))}
	for _, name := range c.Covariates {
		out.Columns = append(out.Columns, d.num(name))
	}
	if c.Start != nil {
		out.Entry = d.num(*c.Start)
	}
	if c.Strata != nil {
		out.Stratum = toInts(d.num(*c.Strata))
	}
	if c.Weights != nil {
		out.Weight = d.num(*c.Weights)
	}
	if c.Offset != nil {
		out.Offset = d.num(*c.Offset)
	}
	if c.Cluster != nil {
		out.Cluster = toInts(d.num(*c.Cluster))
	}
	return out
}

var coxCases = []string{
	"rossi", "rossi_weighted_offset", "rossi_strata_race", "lung", "lung_strata_sex",
	"veteran", "heart_startstop", "bladder2_ag",
}

// R's fits were run to full convergence, so what separates the two is
// rounding: 1e-8 relative, as agreed for Cox, 1e-9 for curves.
func TestCoxMatchesR(t *testing.T) {
	ref := readReference(t, "reference.json")
	for _, id := range coxCases {
		c := decode[coxCase](t, ref.of(id))
		d := c.data(coxTable(t, id, c))
		for _, ties := range []Ties{Efron, Breslow, Exact} {
			want := map[Ties]*coxWant{Efron: c.Efron, Breslow: c.Breslow, Exact: c.Exact}[ties]
			if want == nil {
				continue
			}
			t.Run(id+"/"+ties.String(), func(t *testing.T) {
				fit, err := FitCox(d, CoxOptions{Ties: ties, Robust: true})
				if err != nil {
					t.Fatal(err)
				}
				checkCox(t, fit, want, c, d)
			})
		}
	}
}

func checkCox(t *testing.T, fit *Cox, want *coxWant, c coxCase, d *Data) {
	t.Helper()
	p := len(c.Covariates)
	if !fit.Converged || fit.Rows != c.N || fit.Events != c.NEvent || len(fit.Warnings) > 0 {
		t.Errorf("converged %v, %d rows, %d events, warnings %v", fit.Converged, fit.Rows, fit.Events, fit.Warnings)
	}
	// R stops when the log-likelihood rests within 1e-13: up to 1e-9 standard
	// errors from the maximum, which shows where a coefficient is all but zero.
	for j, want := range want.Coef {
		if diff := math.Abs(fit.Coef[j] - want); diff > 1e-8*math.Abs(want) && diff > 1e-9*fit.SE()[j] {
			t.Errorf("coef[%d] = %.15g, want %.15g", j, fit.Coef[j], want)
		}
	}
	near(t, "se", fit.SE(), want.SE, 1e-8, 0)
	var cov []float64
	for _, row := range want.VCov {
		cov = append(cov, row...)
	}
	near(t, "vcov", fit.Cov, cov, 1e-8, 1e-4)
	near(t, "loglik", []float64{fit.LogLikNull, fit.LogLik}, []float64{want.LogLikNull, want.LogLik}, 1e-11, 0)
	near(t, "tests", []float64{fit.Score.Stat, fit.Wald.Stat, fit.LR.Stat}, []float64{want.Score, want.Wald, want.LR}, 1e-8, 0)
	if want.RobustSE == nil {
		return // exact: R stops here
	}
	near(t, "robust se", fit.RobustSE(), want.RobustSE, 1e-8, 0)

	con, err := fit.Concordance()
	if err != nil {
		t.Fatal(err)
	}
	w := want.Concordance
	near(t, "concordance counts", []float64{con.Concordant, con.Discordant, con.TiedX, con.TiedY, con.TiedXY},
		[]float64{w.Counts["concordant"], w.Counts["discordant"], w.Counts["tied.x"], w.Counts["tied.y"], w.Counts["tied.xy"]}, 1e-14, 1)
	near(t, "concordance", []float64{con.C}, []float64{w.C}, 1e-9, 0)
	if d.Cluster == nil { // R's is of the model without them: see TestConcordanceIsClusteredAsTheModel
		near(t, "error of the concordance", []float64{con.SE}, []float64{w.SE}, 1e-9, 0)
	}

	f5 := want.First5
	near(t, "martingale", fit.Martingale()[:5], f5.Martingale, 1e-8, 0.1)
	near(t, "deviance", fit.Deviance()[:5], f5.Deviance, 1e-8, 0.1)
	flat := func(m [][]float64) (out []float64) {
		for _, r := range m {
			out = append(out, r...)
		}
		return out
	}
	near(t, "score residuals", fit.ScoreResiduals()[:5*p], flat(f5.Score), 1e-7, 0.1)
	near(t, "dfbeta", fit.DFBeta()[:5*p], flat(f5.DFBeta), 1e-7, 1e-3)
	sch, _ := fit.Schoenfeld()
	near(t, "schoenfeld", sch[:5*p], flat(f5.Schoenfeld), 1e-8, 0.1)

	naive, err := FitCox(d, CoxOptions{Ties: fit.Ties})
	if err != nil {
		t.Fatal(err)
	}
	naive.Robust = nil
	for _, raw := range []json.RawMessage{want.Baseline, want.AtNewX} {
		if c.Strata == nil {
			checkCurve(t, naive, 0, decode[curveWant](t, raw), c.Covariates, nil)
			continue
		}
		for label, one := range decode[map[string]json.RawMessage](t, raw) {
			if label == "x" {
				continue
			}
			s, err := strconv.Atoi(label)
			if err != nil {
				t.Fatal(err)
			}
			var x map[string]float64
			if string(raw) == string(want.AtNewX) {
				x = map[string]float64{}
				for _, name := range c.Covariates {
					sum := 0.0
					for _, v := range d.Columns[len(x)] {
						sum += v
					}
					// round(colMeans, 3), as in reference.R
					x[name], _ = strconv.ParseFloat(strconv.FormatFloat(sum/float64(d.Rows()), 'f', 3, 64), 64)
				}
			}
			checkCurve(t, naive, s, decode[curveWant](t, one), c.Covariates, x)
		}
	}
	transforms := map[string]Transform{"km": KMTime, "identity": IdentityTime, "rank": RankTime, "log": LogTime}
	for name, z := range want.ZPH {
		if z.ChiSq == nil {
			continue
		}
		got, err := naive.Proportional(transforms[name])
		if err != nil {
			t.Fatal(err)
		}
		var stat, pv []float64
		for _, test := range append(got.Column, got.Global) {
			stat = append(stat, test.Stat)
			pv = append(pv, test.P)
		}
		near(t, "zph "+name, stat, z.ChiSq, 1e-7, 1e-2)
		near(t, "zph p "+name, pv, z.P, 1e-7, 1e-6)
	}
}

func checkCurve(t *testing.T, fit *Cox, stratum int, want curveWant, names []string, x map[string]float64) {
	t.Helper()
	if x == nil && want.X != nil {
		x = decode[map[string]float64](t, want.X)
	}
	row := make([]float64, len(names))
	for j, name := range names {
		row[j] = x[name]
	}
	got, err := fit.Curve(row, stratum, want.Times)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "cumhaz", got.CumHaz, want.CumHaz, 1e-9, 0.1)
	near(t, "se cumhaz", got.SECumHaz, want.SECumHaz, 1e-8, 0.01)
	near(t, "surv", got.Survival, want.Surv, 1e-9, 0.1)
}
