package survival

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

type kmWant struct {
	Times, Surv []float64
	NRisk       []float64  `json:"n_risk"`
	SE          []float64  `json:"se_greenwood"`
	NA          []float64  `json:"nelson_aalen"`
	SENA        []float64  `json:"se_nelson_aalen"`
	Log         *limitWant `json:"ci95_log"`
	LogLog      *limitWant `json:"ci95_loglog"`
	Plain       *limitWant `json:"ci95_plain"`
	Median      any
	MedianCI    []any   `json:"median_ci95_log"`
	Tau         float64 `json:"rmst_tau"`
	RMST        float64
	RMSTSE      float64 `json:"rmst_se"`
}

type limitWant struct{ Lower, Upper []any }

func number(v any) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	return math.NaN()
}

func checkKM(t *testing.T, d *Data, want kmWant) {
	t.Helper()
	km, err := KaplanMeier(d, CurveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := km[0]
	for k, time := range want.Times {
		p := c.At(time)
		near(t, "n_risk, surv, se", []float64{p.AtRisk, p.Survival, p.SE}, []float64{want.NRisk[k], want.Surv[k], want.SE[k]}, 1e-12, 1e-3)
		if want.NA != nil {
			near(t, "cumhaz, se", []float64{p.CumHaz, p.SECumHaz}, []float64{want.NA[k], want.SENA[k]}, 1e-12, 1e-3)
		}
	}
	for scale, w := range map[Scale]*limitWant{LogLog: want.LogLog, Log: want.Log, Plain: want.Plain} {
		if w == nil {
			continue
		}
		km, err := KaplanMeier(d, CurveOptions{Scale: scale})
		if err != nil {
			t.Fatal(err)
		}
		for k, time := range want.Times {
			if p := km[0].At(time); p.Survival > 0 && p.Survival < 1 { // R has NA at 0 and 1
				near(t, "limits", []float64{p.Lower, p.Upper}, []float64{number(w.Lower[k]), number(w.Upper[k])}, 1e-9, 1e-3)
			}
		}
		if scale == Log {
			m, lo, hi := km[0].Median()
			for k, v := range []any{want.Median, want.MedianCI[0], want.MedianCI[1]} {
				if got := []float64{m, lo, hi}[k]; got != number(v) && !(math.IsNaN(got) && math.IsNaN(number(v))) {
					t.Errorf("median[%d] = %v, want %v", k, got, v)
				}
			}
		}
	}
	if want.RMST != 0 {
		mean, se := c.RMST(want.Tau)
		near(t, "rmst", []float64{mean, se}, []float64{want.RMST, want.RMSTSE}, 1e-12, 0)
	}
}

func TestKaplanMeierAndLogRankMatchR(t *testing.T) {
	ref := readReference(t, "reference.json")
	for _, id := range []string{"rossi", "lung", "veteran", "waltons"} {
		t.Run(id, func(t *testing.T) {
			raw := ref.of("km_" + id)
			c := decode[struct {
				CSV, Time, Status, Group string
				Overall                  kmWant
				ByGroup                  map[string]kmWant `json:"by_group"`
			}](t, raw)
			tab := readTable(t, c.CSV)
			if id == "lung" {
				dead := tab.num("status")
				for i := range dead {
					dead[i]--
				}
				tab.set("dead", dead)
			}
			all := &Data{Time: tab.num(c.Time), Event: toEvents(tab.num(c.Status))}
			checkKM(t, all, c.Overall)
			labels := slices.Sorted(slices.Values(tab.text[c.Group]))
			labels = slices.Compact(labels)
			for _, label := range labels {
				part := tab.where(func(i int) bool { return tab.text[c.Group][i] == label })
				checkKM(t, &Data{Time: part.num(c.Time), Event: toEvents(part.num(c.Status))}, c.ByGroup[label])
			}
			group := make([]int, tab.n)
			for i, s := range tab.text[c.Group] {
				group[i] = slices.Index(labels, s)
			}
			for rho, key := range []string{"survdiff_rho0", "survdiff_rho1"} {
				want := decode[struct {
					ChiSq, P           float64
					Observed, Expected []float64
				}](t, decode[map[string]json.RawMessage](t, raw)[key])
				got, err := LogRank(all, group, float64(rho))
				if err != nil {
					t.Fatal(err)
				}
				near(t, key, []float64{got.Test.Stat, got.Test.P}, []float64{want.ChiSq, want.P}, 1e-9, 1e-6)
				near(t, key+" observed", got.Observed, want.Observed, 1e-12, 0)
				near(t, key+" expected", got.Expected, want.Expected, 1e-12, 0)
			}
		})
	}
	t.Run("heart, left truncated", func(t *testing.T) {
		tab := readTable(t, "heart.csv")
		want := decode[kmWant](t, ref.of("km_heart_left_truncated"))
		checkKM(t, &Data{Entry: tab.num("start"), Time: tab.num("stop"), Event: toEvents(tab.num("event"))}, want)
	})
}

func TestTimeVaryingPredictionMatchesR(t *testing.T) {
	ref := readReference(t, "reference.json")
	c := decode[coxCase](t, ref.of("heart_startstop"))
	fit, err := FitCox(c.data(readTable(t, c.CSV)), CoxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := decode[curveWant](t, ref.of("heart_timevarying_prediction"))
	// Transplanted after day 30: the path has a row per time, of what holds
	// until then.
	var path []float64
	for _, time := range want.Times {
		transplant := 0.0
		if time > 30 {
			transplant = 1
		}
		path = append(path, 0, 3, 0, transplant)
	}
	base := fit.Baselines()[0]
	got := base.PathTo(make([]float64, len(want.Times)), fit.Coef, 0, want.Times, path)
	near(t, "survival along a path", got, want.Surv, 1e-9, 0)
	later := base.PathTo(make([]float64, 2), fit.Coef, 90, []float64{180, 365}, path[4*4:])
	near(t, "survival given 90 days", later, []float64{want.Surv[4] / want.Surv[3], want.Surv[5] / want.Surv[3]}, 1e-9, 0)
}
