package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"rappel/models/survival"
)

// survivalOptions are the flags of `rappel survival fit`.
type survivalOptions struct {
	input                                                   string
	duration, event, entry, upper, weights, offset, cluster string
	strata, covariates                                      []string
	model, ties, cause, confType, at                        string
	predict                                                 []float64
	l1, l2, level, period, band                             float64
	robust, json, stream                                    bool
	onSeparation, plot                                      string
}

// The models of `survival fit`.
var survivalModels = []string{"cox", "weibull", "exponential", "lognormal", "loglogistic", "km", "aj", "cloglog", "logit", "finegray"}

// separations are the values of --on-separation.
var separations = map[string]survival.OnSeparation{
	"report": survival.ReportSeparation, "ridge": survival.RidgeOnSeparation, "firth": survival.FirthOnSeparation,
}

// competing reports whether the model tells causes apart.
func (o *survivalOptions) competing() bool { return o.model == "aj" || o.model == "finegray" }

// newSurvivalCommand returns `rappel survival`.
func newSurvivalCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "survival",
		Short:   "Times to an event: curves and regressions on any file",
		Example: "  rappel survival fit --input invoices.csv --duration days --event paid --model km",
		Args:    cobra.NoArgs,
	}
	c.AddCommand(newSurvivalFitCommand())
	return c
}

