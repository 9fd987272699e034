package survival

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
)

// batches cuts d into batches of a size and serves them in order.
type batches struct {
	d    *Data
	size int
	rows []int // nil is all
}

func (b batches) Pass(yield func(CoxBatch) error) error {
	d := b.d
	if b.rows != nil {
		keep := make([]bool, d.Rows())
		for _, i := range b.rows {
			keep[i] = true
		}
		d = d.subset(func(i int) bool { return keep[i] })
	}
	for lo := 0; lo < d.Rows(); lo += b.size {
		hi := min(lo+b.size, d.Rows())
		part := d.subset(func(i int) bool { return i >= lo && i < hi })
		c := CoxBatch{Rows: hi - lo, Entry: part.Entry, Time: part.Time, Event: part.Event, Weight: part.Weight, Offset: part.Offset, Stratum: part.Stratum}
		for i := range c.Rows {
			for _, col := range part.Columns {
				c.X = append(c.X, col[i])
			}
		}
		if err := yield(c); err != nil {
			return err
		}
	}
	return nil
}

// startStop is data with entry, strata, weights, offsets and heavy ties.
func startStop(n int) *Data {
	d := days(n, 4, 6)
	d.Entry, d.Weight, d.Offset, d.Stratum = make([]float64, n), make([]float64, n), make([]float64, n), make([]int, n)
	for i := range n {
		d.Entry[i] = max(0, d.Time[i]-float64(1+i%40))
		d.Weight[i] = float64(i%4) / 2 // some of no weight
		d.Offset[i] = float64(i%5) / 10
		d.Stratum[i] = i % 3
	}
	return d
}

func TestStreamedCoxIsTheFit(t *testing.T) {
	plain := days(3000, 4, 6)
	for name, d := range map[string]*Data{"right-censored": plain, "all at once": startStop(3000)} {
		for _, ties := range []Ties{Efron, Breslow} {
			want, err := FitCox(d, CoxOptions{Ties: ties, Robust: true})
			if err != nil {
				t.Fatal(err)
			}
			for shards, src := range map[int]CoxSource{
				1: batches{d, 700, nil},
				3: CoxShards{batches{d, 500, span(0, 900)}, batches{d, 400, span(900, 2000)}, batches{d, 3000, span(2000, 3000)}},
			} {
				got, err := FitCoxStream(src, 4, nil, CoxOptions{Ties: ties, Robust: true})
				if err != nil {
					t.Fatal(err)
				}
				// Sums in another order: rounding of a few thousand terms.
				for j := range want.Coef {
					if diff := math.Abs(got.Coef[j] - want.Coef[j]); diff > 1e-12 {
						t.Errorf("%s, %v, %d shards: coef %d off by %g", name, ties, shards, j, diff)
					}
				}
				near(t, name, got.SE(), want.SE(), 1e-11, 0)
				near(t, name+", robust", got.RobustSE(), want.RobustSE(), 1e-11, 0)
				if got.Rows != want.Rows || got.Events != want.Events {
					t.Errorf("%s: %d rows, %d events, want %d, %d", name, got.Rows, got.Events, want.Rows, want.Events)
				}
				near(t, name, []float64{got.LogLikNull, got.LogLik, got.Score.Stat}, []float64{want.LogLikNull, want.LogLik, want.Score.Stat}, 1e-11, 0)
				a, b := got.Baselines(), want.Baselines()
				near(t, name, a[0].CumHaz, b[0].CumHaz, 1e-11, 0)
			}
		}
	}
}

func span(lo, hi int) (out []int) {
	for i := lo; i < hi; i++ {
		out = append(out, i)
	}
	return out
}

func TestFitsAreTheSameBitsOnAnyNumberOfWorkers(t *testing.T) {
	d := startStop(6000)
	fit := func(procs int) []float64 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		streamed, err := FitCoxStream(batches{d, 5000, nil}, 4, nil, CoxOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cox, err := FitCox(d, CoxOptions{Robust: true})
		if err != nil {
			t.Fatal(err)
		}
		whole := *d
		whole.Entry, whole.Stratum = nil, nil
		aft, err := FitAFT(&whole, AFTOptions{})
		if err != nil {
			t.Fatal(err)
		}
		many := days(2*forkItems, 1, 3) // enough for halves to be counted side by side
		con, err := Concord(many, many.Columns[0], ConcordanceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		path, err := FitCoxPath(d, PathOptions{Alpha: 0.5, Standardize: true, Count: 5})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Concat([]float64{con.C, con.SE}, flatten(path.Coef), streamed.Coef, cox.Coef, cox.Robust, []float64{cox.LogLik}, aft.Coef, aft.Cov)
	}
	one := fit(1)
	for _, procs := range []int{2, 5} {
		if got := fit(procs); !slices.Equal(got, one) {
			t.Errorf("%d processors differ from one", procs)
		}
	}
}

func TestStreamedCoxRefuses(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	d := days(2000, 4, 6)
	d.Columns[2][1234] = math.NaN()
	_, err := FitCoxStream(batches{d, 500, nil}, 4, names, CoxOptions{})
	var ce *ColumnError
	if !errors.As(err, &ce) || ce.Columns[0] != "c" || ce.Row != 1234 {
		t.Errorf("NaN: %v", err)
	}
	d = days(2000, 4, 6)
	clear(d.Event)
	if _, err := FitCoxStream(batches{d, 500, nil}, 4, names, CoxOptions{}); !errors.Is(err, ErrNoEvents) {
		t.Errorf("no events: %v", err)
	}
	if _, err := FitCoxStream(CoxShards{}, 4, names, CoxOptions{}); !errors.Is(err, ErrNoRows) {
		t.Errorf("no rows: %v", err)
	}
	d = days(2000, 4, 6)
	for name, opt := range map[string]CoxOptions{
		"exact": {Ties: Exact}, "firth": {Firth: true}, "firth on separation": {OnSeparation: FirthOnSeparation}, "ridge on separation": {OnSeparation: RidgeOnSeparation},
	} {
		if _, err := FitCoxStream(batches{d, 500, nil}, 4, names, opt); !errors.Is(err, ErrNeedsRows) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fit, err := FitCoxStream(batches{d, 500, nil}, 4, names, CoxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fit.Concordance(); !errors.Is(err, ErrNeedsRows) {
		t.Errorf("concordance: %v", err)
	}
	if _, err := fit.Proportional(IdentityTime); !errors.Is(err, ErrNeedsRows) {
		t.Errorf("proportionality: %v", err)
	}
}

// Without columns there is a baseline and nothing else: Nelson-Aalen's.
func TestCoxWithoutColumns(t *testing.T) {
	d := days(300, 1, 6)
	d.Columns = nil
	km, err := KaplanMeier(d, CurveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := FitCox(d, CoxOptions{Ties: Breslow, Robust: true})
	if err != nil {
		t.Fatal(err)
	}
	streamed, err := FitCoxStream(batches{d, 100, nil}, 0, nil, CoxOptions{Ties: Breslow, Robust: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, fit := range map[string]*Cox{"whole": whole, "streamed": streamed} {
		b := fit.Baselines()[0]
		for k, at := range b.Time {
			if want := km[0].At(at).CumHaz; !fit.Converged || math.Abs(b.CumHaz[k]-want) > 1e-12 {
				t.Errorf("%s at %v: %v, want %v", name, at, b.CumHaz[k], want)
			}
		}
	}
}
