package survival

import (
	"math"
	"testing"
)

// lungRows is lung without missing values and a score that is no fit.
func lungRows(t *testing.T) (*Data, []float64) {
	t.Helper()
	c := coxCase{CSV: "lung.csv", Time: "time", Status: "dead", Covariates: []string{"age", "sex", "ph.ecog"}}
	tab := coxTable(t, "lung", c)
	d := c.data(tab)
	score := make([]float64, d.Rows())
	for i := range score {
		score[i] = d.Columns[0][i]/10 + d.Columns[2][i]
	}
	return d, score
}

// R 4.2.2, survival 3.5-3: concordance(Surv(time, dead) ~ I(age/10 + ph.ecog),
// reverse = TRUE, …).
func TestConcordanceMatchesR(t *testing.T) {
	d, score := lungRows(t)
	weighted := *d
	weighted.Weight = make([]float64, d.Rows())
	for i, sex := range d.Columns[1] {
		weighted.Weight[i] = 1 + sex/2
	}
	tests := []struct {
		name                 string
		d                    *Data
		opt                  ConcordanceOptions
		c, se                float64
		con, dis, tieX, tieY float64
	}{
		{"Harrell", d, ConcordanceOptions{}, 0.601506039318745, 0.0250587269380682, 11672, 7655, 460, 28},
		{"Uno", d, ConcordanceOptions{Weight: Uno}, 0.592689837362312, 0.0239900426151803, 14821.6534462429, 10092.9522052385, 593.591231638036, 35.2420506744852},
		{"Uno until 500", d, ConcordanceOptions{Weight: Uno, Until: 500}, 0.592795146179546, 0.0243359640201188, 13600.5973257739, 9257.71057096087, 542.090365530536, 32.3025513123206},
		{"weights", &weighted, ConcordanceOptions{}, 0.600465992819861, 0.0255353357466906, 32886, 21664.25, 1298.25, 74.75},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Concord(tc.d, score, tc.opt)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "C, SE", []float64{got.C, got.SE}, []float64{tc.c, tc.se}, 1e-12, 0)
			near(t, "counts", []float64{got.Concordant, got.Discordant, got.TiedX, got.TiedY}, []float64{tc.con, tc.dis, tc.tieX, tc.tieY}, 1e-12, 0)
		})
	}
	t.Run("entry and strata", func(t *testing.T) {
		h := readTable(t, "heart.csv")
		d := &Data{Entry: h.num("start"), Time: h.num("stop"), Event: toEvents(h.num("event")), Stratum: toInts(h.num("surgery"))}
		got, err := Concord(d, h.num("age"), ConcordanceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "C, SE", []float64{got.C, got.SE}, []float64{0.572164948453608, 0.0385941902022076}, 1e-12, 0)
		near(t, "counts", []float64{got.Concordant, got.Discordant, got.TiedX, got.TiedY}, []float64{1942, 1452, 1, 13}, 1e-14, 0)
	})
}