func newSurvivalFitCommand() *cobra.Command {
	var o survivalOptions
	c := &cobra.Command{
		Use:   "fit",
		Short: "One survival fit on a CSV, Parquet or Arrow file",
		Long: `One survival fit on a CSV or Parquet file.

Models: cox; weibull, exponential, lognormal and loglogistic (accelerated
failure times); km (Kaplan-Meier) and aj (Aalen-Johansen) curves; cloglog and
logit (a hazard per period of --period, rows expanded on the way); finegray
(the subdistribution hazard of --cause).

The event column holds 0 for censored rows and 1 for events, or codes of
competing events, of which --cause names one. Rows with an empty value in a
column in use are left out, and the report says how many. Columns of numbers
are used as they are, columns of text become indicators against their first
level in sorted order.

--l1 and --l2 take l1·Σ|β| + l2/2·Σβ² from the log-likelihood, on columns as
they are. Baseline and curves of a Cox model are of a row whose covariates are
zero, or of --at.

A column that separates events from the rest has no finite coefficient: it is
named in the warnings, and with --on-separation ridge or firth fitted again with
a ridge of one per unit of variance, or with Firth's penalty.

--stream fits a Cox model by Efron's or Breslow's method to a Parquet or Arrow
IPC file of any length: it is read once for what it holds and then in passes, of
which each Newton step takes two, and nothing is kept but sums per distinct event
time. What needs all rows at once is not reported (concordance, test of
proportionality) or refused by name. Times are taken as they are; without it those
that differ by rounding are made one.`,
		Example: `  rappel survival fit --input invoices.csv --duration days --event paid --covariates amount,sector --json
  rappel survival fit --input visits.parquet --entry start --duration stop --event died --covariates age,arm --cluster id
  rappel survival fit --input invoices.csv --duration days --event outcome --model aj --cause 2 --predict 30,60,90
  rappel survival fit --input history.parquet --duration days --event paid --covariates amount,age --stream --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.input, "input", "", "CSV or Parquet file; with --stream Parquet or Arrow IPC")
	f.StringVar(&o.duration, "duration", "", "column of the time of event or censoring")
	f.StringVar(&o.event, "event", "", "column of the event: 0 censored, 1 event, or codes of competing events")
	f.StringVar(&o.entry, "entry", "", "column of the time from which a row is at risk")
	f.StringVar(&o.upper, "upper", "", "column of the upper end of the interval in which the event came, --duration being the lower; an empty end is open (parametric models)")
	f.StringSliceVar(&o.strata, "strata", nil, "columns whose values each have a baseline or curve of their own")
	f.StringVar(&o.weights, "weights", "", "column of case weights")
	f.StringVar(&o.offset, "offset", "", "column of a known part of the linear predictor")
	f.StringVar(&o.cluster, "cluster", "", "column of whom a row belongs to; z and p then use the robust error")
	f.StringSliceVar(&o.covariates, "covariates", nil, "columns of the regression")
	f.StringVar(&o.model, "model", "cox", strings.Join(survivalModels, ", "))
	f.StringVar(&o.ties, "ties", "efron", "efron, breslow or exact")
	f.Float64Var(&o.l1, "l1", 0, "weight of the absolute coefficients in the penalty")
	f.Float64Var(&o.l2, "l2", 0, "weight of half the squared coefficients in the penalty")
	f.StringVar(&o.onSeparation, "on-separation", "report", "where a coefficient runs away: report it, or fit again with a ridge or (cox) firth's penalty")
	f.StringVar(&o.cause, "cause", "", "event `code` of interest")
	f.Float64SliceVar(&o.predict, "predict", nil, "times at which curves are reported (default: every event time)")
	f.StringVar(&o.at, "at", "", "covariates of the curves, `name=value,…`; others are zero")
	f.StringVar(&o.confType, "conf-type", "log-log", "scale of limits: log-log, log or plain")
	f.Float64Var(&o.level, "level", 0.95, "coverage of limits")
	f.Float64Var(&o.period, "period", 1, "length of a period (cloglog, logit)")
	f.Float64Var(&o.band, "band", 0, "periods that share a baseline hazard (cloglog, logit); 0 is one for every period with an event, at most 200")
	f.BoolVar(&o.robust, "robust", false, "use the robust error for z and p without --cluster")
	f.BoolVar(&o.stream, "stream", false, "read the file in passes, in memory that does not grow with its rows (cox; Parquet or Arrow IPC)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.plot, "plot", "", "also draw the curves to this .png or .svg file")
	return c
}

func maybe(x float64) *number { n := number(x); return &n }

// survivalAnswer is what `survival fit` prints.
type survivalAnswer struct {
	Model       string               `json:"model"`
	Ties        string               `json:"ties,omitempty"`
	N           int                  `json:"n"`
	Events      int                  `json:"events"`
	Converged   bool                 `json:"converged"`
	Iterations  int                  `json:"iterations"`
	LogLikNull  *number              `json:"loglik_null"`
	LogLik      *number              `json:"loglik"`
	Coef        []survivalCoef       `json:"coef,omitempty"`
	Scale       *number              `json:"scale,omitempty"`
	Concordance *survivalConcordance `json:"concordance,omitempty"`
	Tests       map[string]testLine  `json:"tests,omitempty"`
	ZPH         []zphLine            `json:"proportionality,omitempty"`
	KKT         *number              `json:"kkt,omitempty"`
	Baseline    []baselineLine       `json:"baseline,omitempty"`
	Curves      []curveLine          `json:"curves,omitempty"`
	Warnings    []string             `json:"warnings"`
}

type survivalCoef struct {
	Name     string  `json:"name"`
	Coef     number  `json:"coef"`
	SE       *number `json:"se"`
	RobustSE *number `json:"robust_se"`
	Z        *number `json:"z"`
	P        *number `json:"p"`
}

type survivalConcordance struct {
	C          number `json:"c"`
	SE         number `json:"se"`
	Concordant number `json:"concordant"`
	Discordant number `json:"discordant"`
	TiedX      number `json:"tied_x"`
	TiedY      number `json:"tied_y"`
	TiedXY     number `json:"tied_xy"`
}

type testLine struct {
	Stat number `json:"stat"`
	DF   int    `json:"df"`
	P    number `json:"p"`
}

type zphLine struct {
	Name string `json:"name"`
	testLine
}

type baselineLine struct {
	Stratum  string `json:"stratum,omitempty"`
	Time     number `json:"time"`
	CumHaz   number `json:"cumhaz"`
	Survival number `json:"survival"`
}

type curveLine struct {
	Stratum   string  `json:"stratum"`
	Cause     *uint8  `json:"cause,omitempty"`
	Time      number  `json:"time"`
	NRisk     number  `json:"n_risk"`
	Survival  number  `json:"survival"`
	SE        number  `json:"se"`
	Lo        number  `json:"lo"`
	Hi        number  `json:"hi"`
	Incidence number  `json:"incidence"`
	CumHaz    *number `json:"cumhaz,omitempty"`
	SurvSE    *number `json:"survival_se,omitempty"`
}

func (o *survivalOptions) run(ctx context.Context, out io.Writer) error {
	answer, err := o.fit(ctx)
	if err != nil {
		return err
	}
	if o.plot != "" {
		if err := answer.draw(o.plot); err != nil {
			return err
		}
	}
	if o.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", " ")
		return enc.Encode(answer)
	}
	return answer.text(out, o)
}

// validate checks what flags alone can say.
func (o *survivalOptions) validate() error {
	if o.input == "" {
		return errors.New("--input is needed")
	}
	if o.duration == "" {
		return errors.New("--duration is needed")
	}
	if !slices.Contains(survivalModels, o.model) {
		return fmt.Errorf("--model %s: want one of %s", o.model, strings.Join(survivalModels, ", "))
	}
	if _, err := o.tiesOf(); err != nil {
		return err
	}
	if _, err := o.curveOptions(); err != nil {
		return err
	}
	if !(o.level > 0 && o.level < 1) {
		return fmt.Errorf("--level %v: want a number between 0 and 1", o.level)
	}
	if o.l1 < 0 || o.l2 < 0 {
		return errors.New("--l1 and --l2 must not be negative")
	}
	parametric := slices.Contains([]string{"weibull", "exponential", "lognormal", "loglogistic"}, o.model)
	switch {
	case o.event == "" && o.upper == "":
		return errors.New("--event is needed")
	case o.upper != "" && !parametric:
		return fmt.Errorf("--upper is for parametric models, not for %s", o.model)
	case (o.l1 > 0 || o.l2 > 0) && !slices.Contains([]string{"cox", "cloglog", "logit"}, o.model):
		return fmt.Errorf("--l1 and --l2 are for cox, cloglog and logit, not for %s", o.model)
	case len(o.covariates) > 0 && (o.model == "km" || o.model == "aj"):
		return fmt.Errorf("--covariates are for regressions; %s takes --strata", o.model)
	case o.model == "finegray" && o.cause == "":
		return errors.New("--model finegray needs --cause")
	case !isOne(o.onSeparation, "report", "ridge", "firth"):
		return fmt.Errorf("--on-separation %s: want report, ridge or firth", o.onSeparation)
	case o.onSeparation == "firth" && (o.model != "cox" || o.ties == "exact"):
		return errors.New("--on-separation firth is for cox with the ties of efron or breslow")
	case o.onSeparation == "ridge" && !isOne(o.model, "cox", "cloglog", "logit"):
		return fmt.Errorf("--on-separation is for cox, cloglog and logit, not for %s", o.model)
	case o.cluster != "" && !isOne(o.model, "cox", "finegray"):
		return fmt.Errorf("--cluster is for cox and finegray, not for %s", o.model)
	case o.robust && !isOne(o.model, "cox", "finegray"):
		return fmt.Errorf("--robust is for cox and finegray, not for %s", o.model)
	case o.offset != "" && isOne(o.model, "km", "aj"):
		return fmt.Errorf("--offset is for regressions, not for %s", o.model)
	case o.stream:
		return o.validateStream()
	case o.model == "finegray" && o.entry != "":
		return errors.New("--entry is not for finegray")
	case parametric && (o.entry != "" || len(o.strata) > 0):
		return fmt.Errorf("--entry and --strata are not for %s", o.model)
	}
	return nil
}

// isOne reports whether s is one of the words.
func isOne(s string, words ...string) bool { return slices.Contains(words, s) }

func (o *survivalOptions) tiesOf() (survival.Ties, error) {
	switch o.ties {
	case "efron":
		return survival.Efron, nil
	case "breslow":
		return survival.Breslow, nil
	case "exact":
		return survival.Exact, nil
	}
	return 0, fmt.Errorf("--ties %s: want efron, breslow or exact", o.ties)
}

func (o *survivalOptions) curveOptions() (survival.CurveOptions, error) {
	opt := survival.CurveOptions{Level: o.level}
	switch o.confType {
	case "log-log":
	case "log":
		opt.Scale = survival.Log
	case "plain":
		opt.Scale = survival.Plain
	default:
		return opt, fmt.Errorf("--conf-type %s: want log-log, log or plain", o.confType)
	}
	return opt, nil
}

// fit reads the file and fits the model.
func (o *survivalOptions) fit(ctx context.Context) (*survivalAnswer, error) {
	if err := usage(o.validate()); err != nil {
		return nil, err
	}
	if o.stream {
		return o.fitStream(ctx)
	}
	in, err := o.load(ctx)
	if err != nil {
		return nil, err
	}
	a := &survivalAnswer{Model: o.model, N: in.data.Rows(), Warnings: append([]string{}, in.warnings...)}
	switch o.model {
	case "cox":
		err = o.fitCox(a, in)
	case "km":
		err = o.fitKM(a, in)
	case "aj":
		err = o.fitAJ(a, in)
	case "cloglog", "logit":
		err = o.fitHazard(a, in)
	case "finegray":
		err = o.fitFineGray(a, in)
	default:
		err = o.fitAFT(a, in)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.input, in.inFile(err))
	}
	return a, nil
}

// stratum names stratum k.
func (in *survivalInput) stratum(k int) string {
	if in.strata == nil {
		return ""
	}
	return in.strata[k]
}

// coefficients adds a table of coefficients. z and p use the robust errors
// where useRobust says so.
func (a *survivalAnswer) coefficients(names []string, coef, se, robust []float64, useRobust bool) {
	for j, name := range names {
		c := survivalCoef{Name: name, Coef: number(coef[j])}
		if robust != nil {
			c.RobustSE = maybe(robust[j])
		}
		if se != nil {
			c.SE = maybe(se[j])
			by := se[j]
			if useRobust && robust != nil {
				by = robust[j]
			}
			z := coef[j] / by
			c.Z, c.P = maybe(z), maybe(survival.NormalP(z))
		}
		a.Coef = append(a.Coef, c)
	}
}

func (a *survivalAnswer) concordance(c *survival.Concordance, err error) {
	if err != nil {
		return // no comparable pairs: nothing to report
	}
	a.Concordance = &survivalConcordance{
		C: number(c.C), SE: number(c.SE), Concordant: number(c.Concordant), Discordant: number(c.Discordant),
		TiedX: number(c.TiedX), TiedY: number(c.TiedY), TiedXY: number(c.TiedXY),
	}
}

// perColumn returns v for each of p columns, or nil for zero.
func perColumn(v float64, p int) []float64 {
	if v == 0 || p == 0 {
		return nil
	}
	return slices.Repeat([]float64{v}, p)
}

// row returns the covariates of --at in the order of names.
func (o *survivalOptions) row(names []string) ([]float64, error) {
	x := make([]float64, len(names))
	if o.at == "" {
		return x, nil
	}
	for part := range strings.SplitSeq(o.at, ",") {
		name, value, ok := strings.Cut(part, "=")
		v, err := strconv.ParseFloat(value, 64)
		j := slices.Index(names, strings.TrimSpace(name))
		if !ok || err != nil || j < 0 {
			return nil, fmt.Errorf("--at %q: want name=value with one of the columns %s", part, strings.Join(names, ", "))
		}
		x[j] = v
	}
	return x, nil
}

func (o *survivalOptions) fitCox(a *survivalAnswer, in *survivalInput) error {
	ties, err := o.tiesOf()
	if err != nil {
		return err
	}
	d, p := in.data, len(in.data.Columns)
	fit, err := survival.FitCox(d, survival.CoxOptions{
		Ties: ties, L1: perColumn(o.l1, p), Ridge: perColumn(o.l2, p),
		OnSeparation: separations[o.onSeparation], Robust: true,
	})
	if err != nil {
		return err
	}
	a.Ties = o.ties
	a.coxTests(fit)
	if p > 0 && fit.Cov != nil {
		if z, err := fit.Proportional(survival.KMTime); err == nil {
			for j, t := range z.Column {
				a.ZPH = append(a.ZPH, zphLine{d.Names[j], testLine{number(t.Stat), t.DF, number(t.P)}})
			}
			a.ZPH = append(a.ZPH, zphLine{"GLOBAL", testLine{number(z.Global.Stat), z.Global.DF, number(z.Global.P)}})
		}
	}
	return o.reportCox(a, in, fit)
}

// coxTests adds the tests of all coefficients being zero.
func (a *survivalAnswer) coxTests(fit *survival.Cox) {
	a.Tests = map[string]testLine{}
	if len(fit.Coef) == 0 || fit.Cov == nil {
		return
	}
	for name, t := range map[string]survival.Test{"score": fit.Score, "wald": fit.Wald, "lr": fit.LR} {
		a.Tests[name] = testLine{number(t.Stat), t.DF, number(t.P)}
	}
}

// reportCox fills in what a Cox fit says.
func (o *survivalOptions) reportCox(a *survivalAnswer, in *survivalInput, fit *survival.Cox) error {
	d, p := in.data, len(in.data.Columns)
	a.N, a.Events, a.Converged, a.Iterations = fit.Rows, fit.Events, fit.Converged, fit.Iterations
	a.LogLikNull, a.LogLik = maybe(fit.LogLikNull), maybe(fit.LogLik)
	a.Warnings = append(a.Warnings, fit.Warnings...)
	if p > 0 {
		a.coefficients(d.Names, fit.Coef, fit.SE(), fit.RobustSE(), o.cluster != "" || o.robust)
		a.concordance(fit.Concordance())
	}
	if o.l1 > 0 {
		a.KKT = maybe(fit.KKT)
	}
	if o.cluster == "" && !o.robust {
		fit.Robust = nil // limits of curves follow the errors of z
	}
	opt, err := o.curveOptions()
	if err != nil {
		return err
	}
	x, err := o.row(d.Names)
	if err != nil {
		return err
	}
	baselines := fit.Baselines()
	strata, at := make([]int, len(baselines)), make([][]float64, len(baselines))
	for s, b := range baselines {
		strata[s], at[s] = b.Stratum, b.Time
		if o.predict != nil {
			at[s] = o.predict
		}
	}
	risk, err := in.atRisk(strata, at)
	if err != nil {
		return err
	}
	for s, b := range baselines {
		for k, t := range b.Time {
			a.Baseline = append(a.Baseline, baselineLine{in.stratum(b.Stratum), number(t), number(b.CumHaz[k]), number(math.Exp(-b.CumHaz[k]))})
		}
		times := at[s]
		curve, err := fit.Curve(x, b.Stratum, times)
		if err != nil {
			return err
		}
		lo, hi := curve.Interval(opt)
		for k, t := range times {
			now := curve.Survival[k]
			a.Curves = append(a.Curves, curveLine{
				Stratum: in.stratum(b.Stratum), Time: number(t), NRisk: number(risk[s][k]),
				Survival: number(now), SE: number(now * curve.SECumHaz[k]), Lo: number(lo[k]), Hi: number(hi[k]),
				Incidence: number(1 - now), CumHaz: maybe(curve.CumHaz[k]),
			})
		}
	}
	return nil
}

func (o *survivalOptions) fitKM(a *survivalAnswer, in *survivalInput) error {
	opt, err := o.curveOptions()
	if err != nil {
		return err
	}
	km, err := survival.KaplanMeier(in.data, opt)
	if err != nil {
		return err
	}
	a.Converged = true
	for _, e := range in.data.Event {
		if e != 0 {
			a.Events++
		}
	}
	for _, c := range km {
		times := o.predict
		if times == nil {
			for k, t := range c.Time {
				if c.Events[k] > 0 {
					times = append(times, t)
				}
			}
		}
		for _, t := range times {
			p := c.At(t)
			a.Curves = append(a.Curves, curveLine{
				Stratum: in.stratum(c.Stratum), Time: number(t), NRisk: number(p.AtRisk), Survival: number(p.Survival),
				SE: number(p.SE), Lo: number(p.Lower), Hi: number(p.Upper), Incidence: number(1 - p.Survival), CumHaz: maybe(p.CumHaz),
			})
		}
	}
	if len(km) > 1 {
		all := *in.data
		all.Stratum = nil
		if lr, err := survival.LogRank(&all, in.data.Stratum, 0); err == nil {
			a.Tests = map[string]testLine{"logrank": {number(lr.Test.Stat), lr.Test.DF, number(lr.Test.P)}}
		}
	}
	return nil
}

func (o *survivalOptions) fitAJ(a *survivalAnswer, in *survivalInput) error {
	aj, err := survival.AalenJohansen(in.data)
	if err != nil {
		return err
	}
	a.Converged = true
	for _, e := range in.data.Event {
		if e != 0 && (o.cause == "" || strconv.Itoa(int(e)) == o.cause) {
			a.Events++
		}
	}
	opt, err := o.curveOptions()
	if err != nil {
		return err
	}
	for _, in2 := range aj {
		times := o.predict
		if times == nil {
			last := 1.0
			for k, t := range in2.Time {
				if in2.Survival[k] < last {
					times = append(times, t)
				}
				last = in2.Survival[k]
			}
		}
		for c, cause := range in2.Cause {
			if o.cause != "" && strconv.Itoa(int(cause)) != o.cause {
				continue
			}
			for _, t := range times {
				p := in2.At(t)
				lo, hi := opt.Limits(p.CIF[c], p.SECIF[c])
				a.Curves = append(a.Curves, curveLine{
					Stratum: in.stratum(in2.Stratum), Cause: &cause, Time: number(t), NRisk: number(p.AtRisk),
					Survival: number(p.Survival), SE: number(p.SECIF[c]), Lo: number(lo), Hi: number(hi),
					Incidence: number(p.CIF[c]), SurvSE: maybe(p.SE),
				})
			}
		}
	}
	return nil
}

func (o *survivalOptions) fitAFT(a *survivalAnswer, in *survivalInput) error {
	dist := map[string]survival.Dist{
		"weibull": survival.Weibull, "exponential": survival.Exponential,
		"lognormal": survival.LogNormal, "loglogistic": survival.LogLogistic,
	}[o.model]
	d := in.data
	fit, err := survival.FitAFT(d, survival.AFTOptions{Dist: dist})
	if err != nil {
		return err
	}
	a.Events, a.Converged, a.Iterations = fit.Events, fit.Converged, fit.Iterations
	a.LogLikNull, a.LogLik, a.Scale = maybe(fit.LogLikNull), maybe(fit.LogLik), maybe(fit.Scale)
	a.Warnings = append(a.Warnings, fit.Warnings...)
	se := fit.SE()
	a.coefficients(fit.Names[:len(fit.Coef)], fit.Coef, se, nil, false)
	lp := make([]float64, d.Rows())
	for j, col := range d.Columns {
		for i, v := range col {
			lp[i] -= v * fit.Coef[j+1]
		}
	}
	if len(d.Columns) > 0 && d.Upper == nil {
		a.concordance(survival.Concord(d, lp, survival.ConcordanceOptions{}))
	}
	x, err := o.row(d.Names)
	if err != nil {
		return err
	}
	var events []float64
	for i, t := range d.Time {
		if t > 0 && (d.Event[i] != 0 || (d.Upper != nil && !math.IsInf(d.Upper[i], 1))) {
			events = append(events, t)
		}
	}
	slices.Sort(events)
	events = slices.Compact(events)
	zero := make([]float64, len(x))
	for _, t := range events {
		s := fit.Survival(zero, t)
		a.Baseline = append(a.Baseline, baselineLine{Time: number(t), CumHaz: number(-math.Log(s)), Survival: number(s)})
	}
	times := o.predict
	if times == nil {
		times = events
	}
	atRisk := func(float64) float64 { return math.NaN() }
	if d.Upper == nil {
		km, err := survival.KaplanMeier(d, survival.CurveOptions{})
		if err != nil {
			return err
		}
		atRisk = km[0].AtRiskAt
	}
	for _, t := range times {
		s := fit.Survival(x, t)
		a.Curves = append(a.Curves, curveLine{
			Time: number(t), NRisk: number(atRisk(t)), Survival: number(s), SE: number(math.NaN()),
			Lo: number(math.NaN()), Hi: number(math.NaN()), Incidence: number(1 - s), CumHaz: maybe(-math.Log(s)),
		})
	}
	return nil
}

// draw writes the curves to a PNG or SVG file.
func (a *survivalAnswer) draw(path string) error {
	if len(a.Curves) == 0 {
		return errors.New("--plot: there is no curve; give --predict")
	}
	w, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := a.plot(w, path); err != nil {
		return errors.Join(err, w.Close())
	}
	return w.Close()
}
