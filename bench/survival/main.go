// Command survival measures models/survival on the synthetic file that R is
// measured on, and prints seconds and answers as JSON, one task a line.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"rappel/models/survival"
)

const columns = 20

var now = time.Now //nolint:forbidigo // a benchmark needs a clock

func main() {
	file := flag.String("data", "", "file of gen_synth.py: float64, column-major, time, status, x1…x20")
	runs := flag.Int("runs", 3, "repetitions; the median is reported")
	only := flag.String("only", "", "run only this task")
	write := flag.String("write", "", "instead write -data to this Arrow IPC or (.parquet) Parquet file, -copies times over")
	copies := flag.Int("copies", 1, "copies of the rows that -write writes, or passes over them that -person-periods makes one")
	stream := flag.String("stream", "", "instead measure rappel survival fit --stream on this Arrow IPC or Parquet file")
	rappel := flag.String("rappel", "./build/rappel", "the program that -stream measures")
	periods := flag.Bool("person-periods", false, "instead fit a cloglog hazard in passes over -data, -copies times over")
	warm := flag.Bool("warm", false, "instead fit that hazard on 99 of 100 rows, and on all of them from there")
	flag.Parse()
	var err error
	switch {
	case *write != "":
		err = writeRecords(*write, *file, *copies)
	case *stream != "":
		err = runStream(context.Background(), os.Stdout, *rappel, *stream)
	case *warm:
		err = runWarm(os.Stdout, *file, *copies)
	case *periods:
		err = runPersonPeriods(os.Stdout, *file, *copies)
	default:
		err = run(os.Stdout, *file, *only, *runs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// result is one line of output.
type result struct {
	Task    string             `json:"task"`
	Seconds float64            `json:"seconds"`
	CPU     float64            `json:"cpu"`
	MB      float64            `json:"mb,omitempty"` // peak memory above the process's start
	Answer  map[string]float64 `json:"answer"`
	Coef    []float64          `json:"coef,omitempty"`
	SE      []float64          `json:"se,omitempty"`
}

func run(out io.Writer, file, only string, runs int) error {
	d, err := read(file)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	for _, t := range tasks(d) {
		if only != "" && only != t.name {
			continue
		}
		var wall, used []float64
		var r result
		for range runs {
			runtime.GC()
			start, before := now(), cpu()
			if r, err = t.run(); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			wall, used = append(wall, now().Sub(start).Seconds()), append(used, cpu()-before)
		}
		slices.Sort(wall)
		slices.Sort(used)
		r.Task, r.Seconds, r.CPU = t.name, wall[len(wall)/2], used[len(used)/2]
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

func read(file string) (*survival.Data, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	n := len(b) / 8 / (columns + 2)
	column := func(j int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*(j*n+i):]))
		}
		return v
	}
	d := &survival.Data{Time: column(0), Event: make([]uint8, n)}
	for i, e := range column(1) {
		d.Event[i] = uint8(e)
	}
	for j := range columns {
		d.Columns = append(d.Columns, column(j+2))
		d.Names = append(d.Names, fmt.Sprintf("x%d", j+1))
	}
	return d, nil
}

type task struct {
	name string
	run  func() (result, error)
}

// tasks lists what is measured, under the names that bench.R uses.
func tasks(d *survival.Data) []task {
	cox := func(name string, d *survival.Data, opt survival.CoxOptions) task {
		return task{name, func() (result, error) {
			fit, err := survival.FitCox(d, opt)
			if err != nil {
				return result{}, err
			}
			se := fit.RobustSE()
			if se == nil {
				se = fit.SE()
			}
			return result{
				Answer: map[string]float64{"loglik_null": fit.LogLikNull, "loglik": fit.LogLik, "iterations": float64(fit.Iterations)},
				Coef:   fit.Coef, SE: se,
			}, nil
		}}
	}
	n := d.Rows()
	// Continuous times: the day less a fraction that depends on the row.
	continuous := *d
	continuous.Time = make([]float64, n)
	for i, t := range d.Time {
		continuous.Time[i] = t - fraction(i)
	}
	// Start-stop: row i enters up to ten days before its end; ten strata,
	// clusters of five rows.
	startStop := *d
	startStop.Entry, startStop.Stratum, startStop.Cluster = make([]float64, n), make([]int, n), make([]int, n)
	for i, t := range d.Time {
		startStop.Entry[i] = max(0, t-1-float64(i%10))
		startStop.Stratum[i] = i % 7
		startStop.Cluster[i] = i / 5
	}
	return []task{
		cox("cox_efron", d, survival.CoxOptions{}),
		cox("cox_breslow", d, survival.CoxOptions{Ties: survival.Breslow}),
		cox("cox_continuous", &continuous, survival.CoxOptions{}),
		cox("cox_startstop_strata_cluster", &startStop, survival.CoxOptions{}),
		{"concordance_x1", func() (result, error) {
			c, err := survival.Concord(d, d.Columns[0], survival.ConcordanceOptions{})
			if err != nil {
				return result{}, err
			}
			return result{Answer: map[string]float64{
				"c": c.C, "se": c.SE, "concordant": c.Concordant, "discordant": c.Discordant, "tied.x": c.TiedX, "tied.y": c.TiedY,
			}}, nil
		}},
		{"kaplan_meier", func() (result, error) {
			km, err := survival.KaplanMeier(&survival.Data{Time: d.Time, Event: d.Event}, survival.CurveOptions{Scale: survival.Log})
			if err != nil {
				return result{}, err
			}
			p := km[0].At(60)
			return result{Answer: map[string]float64{"surv60": p.Survival, "se60": p.SE}}, nil
		}},
		{"prediction", func() (result, error) {
			fit, err := survival.FitHazard(personPeriods{d, d.Rows(), 1}, columns, survival.HazardOptions{MaxIter: 1})
			if err != nil {
				return result{}, err
			}
			const horizon = 28
			path, dst := make([]float64, horizon*columns), make([]float64, horizon)
			start := now()
			const debtors = 50000
			for i := range debtors {
				for k := range horizon {
					for j := range columns {
						path[k*columns+j] = d.Columns[j][(i+k)%n]
					}
				}
				fit.SurvivalTo(dst, path)
			}
			return result{Answer: map[string]float64{"values_per_second": debtors * horizon / now().Sub(start).Seconds()}}, nil
		}},
		path50("path50", d),
		path50("path50_startstop_strata", &startStop),
		{"weibull", func() (result, error) {
			fit, err := survival.FitAFT(d, survival.AFTOptions{})
			if err != nil {
				return result{}, err
			}
			return result{Answer: map[string]float64{"loglik": fit.LogLik, "scale": fit.Scale}, Coef: fit.Coef}, nil
		}},
	}
}

// path50 fits an elastic-net path of 50 λ with Efron's ties.
func path50(name string, d *survival.Data) task {
	return task{name, func() (result, error) {
		path, err := survival.FitCoxPath(d, survival.PathOptions{Alpha: 1, Standardize: true, Count: 50})
		if err != nil {
			return result{}, err
		}
		return result{Answer: map[string]float64{
			"lambda_max": path.LambdaMax, "worst_kkt": slices.Max(path.KKT), "passes": float64(path.Passes), "df_last": float64(path.DF[49]),
		}, Coef: path.Coef[49]}, nil
	}}
}

// cpu returns the processor seconds that this process has used.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.NaN()
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// fraction spreads rows over a day: the fractional part of i·φ.
func fraction(i int) float64 {
	v := float64(i) * 0.61803398874989484820
	return v - math.Floor(v)
}
