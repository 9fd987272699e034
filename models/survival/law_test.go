package survival

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawn is a small data set of everything at once: ties, entry, strata,
// weights, offsets, and two columns that matter.
func drawn(t *rapid.T) *Data {
	n := rapid.IntRange(40, 150).Draw(t, "n")
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 7))
	d := &Data{
		Columns: [][]float64{make([]float64, n), make([]float64, n)}, Names: []string{"a", "b"},
		Time: make([]float64, n), Event: make([]uint8, n), Entry: make([]float64, n), Weight: make([]float64, n),
		Offset: make([]float64, n), Stratum: make([]int, n),
	}
	levels := rapid.IntRange(5, 60).Draw(t, "distinct times")
	for i := range n {
		d.Columns[0][i], d.Columns[1][i] = r.NormFloat64(), float64(r.IntN(3))
		d.Time[i] = float64(1 + r.IntN(levels))
		d.Entry[i] = math.Floor(d.Time[i] * r.Float64() * 0.7)
		if r.Float64() < 0.7 {
			d.Event[i] = uint8(1 + r.IntN(2))
		}
		d.Weight[i] = float64(1 + r.IntN(3))
		d.Offset[i] = r.NormFloat64() / 4
		d.Stratum[i] = r.IntN(2)
	}
	return d
}

func mustCox(t *rapid.T, d *Data, ties Ties) *Cox {
	fit, err := FitCox(d, CoxOptions{Ties: ties, Robust: true})
	if err != nil {
		t.Skip("drawn without information: ", err) // rapid draws another
	}
	if !fit.Converged || len(fit.Warnings) > 0 {
		t.Skip("separated")
	}
	return fit
}

// equal fails where two fits differ by more than rounding.
func equal(t *rapid.T, what string, a, b []float64) {
	for i := range b {
		if math.Abs(a[i]-b[i]) > 1e-8*(1+math.Abs(b[i])) {
			t.Fatalf("%s: %v, want %v", what, a, b)
		}
	}
}

func TestCoxLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawn(t)
		ties := rapid.SampledFrom([]Ties{Efron, Breslow}).Draw(t, "ties")
		fit := mustCox(t, d, ties)

		t.Log("a weight of k is k rows")
		rows := &Data{Names: d.Names, Columns: make([][]float64, 2)}
		if ties == Breslow { // under Efron rows of one weight share, copies take turns
			for i, w := range d.Weight {
				for range int(w) {
					for j, c := range d.Columns {
						rows.Columns[j] = append(rows.Columns[j], c[i])
					}
					rows.Time, rows.Event, rows.Entry = append(rows.Time, d.Time[i]), append(rows.Event, d.Event[i]), append(rows.Entry, d.Entry[i])
					rows.Offset, rows.Stratum = append(rows.Offset, d.Offset[i]), append(rows.Stratum, d.Stratum[i])
				}
			}
			again := mustCox(t, rows, ties)
			equal(t, "coef of copies", again.Coef, fit.Coef)
			equal(t, "covariance of copies", again.Cov, fit.Cov)
		}

		t.Log("strata of one level are none")
		one, none := *d, *d
		one.Stratum, none.Stratum = slices.Repeat([]int{4}, d.Rows()), nil
		equal(t, "one stratum", mustCox(t, &one, ties).Coef, mustCox(t, &none, ties).Coef)

		t.Log("the unit of time changes nothing but times")
		hours := *d
		hours.Time, hours.Entry = slices.Clone(d.Time), slices.Clone(d.Entry)
		for i := range hours.Time {
			hours.Time[i] *= 24
			hours.Entry[i] *= 24
		}
		scaled := mustCox(t, &hours, ties)
		equal(t, "coef in hours", scaled.Coef, fit.Coef)
		equal(t, "robust in hours", scaled.Robust, fit.Robust)

		t.Log("units of covariates change coefficients alone")
		unit := *d
		unit.Columns = [][]float64{slices.Clone(d.Columns[0]), slices.Clone(d.Columns[1])}
		for i := range unit.Time {
			unit.Columns[0][i] = unit.Columns[0][i]*1e9 + 5e9
		}
		big := mustCox(t, &unit, ties)
		equal(t, "scaled column", []float64{big.Coef[0] * 1e9, big.Coef[1]}, fit.Coef)
		equal(t, "log-likelihood", []float64{big.LogLik}, []float64{fit.LogLik})

		t.Log("martingale and score residuals add up to nothing")
		sum, scores := 0.0, make([]float64, 2)
		s := fit.ScoreResiduals()
		for i, r := range fit.Martingale() {
			sum += d.Weight[i] * r
			scores[0] += d.Weight[i] * s[2*i]
			scores[1] += d.Weight[i] * s[2*i+1]
		}
		equal(t, "residuals", append(scores, sum), []float64{0, 0, 0})

		t.Log("survival starts at one and never rises")
		curve, err := fit.Curve([]float64{0.3, 1}, d.Stratum[0], []float64{0, 1, 2, 5, 10, 30, 60, 100})
		if err != nil {
			t.Skip("no event in the stratum")
		}
		last := 1.0
		for _, v := range curve.Survival {
			if v > last || v < 0 {
				t.Fatalf("survival %v", curve.Survival)
			}
			last = v
		}
	})
}

