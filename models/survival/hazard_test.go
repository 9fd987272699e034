package survival

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// rossiWeeks expands rossi to one row per person and week: 13 dummies of four
// weeks each, then the seven covariates.
func rossiWeeks(tb testing.TB) (Batch, int) {
	tb.Helper()
	d := readTable(tb, "rossi.csv")
	cov := []string{"fin", "age", "race", "wexp", "mar", "paro", "prio"}
	x, week, arrest := d.matrix(cov...), d.num("week"), d.num("arrest")
	const periods = 13
	p := periods + len(cov)
	var b Batch
	for i := range d.n {
		for wk := 1; wk <= int(week[i]); wk++ {
			row := make([]float64, p)
			row[(wk-1)/4] = 1
			copy(row[periods:], x[i*7:i*7+7])
			b.X = append(b.X, row...)
			y := 0.0
			if wk == int(week[i]) {
				y = arrest[i]
			}
			b.Y = append(b.Y, y)
			b.Rows++
		}
	}
	return b, p
}

func TestHazardMatchesGLM(t *testing.T) {
	ref := readReference(t, "reference.json")
	b, p := rossiWeeks(t)
	for _, link := range []Link{CLogLog, Logit} {
		t.Run(link.String(), func(t *testing.T) {
			want := decode[struct {
				Rows     int
				Coef, SE []float64
				LogLik   float64
			}](t, ref.of("discrete_time_rossi_"+link.String()))
			got, err := FitHazard(b, p, HazardOptions{Link: link, Expected: true})
			if err != nil {
				t.Fatal(err)
			}
			if !got.Converged || got.Rows != want.Rows || len(got.Warnings) > 0 {
				t.Errorf("converged %v, rows %d, warnings %v", got.Converged, got.Rows, got.Warnings)
			}
			if got.Passes > 7 {
				t.Errorf("%d passes", got.Passes)
			}
			near(t, "coef", got.Coef, want.Coef, 1e-7, 1)
			near(t, "se", got.SE(), want.SE, 1e-6, 0)
			near(t, "loglik", []float64{got.LogLik}, []float64{want.LogLik}, 1e-10, 1)
		})
	}
}

// simulated draws person-period rows of an intercept and p−1 normal columns.
func simulated(n, p int, seed uint64, link Link) Batch {
	r := rand.New(rand.NewPCG(seed, 1))
	b := Batch{Rows: n, X: make([]float64, n*p), Y: make([]float64, n)}
	for i := range n {
		eta := -3.0
		b.X[i*p] = 1
		for j := 1; j < p; j++ {
			v := r.NormFloat64()
			b.X[i*p+j] = v
			eta += v * 0.5 / float64(j)
		}
		if r.Float64() < link.Prob(eta) {
			b.Y[i] = 1
		}
	}
	return b
}

func split(b Batch, size int) Batches {
	var out Batches
	p := len(b.X) / b.Rows
	for lo := 0; lo < b.Rows; lo += size {
		hi := min(lo+size, b.Rows)
		c := Batch{Rows: hi - lo, X: b.X[lo*p : hi*p], Y: b.Y[lo:hi]}
		if b.W != nil {
			c.W = b.W[lo:hi]
		}
		if b.Offset != nil {
			c.Offset = b.Offset[lo:hi]
		}
		out = append(out, c)
	}
	return out
}

func TestHazardGradientIsTheDerivative(t *testing.T) {
	for _, link := range []Link{CLogLog, Logit} {
		for _, y := range []float64{0, 1, 0.3} {
			for _, eta := range []float64{-25, -12, -7, -3, -0.5, 0, 1, 2.5} {
				const h = 1e-5
				lo, dlo, _ := link.term(eta-h, y, false)
				hi, dhi, _ := link.term(eta+h, y, false)
				_, d, info := link.term(eta, y, false)
				// Central differences are good to h² and to rounding/h.
				if diff := (hi - lo) / (2 * h); math.Abs(d-diff) > 1e-8*(1+math.Abs(diff)) && math.Abs(d-diff) > 1e-10*math.Abs(lo)/h {
					t.Errorf("%v y=%v eta=%v: derivative %v, differences %v", link, y, eta, d, diff)
				}
				if diff := -(dhi - dlo) / (2 * h); math.Abs(info-diff) > 1e-8*(1+math.Abs(diff)) {
					t.Errorf("%v y=%v eta=%v: information %v, differences %v", link, y, eta, info, diff)
				}
			}
		}
	}
}

