package survival

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// estimators fits each on d and returns the numbers of its answer.
var estimators = map[string]func(d *Data) ([]float64, error){
	"cox":     func(d *Data) ([]float64, error) { return numbersOfCox(FitCox(d, CoxOptions{})) },
	"breslow": func(d *Data) ([]float64, error) { return numbersOfCox(FitCox(d, CoxOptions{Ties: Breslow})) },
	"firth":   func(d *Data) ([]float64, error) { return numbersOfCox(FitCox(d, CoxOptions{Firth: true})) },
	"streamed": func(d *Data) ([]float64, error) {
		return numbersOfCox(FitCoxStream(batches{d, 60, nil}, len(d.Columns), d.Names, CoxOptions{}))
	},
	"finegray": func(d *Data) ([]float64, error) { return numbersOfCox(FitFineGray(d, FineGrayOptions{})) },
	"path": func(d *Data) ([]float64, error) {
		fit, err := FitCoxPath(d, PathOptions{Alpha: 0.5, Count: 5, Standardize: true})
		if err != nil {
			return nil, err
		}
		return append(flatten(fit.Coef), fit.LogLik...), nil
	},
	"weibull":   func(d *Data) ([]float64, error) { return numbersOfAFT(FitAFT(d, AFTOptions{})) },
	"lognormal": func(d *Data) ([]float64, error) { return numbersOfAFT(FitAFT(d, AFTOptions{Dist: LogNormal})) },
	"km": func(d *Data) ([]float64, error) {
		km, err := KaplanMeier(d, CurveOptions{})
		var out []float64
		for _, c := range km {
			out = slices.Concat(out, c.Survival, c.SE, c.Lower, c.Upper, c.CumHaz)
		}
		return out, err
	},
	"aj": func(d *Data) ([]float64, error) {
		aj, err := AalenJohansen(d)
		var out []float64
		for _, in := range aj {
			out = slices.Concat(out, in.Survival, in.SE, flatten(in.CIF), flatten(in.SECIF))
		}
		return out, err
	},
	"concordance": func(d *Data) ([]float64, error) {
		c, err := Concord(d, d.Columns[0], ConcordanceOptions{})
		if err != nil {
			return nil, err
		}
		return []float64{c.C, c.SE}, nil
	},
	"cloglog": func(d *Data) ([]float64, error) {
		p := len(d.Columns) + 1
		b := Batch{Rows: d.Rows()}
		for i := range d.Time { // one period each
			b.X, b.Y = append(b.X, 1), append(b.Y, float64(d.Event[i]))
			for _, c := range d.Columns {
				b.X = append(b.X, c[i])
			}
		}
		fit, err := FitHazard(b, p, HazardOptions{Names: append([]string{"(Intercept)"}, d.Names...)})
		if err != nil {
			return nil, err
		}
		return append(slices.Clone(fit.Coef), fit.SE()...), nil
	},
}

func numbersOfCox(fit *Cox, err error) ([]float64, error) {
	if err != nil {
		return nil, err
	}
	if !fit.Converged {
		return nil, ErrNotConverged
	}
	return slices.Concat(fit.Coef, fit.SE(), []float64{fit.LogLik, fit.LogLikNull}), nil
}

func numbersOfAFT(fit *AFT, err error) ([]float64, error) {
	if err != nil {
		return nil, err
	}
	if !fit.Converged {
		return nil, ErrNotConverged
	}
	return slices.Concat(fit.Coef, fit.SE(), []float64{fit.LogLik, fit.Scale}), nil
}

var (
	regressions = []string{"cox", "breslow", "firth", "streamed", "finegray", "path", "weibull", "lognormal", "cloglog"}
	timed       = []string{"cox", "breslow", "firth", "streamed", "finegray", "path", "weibull", "lognormal", "km", "aj", "concordance"}
	parametric  = []string{"weibull", "lognormal"}

	nonparametric = []string{"cox", "breslow", "firth", "streamed", "finegray", "path", "km", "aj", "concordance", "cloglog"}
)