func TestCoxDerivativesAreDifferences(t *testing.T) {
	d := startStop(300)
	for _, ties := range []Ties{Efron, Breslow, Exact} {
		small := *d
		if ties == Exact {
			small = *d.subset(func(i int) bool { return i%10 < 4 })
			small.Weight = nil
		}
		m, err := newCoxModel(&small, 1, ties, false)
		if err != nil {
			t.Fatal(err)
		}
		b := []float64{0.2, -0.1, 0.3, 0}
		g, info := make([]float64, 4), make([]float64, 16)
		m.value(b)
		m.derivatives(g, info)
		checkDerivatives(t, ties.String(), m, b, g, info)
	}
	fg := competingVeteran(t)
	m, err := newCoxModel(fg, 2, Efron, true)
	if err != nil {
		t.Fatal(err)
	}
	if m.sub, err = newSubdistribution(m, EventsFirst); err != nil {
		t.Fatal(err)
	}
	b := []float64{0.2, -0.01, 0.01}
	g, info := make([]float64, 3), make([]float64, 9)
	m.value(b)
	m.derivatives(g, info)
	const h = 1e-7 // columns of size 60 want a smaller step
	for j := range b {
		hi, lo := slices.Clone(b), slices.Clone(b)
		hi[j] += h
		lo[j] -= h
		if diff := (m.value(hi) - m.value(lo)) / (2 * h); math.Abs(diff-g[j]) > 1e-4*(1+math.Abs(diff)) {
			t.Errorf("Fine-Gray gradient %d = %v, differences %v", j, g[j], diff)
		}
	}
}

func TestCurveLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawn(t)
		aj, err := AalenJohansen(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range aj {
			last := 1.0
			for k := range in.Time {
				sum := in.Survival[k]
				for c := range in.Cause {
					sum += in.CIF[c][k]
					if k > 0 && in.CIF[c][k] < in.CIF[c][k-1]-1e-15 {
						t.Fatalf("incidence falls: %v", in.CIF[c])
					}
				}
				if math.Abs(sum-1) > 1e-12 || in.Survival[k] > last {
					t.Fatalf("states add up to %v, survival %v", sum, in.Survival)
				}
				last = in.Survival[k]
			}
		}
		km, err := KaplanMeier(d, CurveOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for s, c := range km {
			equal(t, "Kaplan-Meier is event-free", c.Survival, aj[s].Survival)
			for k, v := range c.Survival {
				if c.Lower[k] > v+1e-12 || c.Upper[k] < v-1e-12 {
					t.Fatalf("%v is outside of %v…%v", v, c.Lower[k], c.Upper[k])
				}
			}
		}
		// Observed and expected events add up to the same.
		lr, err := LogRank(&Data{Time: d.Time, Event: d.Event, Weight: d.Weight}, d.Stratum, 0)
		if err != nil {
			t.Fatal(err)
		}
		o, e := 0.0, 0.0
		for k := range lr.Group {
			o += lr.Observed[k]
			e += lr.Expected[k]
		}
		equal(t, "expected", []float64{e}, []float64{o})
	})
}

// copies writes every row as often as its weight says.
func copies(d *Data) *Data {
	out := &Data{Names: d.Names, Columns: make([][]float64, len(d.Columns))}
	for i, w := range d.Weight {
		for range int(w) {
			for j, c := range d.Columns {
				out.Columns[j] = append(out.Columns[j], c[i])
			}
			out.Time, out.Event = append(out.Time, d.Time[i]), append(out.Event, d.Event[i])
			if d.Entry != nil {
				out.Entry = append(out.Entry, d.Entry[i])
			}
			if d.Stratum != nil {
				out.Stratum = append(out.Stratum, d.Stratum[i])
			}
		}
	}
	return out
}