func TestHazardTermIsFiniteEverywhere(t *testing.T) {
	for _, link := range []Link{CLogLog, Logit} {
		for _, eta := range []float64{-1e300, -800, -50, 50, 300, 800, 1e300} {
			for _, y := range []float64{0, 1} {
				ll, d, info := link.term(eta, y, false)
				if math.IsNaN(ll) || math.IsNaN(d) || math.IsNaN(info) || info < 0 || ll > 0 {
					t.Errorf("%v eta=%v y=%v: %v %v %v", link, eta, y, ll, d, info)
				}
			}
		}
	}
}

func TestHazardIsTheSameBitsOnAnyNumberOfWorkers(t *testing.T) {
	b := simulated(20000, 7, 3, CLogLog)
	fit := func(procs int) []float64 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		h, err := FitHazard(split(b, 6000), 7, HazardOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return append(slices.Clone(h.Coef), h.LogLik)
	}
	one := fit(1)
	for _, procs := range []int{2, 3, 16} {
		if got := fit(procs); !slices.Equal(got, one) {
			t.Errorf("%d processors: %v, one: %v", procs, got, one)
		}
	}
}

// Rows that come in shards are the rows: sums in another order, within rounding.
func TestHazardOfShardsIsTheFit(t *testing.T) {
	b := simulated(20000, 7, 3, CLogLog)
	whole, err := FitHazard(b, 7, HazardOptions{Tol: 1e-14})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{20000, 7001, 512, 33} {
		h, err := FitHazard(split(b, size), 7, HazardOptions{Tol: 1e-14})
		if err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprintf("shards of %d", size), h.Coef, whole.Coef, 1e-12, 1)
	}
}

// again serves one batch so many times.
type again struct {
	b     Batch
	times int
}

func (s again) Pass(yield func(Batch) error) error {
	for range s.times {
		if err := yield(s.b); err != nil {
			return err
		}
	}
	return nil
}