// The same pairs counted one by one.
func TestConcordanceCountsPairs(t *testing.T) {
	d := startStop(400)
	d.Offset = nil
	score := make([]float64, d.Rows())
	for i := range score {
		score[i] = math.Round(3 * d.Columns[0][i])
	}
	got, err := Concord(d, score, ConcordanceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var con, dis, tie float64
	for i := range d.Time {
		for j := range d.Time {
			comparable := d.Event[i] == 1 && d.Stratum[i] == d.Stratum[j] && d.Entry[j] < d.Time[i] &&
				(d.Time[i] < d.Time[j] || (d.Time[i] == d.Time[j] && d.Event[j] == 0))
			if !comparable {
				continue
			}
			w := d.Weight[i] * d.Weight[j]
			switch {
			case score[i] > score[j]:
				con += w
			case score[i] < score[j]:
				dis += w
			default:
				tie += w
			}
		}
	}
	near(t, "counts", []float64{got.Concordant, got.Discordant, got.TiedX}, []float64{con, dis, tie}, 1e-12, 0)
}

// R: survfit(Surv(time, dead) ~ 1, weights = w), whose errors are robust since
// weights are no whole numbers; and with entry and a cluster per row.
func TestWeightedKaplanMeierMatchesR(t *testing.T) {
	weights := func(n int) []float64 {
		w := make([]float64, n)
		for i := range w {
			w[i] = 0.5 + float64((i+1)%4)/4
		}
		return w
	}
	l := readTable(t, "lung.csv")
	dead := l.num("status")
	for i := range dead {
		dead[i]--
	}
	h := readTable(t, "heart.csv")
	for name, tc := range map[string]struct {
		d        *Data
		surv, se []float64
	}{
		"lung":  {&Data{Time: l.num("time"), Event: toEvents(dead), Weight: weights(l.n)}, []float64{0.958646616541353, 0.417761244631291}, []float64{0.0137231118892296, 0.0377351985823481}},
		"heart": {&Data{Entry: h.num("start"), Time: h.num("stop"), Event: toEvents(h.num("event")), Weight: weights(h.n)}, []float64{0.769583249148377, 0.313757791947022}, []float64{0.0446937127696548, 0.0507369782028344}},
	} {
		km, err := KaplanMeier(tc.d, CurveOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for k, at := range []float64{30, 365} {
			p := km[0].At(at)
			near(t, name, []float64{p.Survival, p.SE}, []float64{tc.surv[k], tc.se[k]}, 1e-10, 0)
		}
	}
}

func TestBrierAndAUCWithoutCensoringAreThePlainOnes(t *testing.T) {
	d := &Data{Time: []float64{1, 2, 3, 4, 5, 6}, Event: []uint8{1, 1, 1, 1, 1, 1}}
	g, err := NewCensoring(d)
	if err != nil {
		t.Fatal(err)
	}
	surv := []float64{0.1, 0.3, 0.2, 0.6, 0.9, 0.8}
	want := (0.01 + 0.09 + 0.04 + 0.16 + 0.01 + 0.04) / 6
	near(t, "brier", []float64{Brier(d, 3, surv, g)}, []float64{want}, 1e-14, 0)
	risk := []float64{3, 1, 1, 1, 0, 2}
	// Nine pairs: 3 wins of the first, two ties and two wins, two losses.
	near(t, "auc", []float64{AUC(d, 3, risk, g)}, []float64{(3 + 2*(0.5+1)) / 9.0}, 1e-14, 0)
	near(t, "integrated", []float64{IntegratedBrier([]float64{0, 1, 3}, []float64{0, 0.2, 0.1})}, []float64{(0.1 + 0.3) / 3}, 1e-14, 0)
}

// With censoring the weighted scores estimate those without: one large
// simulation against its own uncensored truth.
func TestCensoringIsWeightedAway(t *testing.T) {
	full := days(40000, 1, 3)
	n := full.Rows()
	risk, surv := make([]float64, n), make([]float64, n)
	cut := &Data{Time: make([]float64, n), Event: make([]uint8, n)}
	for i := range n {
		full.Event[i] = 1
		full.Time[i] = 40 * math.Exp(-full.Columns[0][i]) * float64(1+(i*31)%97) / 97
		c := 3 * float64(1+(i*57)%61)
		cut.Time[i], cut.Event[i] = full.Time[i], 1
		if c < full.Time[i] {
			cut.Time[i], cut.Event[i] = c, 0
		}
		risk[i] = full.Columns[0][i]
		surv[i] = 1 / (1 + math.Exp(risk[i]))
	}
	const at = 50
	of := func(d *Data) (brier, auc float64) {
		g, err := NewCensoring(d)
		if err != nil {
			t.Fatal(err)
		}
		return Brier(d, at, surv, g), AUC(d, at, risk, g)
	}
	b0, a0 := of(full)
	b1, a1 := of(cut)
	// Four standard errors of a mean over 40,000 rows with weights up to 2.
	if math.Abs(b0-b1) > 0.006 || math.Abs(a0-a1) > 0.012 {
		t.Errorf("Brier %v and AUC %v with censoring, %v and %v without", b1, a1, b0, a0)
	}
}

func TestCalibration(t *testing.T) {
	d := days(20000, 1, 3)
	km, err := KaplanMeier(d, CurveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	right := make([]float64, d.Rows())
	wrong := make([]float64, d.Rows())
	for i := range right {
		right[i] = 1 - km[0].At(60).Survival + 1e-9*float64(i)
		wrong[i] = right[i] - 0.2
	}
	for _, tc := range []struct {
		prob []float64
		want float64
	}{{right, 0}, {wrong, 0.2}} {
		bins, err := Calibration(d, 60, tc.prob, 10, CurveOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(bins) != 10 {
			t.Errorf("%d bins", len(bins))
		}
		// Ten bins of 2000 rows: standard error 0.01 each.
		if got := CalibrationError(bins); math.Abs(got-tc.want) > 0.03 {
			t.Errorf("calibration error %v, want about %v", got, tc.want)
		}
	}
}

func TestRMSTDifference(t *testing.T) {
	// Without censoring the area under the curve is a mean of times cut at τ.
	a := &Data{Time: []float64{2, 4, 6, 8}, Event: []uint8{1, 1, 1, 1}}
	b := &Data{Time: []float64{1, 3, 5, 9}, Event: []uint8{1, 1, 1, 1}}
	ka, err := KaplanMeier(a, CurveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kb, err := KaplanMeier(b, CurveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	diff, se, p := RMSTDifference(ka[0], kb[0], 7)
	near(t, "difference", []float64{diff}, []float64{(2+4+6+7)/4.0 - (1+3+5+7)/4.0}, 1e-14, 0)
	if !(se > 0 && p > 0 && p <= 1) {
		t.Errorf("se %v, p %v", se, p)
	}
}

// R 4.2.2, survival 3.5-3: coxph(Surv(start, stop, event) ~ age + year + surgery +
// transplant, heart, cluster = id)$concordance, the same of rx + number + size +
// strata(enum) in bladder2, and of age + sex + ph.ecog in lung with weights
// 1 + ph.ecog/2 and clusters inst.
func TestConcordanceIsClusteredAsTheModel(t *testing.T) {
	heart, bladder, lung := readTable(t, "heart.csv"), readTable(t, "bladder2.csv"), readTable(t, "lung.csv")
	lung = lung.where(func(i int) bool { return lung.text["ph.ecog"][i] != "" && lung.text["inst"][i] != "" })
	d := func(of *table, entry, time, event string, columns ...string) *Data {
		out := &Data{Time: of.num(time), Event: toEvents(of.num(event))}
		if entry != "" {
			out.Entry = of.num(entry)
		}
		for _, c := range columns {
			out.Columns = append(out.Columns, of.num(c))
		}
		return out
	}
	a := d(heart, "start", "stop", "event", "age", "year", "surgery", "transplant")
	a.Cluster = toInts(heart.num("id"))
	b := d(bladder, "start", "stop", "event", "rx", "number", "size")
	b.Cluster, b.Stratum = toInts(bladder.num("id")), toInts(bladder.num("enum"))
	c := d(lung, "", "time", "status", "age", "sex", "ph.ecog")
	c.Cluster, c.Weight = toInts(lung.num("inst")), make([]float64, lung.n)
	for i, v := range lung.num("ph.ecog") {
		c.Weight[i] = 1 + v/2
		c.Event[i]-- // of 1 and 2
	}
	for name, tc := range map[string]struct {
		d     *Data
		c, se float64
	}{
		"start-stop": {a, 0.635760123921221, 0.0331537392949609},
		"strata":     {b, 0.616493843162670, 0.0324152406007731},
		"weights":    {c, 0.636886117253807, 0.0285461629532533},
	} {
		fit, err := FitCox(tc.d, CoxOptions{})
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := fit.Concordance()
		if err != nil {
			t.Fatal(name, err)
		}
		near(t, name, []float64{got.C, got.SE}, []float64{tc.c, tc.se}, 1e-9, 0)
	}
}