// Curves, parametric models and concordance: copies are weights, a stratum for
// all is none, and the unit of time moves times alone.
func TestLawsOfWeightsStrataAndTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawn(t)
		d.Offset = nil
		inHours := func(d Data) *Data {
			d.Time, d.Entry = slices.Clone(d.Time), slices.Clone(d.Entry)
			for i := range d.Time {
				d.Time[i] *= 24
				if d.Entry != nil {
					d.Entry[i] *= 24
				}
			}
			return &d
		}
		curves := func(d *Data) (out []float64, times []float64) {
			km, err := KaplanMeier(d, CurveOptions{})
			if err != nil {
				t.Fatal(err)
			}
			aj, err := AalenJohansen(d)
			if err != nil {
				t.Fatal(err)
			}
			for s, c := range km {
				out = slices.Concat(out, c.Survival, c.SE, c.Lower, c.Upper, c.CumHaz, flatten(aj[s].CIF))
				times = append(times, c.Time...)
			}
			return out, times
		}
		want, times := curves(d)
		got, _ := curves(copies(d))
		equal(t, "curves of copies", got, want)
		got, hours := curves(inHours(*d))
		equal(t, "curves in hours", got, want)
		for k, v := range times {
			if hours[k] != 24*v {
				t.Fatalf("time %v is %v in hours", v, hours[k])
			}
		}
		one, none := *d, *d
		one.Stratum, none.Stratum = slices.Repeat([]int{4}, d.Rows()), nil
		got, _ = curves(&one)
		want, _ = curves(&none)
		equal(t, "curves of one stratum", got, want)

		// Pairs of a row with its own copy are not comparable unless tied.
		con, err := Concord(d, d.Columns[0], ConcordanceOptions{})
		if err != nil {
			t.Skip("no comparable pair")
		}
		again, err := Concord(copies(d), copies(d).Columns[0], ConcordanceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "pairs of copies", []float64{again.Concordant, again.Discordant, again.TiedX}, []float64{con.Concordant, con.Discordant, con.TiedX})

		plain := &Data{Columns: d.Columns, Names: d.Names, Time: d.Time, Event: d.Event, Weight: d.Weight}
		dist := rapid.SampledFrom([]Dist{Weibull, Exponential, LogNormal, LogLogistic}).Draw(t, "distribution")
		fit := func(d *Data) *AFT {
			f, err := FitAFT(d, AFTOptions{Dist: dist})
			if err != nil {
				t.Skip("drawn without information: ", err)
			}
			return f
		}
		a := fit(plain)
		b := fit(copies(plain))
		equal(t, "parametric copies", append(b.Coef, b.Scale, b.LogLik), append(slices.Clone(a.Coef), a.Scale, a.LogLik))
		b = fit(inHours(*plain))
		b.Coef[0] -= math.Log(24)
		equal(t, "parametric in hours", append(b.Coef, b.Scale), append(slices.Clone(a.Coef), a.Scale))
		last := 1.0
		for _, at := range []float64{0, 0.5, 1, 3, 10, 40, 200} {
			s := a.Survival([]float64{0.3, 1}, at)
			if s > last || s < 0 {
				t.Fatalf("survival %v at %v after %v", s, at, last)
			}
			last = s
		}
	})
}