// A fit allocates for columns and workers, not for rows.
func TestHazardMemoryDoesNotGrowWithRows(t *testing.T) {
	b := simulated(4096, 7, 3, CLogLog)
	allocated := func(times int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h, err := FitHazard(again{b, times}, 7, HazardOptions{})
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if h.Rows != 4096*times {
			t.Fatalf("%d rows", h.Rows)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	few, many := allocated(2), allocated(200)
	// 819,200 rows of eight numbers are 52 MB; what is made anew per batch
	// would show.
	if many > few+1<<20 {
		t.Errorf("%d bytes for 8,192 rows, %d for 819,200", few, many)
	}
}

func TestHazardWarmStart(t *testing.T) {
	b := simulated(101000, 5, 9, CLogLog)
	old := split(b, 100000)[0]
	before, err := FitHazard(old, 5, HazardOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cold, err := FitHazard(b, 5, HazardOptions{Tol: 1e-14})
	if err != nil {
		t.Fatal(err)
	}
	warm, err := FitHazard(b, 5, HazardOptions{Start: before.Coef})
	if err != nil {
		t.Fatal(err)
	}
	if warm.Passes > 2 {
		t.Errorf("%d passes after one per cent of new rows, want at most 2", warm.Passes)
	}
	near(t, "warm", warm.Coef, cold.Coef, 1e-8, 1)
}

func TestHazardRecoversWhatWasSimulated(t *testing.T) {
	for _, link := range []Link{CLogLog, Logit} {
		h, err := FitHazard(simulated(60000, 4, 4, link), 4, HazardOptions{Link: link})
		if err != nil {
			t.Fatal(err)
		}
		se := h.SE()
		for j, want := range []float64{-3, 0.5, 0.25, 0.5 / 3} {
			// Four standard errors: one draw in 4000 of eight would fail.
			if math.Abs(h.Coef[j]-want) > 4*se[j] {
				t.Errorf("%v coef %d = %v ± %v, want %v", link, j, h.Coef[j], se[j], want)
			}
		}
	}
}

func TestHazardPenalties(t *testing.T) {
	b := simulated(3000, 6, 5, Logit)
	p := 6
	t.Run("a strong prior holds the coefficient", func(t *testing.T) {
		prior := []float64{0, 1, 0, 0, 0, 0}
		h, err := FitHazard(b, p, HazardOptions{Link: Logit, Prior: prior, Ridge: []float64{0, 1e12, 0, 0, 0, 0}})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(h.Coef[1]-1) > 1e-6 {
			t.Errorf("coefficient %v, want its prior 1", h.Coef[1])
		}
	})
	t.Run("ridge solves its own score equation", func(t *testing.T) {
		ridge := []float64{0, 50, 50, 50, 50, 50}
		h, err := FitHazard(b, p, HazardOptions{Link: Logit, Ridge: ridge, Tol: 1e-16})
		if err != nil {
			t.Fatal(err)
		}
		for j := range p {
			g := -ridge[j] * h.Coef[j]
			for i := range b.Rows {
				x := b.X[i*p : i*p+p]
				g += x[j] * (b.Y[i] - Logit.Prob(h.Eta(x)))
			}
			if math.Abs(g) > 1e-7 { // rounding over 3000 rows
				t.Errorf("score %d = %v", j, g)
			}
		}
	})
	t.Run("lasso meets the optimality conditions and empties columns", func(t *testing.T) {
		l1 := []float64{0, 20, 20, 20, 20, 20}
		h, err := FitHazard(b, p, HazardOptions{Link: Logit, L1: l1, Tol: 1e-12})
		if err != nil {
			t.Fatal(err)
		}
		zeros := 0
		g := make([]float64, p)
		for i := range b.Rows {
			x := b.X[i*p : i*p+p]
			r := b.Y[i] - Logit.Prob(h.Eta(x))
			for j := range p {
				g[j] += x[j] * r
			}
		}
		for _, c := range h.Coef {
			if c == 0 {
				zeros++
			}
		}
		if v := kkt(g, h.Coef, l1); v > 1e-5 {
			t.Errorf("largest violation %v", v)
		}
		if zeros == 0 {
			t.Errorf("no coefficient is zero: %v", h.Coef)
		}
	})
}

func TestHazardRefusesBadData(t *testing.T) {
	good := func() Batch { return simulated(500, 3, 8, CLogLog) }
	names := []string{"one", "late", "opened"}
	tests := []struct {
		name   string
		spoil  func(b *Batch)
		want   error
		column string
	}{
		{"no rows", func(b *Batch) { *b = Batch{} }, ErrNoRows, ""},
		{"no events", func(b *Batch) { clear(b.Y) }, ErrNoEvents, ""},
		{"a NaN", func(b *Batch) { b.X[3*7+2] = math.NaN() }, ErrNotFinite, "opened"},
		{"an infinity", func(b *Batch) { b.X[3*7+1] = math.Inf(1) }, ErrNotFinite, "late"},
		{"an outcome of 2", func(b *Batch) { b.Y[4] = 2 }, ErrEvent, ""},
		{"a negative weight", func(b *Batch) { b.W = make([]float64, b.Rows); b.W[9] = -1 }, ErrWeight, ""},
		{"a column of zeros", func(b *Batch) {
			for i := range b.Rows {
				b.X[i*3+1] = 0
			}
		}, ErrConstant, "late"},
		{"a second intercept", func(b *Batch) {
			for i := range b.Rows {
				b.X[i*3+2] = 3
			}
		}, ErrCollinear, "opened"},
		{"a multiple", func(b *Batch) {
			for i := range b.Rows {
				b.X[i*3+2] = -2 * b.X[i*3+1]
			}
		}, ErrCollinear, "opened"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b := good()
			tc.spoil(&b)
			_, err := FitHazard(b, 3, HazardOptions{Names: names})
			if !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			var ce *ColumnError
			if tc.column != "" && (!errors.As(err, &ce) || ce.Columns[0] != tc.column) {
				t.Errorf("error %v does not name column %s", err, tc.column)
			}
		})
	}
}

func TestHazardSeparationIsNamed(t *testing.T) {
	b := simulated(2000, 3, 8, CLogLog)
	for i := range b.Rows {
		b.X[i*3+2] = 0
		if b.Y[i] == 0 && i%5 == 0 {
			b.X[i*3+2] = 1
		}
	}
	h, err := FitHazard(b, 3, HazardOptions{Names: []string{"one", "late", "silent"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Warnings) != 1 || h.Warnings[0] != "column silent: "+ErrSeparated.Error() {
		t.Errorf("warnings %q", h.Warnings)
	}
	h, err = FitHazard(b, 3, HazardOptions{Names: []string{"one", "late", "silent"}, Ridge: []float64{0, 0, 1}})
	if err != nil || len(h.Warnings) > 0 {
		t.Errorf("with ridge: %v, warnings %q", err, h.Warnings)
	}
}

func TestHazardUnitsDoNotMatter(t *testing.T) {
	b := simulated(4000, 3, 8, CLogLog)
	a, err := FitHazard(b, 3, HazardOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Rows {
		b.X[i*3+2] *= 1e9
	}
	c, err := FitHazard(b, 3, HazardOptions{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "coef", []float64{c.Coef[0], c.Coef[1], c.Coef[2] * 1e9}, a.Coef, 1e-9, 1)
}

func TestHazardLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		link := rapid.SampledFrom([]Link{CLogLog, Logit}).Draw(t, "link")
		b := simulated(rapid.IntRange(400, 900).Draw(t, "n"), 3, rapid.Uint64().Draw(t, "seed"), link)
		fit := func(s Source) *Hazard {
			h, err := FitHazard(s, 3, HazardOptions{Link: link, Ridge: []float64{1, 1, 1}, Tol: 1e-14})
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		// A row written twice is a row of weight two.
		twice, weighted := b, b
		k := rapid.IntRange(1, 100).Draw(t, "k")
		twice.X = append(slices.Clone(b.X), b.X[:k*3]...)
		twice.Y = append(slices.Clone(b.Y), b.Y[:k]...)
		twice.Rows += k
		weighted.W = make([]float64, b.Rows)
		for i := range weighted.W {
			weighted.W[i] = 1
			if i < k {
				weighted.W[i] = 2
			}
		}
		h, w := fit(twice), fit(weighted)
		for j := range h.Coef {
			if math.Abs(h.Coef[j]-w.Coef[j]) > 1e-9 {
				t.Fatalf("twice %v, weighted %v", h.Coef, w.Coef)
			}
		}
		// Survival falls from one towards zero.
		s := h.SurvivalTo(make([]float64, 50), b.X[:150])
		last := 1.0
		for _, v := range s {
			if v > last || v < 0 {
				t.Fatalf("survival rises: %v", s)
			}
			last = v
		}
	})
}

func TestHazardPredictionDoesNotAllocate(t *testing.T) {
	b := simulated(1000, 5, 2, CLogLog)
	h, err := FitHazard(b, 5, HazardOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float64, 1000)
	if n := testing.AllocsPerRun(10, func() { h.SurvivalTo(dst, b.X); h.ProbTo(dst, b.X) }); n != 0 {
		t.Errorf("prediction allocates %v times", n)
	}
}

func BenchmarkHazardPass(b *testing.B) {
	const n, p = 1 << 18, 24
	data := simulated(n, p, 1, CLogLog)
	f := &hazardFit{p: p}
	f.init()
	beta := make([]float64, p)
	b.SetBytes(n * p * 8)
	for b.Loop() {
		if err := f.pass(data, beta, newton); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkHazardSurvivalTo(b *testing.B) {
	const n, p = 28, 24
	data := simulated(1000, p, 1, CLogLog)
	h, err := FitHazard(data, p, HazardOptions{})
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]float64, n)
	for b.Loop() {
		h.SurvivalTo(dst, data.X[:n*p])
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "values/s")
}