// Every estimator answers hard data with finite numbers, or refuses it with an
// error that names the column or the row.
func TestHardDataIsAnsweredOrRefused(t *testing.T) {
	good := func() *Data {
		d := days(200, 3, 5)
		d.Names = []string{"amount", "age", "late"}
		return d
	}
	tests := []struct {
		name   string
		spoil  func(d *Data)
		who    []string // who refuses; all others who are fit for it answer
		not    []string // who has no use for such data
		want   error
		column string // named first, or
		row    int    // the row named, −1 for none
	}{
		{"no events", func(d *Data) { clear(d.Event) }, slices.Concat(regressions, []string{"concordance"}), nil, ErrNoEvents, "", -1},
		{"all events at one time", func(d *Data) {
			for i := range d.Time {
				d.Time[i] = 9
				if d.Event[i] == 0 {
					d.Time[i] = 11
				}
			}
		}, nil, nil, nil, "", -1},
		{"one time for all", func(d *Data) {
			for i := range d.Time {
				d.Time[i] = 9
			}
		}, parametric, nil, ErrConstant, "time", -1},
		{"a constant column", func(d *Data) { d.Columns[1] = slices.Repeat([]float64{7.1}, 200) }, regressions, []string{"cloglog"}, ErrConstant, "age", -1},
		{"a constant column beside an intercept", func(d *Data) { d.Columns[1] = slices.Repeat([]float64{7.1}, 200) }, []string{"cloglog"}, timed, ErrCollinear, "age", -1},
		{"collinear columns", func(d *Data) {
			for i := range d.Columns[2] {
				d.Columns[2][i] = 3*d.Columns[0][i] - d.Columns[1][i] + 2
			}
		}, slices.DeleteFunc(slices.Clone(regressions), func(s string) bool { return s == "path" }), nil, ErrCollinear, "late", -1},
		{"a NaN", func(d *Data) { d.Columns[2][17] = math.NaN() }, regressions, nil, ErrNotFinite, "late", 17},
		{"an infinity", func(d *Data) { d.Columns[1][3] = math.Inf(-1) }, regressions, nil, ErrNotFinite, "age", 3},
		{"a negative time", func(d *Data) { d.Time[5] = -1 }, timed, []string{"cloglog"}, ErrTime, "", 5},
		{"a zero time", func(d *Data) { d.Time[5] = 0 }, parametric, nil, ErrTime, "", 5},
		{"a time that is no number", func(d *Data) { d.Time[5] = math.NaN() }, timed, []string{"cloglog"}, ErrNotFinite, "", 5},
		{"entry after exit", func(d *Data) {
			d.Entry = make([]float64, 200)
			d.Entry[8] = d.Time[8] + 1
		}, timed, []string{"cloglog", "finegray"}, ErrEntry, "", 8},
		{"a stratum without events", func(d *Data) {
			d.Stratum = make([]int, 200)
			for i := range 20 {
				d.Stratum[i], d.Event[i] = 3, 0
			}
		}, nil, []string{"weibull", "lognormal", "cloglog"}, nil, "", -1},
		{"a column of 1e9", func(d *Data) {
			for i := range d.Columns[0] {
				d.Columns[0][i] = 1e9 + 1e9*d.Columns[0][i]
			}
		}, nil, nil, nil, "", -1},
		{"a column around 1e9", func(d *Data) {
			for i := range d.Columns[0] {
				d.Columns[0][i] += 1e9
			}
		}, nil, []string{"cloglog"}, nil, "", -1}, // streamed rows are not centred: see the next
		{"a column of 1e-9", func(d *Data) {
			for i := range d.Columns[0] {
				d.Columns[0][i] *= 1e-9
			}
		}, nil, nil, nil, "", -1},
		{"no weight at all", func(d *Data) { d.Weight = make([]float64, 200) }, parametric, nonparametric, ErrNoEvents, "", -1},
		{"a negative weight", func(d *Data) {
			d.Weight = slices.Repeat([]float64{1}, 200)
			d.Weight[2] = -1
		}, timed, []string{"cloglog"}, ErrWeight, "", 2},
	}
	for _, tc := range tests {
		for who, fit := range estimators {
			if slices.Contains(tc.not, who) {
				continue
			}
			t.Run(tc.name+"/"+who, func(t *testing.T) {
				d := good()
				tc.spoil(d)
				got, err := fit(d)
				if !slices.Contains(tc.who, who) {
					if err != nil {
						t.Fatal(err)
					}
					for _, v := range got {
						if math.IsNaN(v) || math.IsInf(v, 0) {
							t.Fatalf("answer %v", got)
						}
					}
					return
				}
				refused(t, err, tc.want, tc.column, tc.row)
			})
		}
	}
}

// refused checks that err is want and names the column or, with none, the row;
// -1 for neither.
func refused(t *testing.T, err, want error, column string, row int) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	var ce *ColumnError
	var re *RowError
	switch {
	case column != "":
		if !errors.As(err, &ce) || ce.Columns[0] != column || ce.Row != row {
			t.Errorf("error %v does not name column %s, row %d", err, column, row)
		}
	case row >= 0:
		if !errors.As(err, &re) || re.Row != row {
			t.Errorf("error %v does not name row %d", err, row)
		}
	}
}