func TestBadDataIsRefusedByName(t *testing.T) {
	good := func() *Data {
		d := days(200, 3, 5)
		d.Names = []string{"amount", "age", "late"}
		return d
	}
	tests := []struct {
		name   string
		spoil  func(d *Data)
		want   error
		column string
		row    int
	}{
		{"no rows", func(d *Data) { *d = Data{Columns: [][]float64{{}, {}, {}}} }, ErrNoRows, "", -1},
		{"no events", func(d *Data) { clear(d.Event) }, ErrNoEvents, "", -1},
		{"a constant column", func(d *Data) { d.Columns[1] = slices.Repeat([]float64{7.1}, 200) }, ErrConstant, "age", -1},
		{"collinear columns", func(d *Data) {
			for i := range d.Columns[2] {
				d.Columns[2][i] = 3*d.Columns[0][i] - d.Columns[1][i] + 2
			}
		}, ErrCollinear, "late", -1},
		{"a NaN", func(d *Data) { d.Columns[2][17] = math.NaN() }, ErrNotFinite, "late", 17},
		{"an infinity", func(d *Data) { d.Columns[0][3] = math.Inf(-1) }, ErrNotFinite, "amount", 3},
		{"a negative time", func(d *Data) { d.Time[5] = -1 }, ErrTime, "", 5},
		{"a time that is no number", func(d *Data) { d.Time[5] = math.NaN() }, ErrNotFinite, "", 5},
		{"entry after exit", func(d *Data) { d.Entry = make([]float64, 200); d.Entry[8] = d.Time[8] + 1 }, ErrEntry, "", 8},
		{"entry at exit", func(d *Data) { d.Entry = make([]float64, 200); d.Entry[8] = d.Time[8] }, ErrEntry, "", 8},
		{"a negative weight", func(d *Data) { d.Weight = make([]float64, 200); d.Weight[2] = -1 }, ErrWeight, "", 2},
		{"an offset that is no number", func(d *Data) { d.Offset = make([]float64, 200); d.Offset[2] = math.NaN() }, ErrNotFinite, "", 2},
		{"a column constant in every stratum", func(d *Data) {
			d.Stratum = make([]int, 200)
			for i := range d.Stratum {
				d.Stratum[i] = i % 2
				d.Columns[1][i] = float64(i % 2)
			}
		}, ErrConstant, "age", -1},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := good()
			tc.spoil(d)
			_, err := FitCox(d, CoxOptions{})
			refused(t, err, tc.want, tc.column, tc.row)
		})
	}
}

func TestStrangeDataIsAnswered(t *testing.T) {
	t.Run("all events at one time", func(t *testing.T) {
		d := days(300, 2, 5)
		for i := range d.Time {
			d.Time[i] = 9
		}
		for _, ties := range []Ties{Efron, Breslow} {
			if fit, err := FitCox(d, CoxOptions{Ties: ties}); err != nil || !fit.Converged {
				t.Errorf("%v: %v %v", ties, fit, err)
			}
		}
	})
	t.Run("a stratum without events changes nothing", func(t *testing.T) {
		d := days(300, 2, 5)
		want, err := FitCox(d, CoxOptions{})
		if err != nil {
			t.Fatal(err)
		}
		d.Stratum = make([]int, 300)
		for j := range d.Columns {
			d.Columns[j] = append(d.Columns[j], 0.5, -0.5)
		}
		d.Time, d.Event, d.Stratum = append(d.Time, 3, 5), append(d.Event, 0, 0), append(d.Stratum, 1, 1)
		got, err := FitCox(d, CoxOptions{})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "coef", got.Coef, want.Coef, 1e-12, 1)
	})
	t.Run("offsets of any size", func(t *testing.T) {
		d := days(300, 2, 5)
		want, err := FitCox(d, CoxOptions{})
		if err != nil {
			t.Fatal(err)
		}
		d.Offset = slices.Repeat([]float64{5000}, 300)
		got, err := FitCox(d, CoxOptions{})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "coef", got.Coef, want.Coef, 1e-12, 1)
	})
}

func TestSeparationIsNamedAndFallsBackToRidge(t *testing.T) {
	d := days(400, 2, 5)
	d.Names = []string{"late", "silent"}
	for i := range d.Columns[1] {
		d.Columns[1][i] = 0
		if d.Event[i] == 0 && i%2 == 0 {
			d.Columns[1][i] = 1 // never has an event
		}
	}
	fit, err := FitCox(d, CoxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if fit.Converged || len(fit.Warnings) != 1 || fit.Warnings[0] != "column silent: "+ErrSeparated.Error() {
		t.Errorf("converged %v, warnings %q", fit.Converged, fit.Warnings)
	}
	fit, err = FitCox(d, CoxOptions{OnSeparation: RidgeOnSeparation})
	if err != nil {
		t.Fatal(err)
	}
	if !fit.Converged || len(fit.Warnings) != 1 || math.Abs(fit.Coef[1]) > 20 {
		t.Errorf("with a ridge: converged %v, %v, warnings %q", fit.Converged, fit.Coef, fit.Warnings)
	}
}

func TestPredictionAlongAPathDoesNotAllocate(t *testing.T) {
	fit, err := FitCox(days(500, 3, 1), CoxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := fit.Baselines()[0]
	times, path, dst := []float64{30, 60, 90}, make([]float64, 9), make([]float64, 3)
	if n := testing.AllocsPerRun(20, func() { b.PathTo(dst, fit.Coef, 10, times, path) }); n != 0 {
		t.Errorf("PathTo allocates %v times", n)
	}
}
