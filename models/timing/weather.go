package timing

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// WeatherRows are counts of engagements by sector, part of the day and day,
// and the weather as it was known when the messages were sent.
type WeatherRows struct {
	Sector, Block, Day []int32   // Day counts from any Monday
	Events             []float64 // seen
	Expected           []float64 // under availability and exposure; above 0 where anything could be seen
	// X is n×p: departures from what is usual for the season, scaled to vary
	// by about 1; sunshine and rain, say.
	X []float64
}

// WeatherOptions are the settings of FitWeather.
type WeatherOptions struct {
	Sectors, Blocks, Covariates int
	// PeriodDays is the length of the spells within which days are compared,
	// a multiple of 28: what is slower than that, as the season, has no say.
	PeriodDays int32
	// Claim is the false discovery rate among sectors said to be weather-bound.
	Claim float64
	// Permutations bounds how fine the p-values are.
	Permutations int
	Seed         uint64
}

// DefaultWeatherOptions compares the days of four weeks.
func DefaultWeatherOptions(sectors, blocks, covariates int) WeatherOptions {
	return WeatherOptions{
		Sectors: sectors, Blocks: blocks, Covariates: covariates,
		PeriodDays: 28, Claim: 0.05, Permutations: 9999, Seed: 1,
	}
}

// Weather says how the weather changes the hours of a sector.
type Weather struct {
	Blocks, Covariates int
	// Beta is sectors×blocks×covariates: the log of the factor on
	// availability per unit of weather; zero in sectors not kept.
	Beta []float64
	// P is the p-value of each sector.
	P []float64
	// Scale is the prior standard deviation of the coefficients of each
	// claimed sector, chosen by held-out likelihood; 0 where none did better.
	Scale []float64
	// Gain is the held-out gain of each claimed sector over no weather, in
	// nats per event.
	Gain []float64
	// Kept is 1 for the sectors where weather is used: those claimed where it
	// also gains.
	Kept []float64
}

var (
	// ErrSector reports a sector, block or column outside those announced.
	ErrSector = errors.New("timing: sector or block out of range")
	// ErrExpected reports events where none were expected.
	ErrExpected = errors.New("timing: events where none can be")
)

// cell is one row of a block, days of one spell side by side.
type cell struct {
	spell, week      int32
	events, expected float64
	x                []float64
}

// FitWeather learns a Poisson regression of counts on the weather for each
// sector and part of the day. Counts are compared within spells of a few
// weeks, given their total (the conditional likelihood, in which the level of
// sector, hour and season cancels). Coefficients are shrunk to zero by a normal
// prior whose scale is what best predicts weeks left out. A sector is kept
// where its score stands out among scores with the signs of whole weeks
// flipped, at a false discovery rate of opt.Claim among sectors, and where
// weather predicts the weeks left out better than none.
//
// See Cameron and Trivedi (2013), chapter 9, on the conditional Poisson
// likelihood.
func FitWeather(rows WeatherRows, opt WeatherOptions) (*Weather, error) {
	if err := rows.check(opt); err != nil {
		return nil, fmt.Errorf("fit weather: %w", err)
	}
	w := &Weather{
		Blocks: opt.Blocks, Covariates: opt.Covariates,
		Beta:  make([]float64, opt.Sectors*opt.Blocks*opt.Covariates),
		Scale: make([]float64, opt.Sectors),
		Gain:  make([]float64, opt.Sectors),
		P:     make([]float64, opt.Sectors),
		Kept:  make([]float64, opt.Sectors),
	}
	bySector := rows.cells(opt)
	claims := make([]Effect, opt.Sectors)
	for s := range opt.Sectors {
		w.P[s] = weatherTest(bySector[s*opt.Blocks:(s+1)*opt.Blocks], opt, uint64(s))
		claims[s].P = w.P[s]
	}
	discover(claims, opt.Claim)
	for s, claim := range claims {
		if !claim.Claimed {
			continue
		}
		blocks := bySector[s*opt.Blocks : (s+1)*opt.Blocks]
		w.Scale[s], w.Gain[s] = weatherScale(blocks, opt.Covariates)
		if w.Scale[s] == 0 {
			continue
		}
		w.Kept[s] = 1
		for b, cells := range blocks {
			weatherFit(w.Beta[(s*opt.Blocks+b)*opt.Covariates:][:opt.Covariates], cells, w.Scale[s], -1)
		}
	}
	return w, nil
}

// Modulate multiplies avail by the effect of the weather in one sector. x is
// 168×covariates: the forecast for each hour of the week to come, in the units
// fitted. A sector outside the model, or not kept, leaves avail as it is.
func (w *Weather) Modulate(avail *[Hours]float64, sector int, x []float64) {
	if len(x) != Hours*w.Covariates {
		panic("timing: weather must have a row for each hour of the week")
	}
	if sector < 0 || sector >= len(w.Kept) || w.Kept[sector] == 0 {
		return
	}
	for h := range avail {
		block := h % dayHours * w.Blocks / dayHours
		beta := w.Beta[(sector*w.Blocks+block)*w.Covariates:][:w.Covariates]
		eta := 0.0
		for j, b := range beta {
			eta += b * x[h*w.Covariates+j]
		}
		avail[h] *= math.Exp(eta)
	}
}

func (r *WeatherRows) check(opt WeatherOptions) error {
	n := len(r.Sector)
	if len(r.Block) != n || len(r.Day) != n || len(r.Events) != n || len(r.Expected) != n || len(r.X) != n*opt.Covariates {
		panic("timing: columns of weather rows differ in length")
	}
	for i := range n {
		var err error
		switch y, e := r.Events[i], r.Expected[i]; {
		case r.Sector[i] < 0 || int(r.Sector[i]) >= opt.Sectors || r.Block[i] < 0 || int(r.Block[i]) >= opt.Blocks:
			err = ErrSector
		case y < 0 || e < 0 || r.Day[i] < 0:
			err = ErrNegative
		case math.IsNaN(y+e) || math.IsInf(y+e, 0):
			err = ErrNotFinite
		case y > 0 && e == 0:
			err = ErrExpected
		}
		for _, v := range r.X[i*opt.Covariates : (i+1)*opt.Covariates] {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				err = ErrNotFinite
			}
		}
		if err != nil {
			return &RowError{Column: "weather", Row: i, Err: err}
		}
	}
	return nil
}

// cells sorts rows into sectors×blocks lists, each in order of day.
func (r *WeatherRows) cells(opt WeatherOptions) [][]cell {
	out := make([][]cell, opt.Sectors*opt.Blocks)
	for i := range r.Sector {
		if r.Expected[i] == 0 {
			continue
		}
		k := int(r.Sector[i])*opt.Blocks + int(r.Block[i])
		out[k] = append(out[k], cell{
			spell: r.Day[i] / opt.PeriodDays, week: r.Day[i] / Days,
			events: r.Events[i], expected: r.Expected[i],
			x: r.X[i*opt.Covariates : (i+1)*opt.Covariates],
		})
	}
	for _, cells := range out {
		slices.SortStableFunc(cells, func(a, b cell) int { return cmp.Compare(a.week, b.week) })
	}
	return out
}

var weatherScales = []float64{0.05, 0.1, 0.2, 0.4, 0.8}

// weatherScale returns the scale whose fits to three weeks of four best predict
// the fourth, and its gain over none per event; 0 where none gains.
func weatherScale(blocks [][]cell, covariates int) (scale, gain float64) {
	events := 0.0
	for _, cells := range blocks {
		for _, c := range cells {
			events += c.events
		}
	}
	if events == 0 {
		return 0, 0
	}
	beta := make([]float64, covariates)
	zero := make([]float64, covariates)
	for _, s := range weatherScales {
		sum := 0.0
		for _, cells := range blocks {
			for out := range int32(folds) {
				weatherFit(beta, cells, s, out)
				sum += weatherScore(beta, cells, out) - weatherScore(zero, cells, out)
			}
		}
		if sum/events > gain {
			scale, gain = s, sum/events
		}
	}
	return scale, gain
}

// spells calls visit for each spell of cells: the cells of it whose week is in
// fold (with in) or is not (without).
func spells(cells []cell, fold int32, in bool, visit func(spell []cell)) {
	var buffer []cell
	for from := 0; from < len(cells); {
		buffer = buffer[:0]
		to := from
		for ; to < len(cells) && cells[to].spell == cells[from].spell; to++ {
			if (cells[to].week%folds == fold) == in {
				buffer = append(buffer, cells[to])
			}
		}
		if len(buffer) > 0 {
			visit(buffer)
		}
		from = to
	}
}

// weatherScore is the log-likelihood of how events fell over the days of the
// weeks in a fold, up to what no coefficient moves.
func weatherScore(beta []float64, cells []cell, fold int32) float64 {
	sum := 0.0
	spells(cells, fold, true, func(spell []cell) {
		all, events := 0.0, 0.0
		for _, c := range spell {
			eta := dot(beta, c.x)
			all += c.expected * math.Exp(eta)
			events += c.events
			sum += c.events * eta
		}
		sum -= events * math.Log(all)
	})
	return sum
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// weatherFit stores the posterior mode of the coefficients in beta, from the
// weeks outside a fold; −1 leaves none out. Newton steps on a concave function
// with steps held to 1, where eight reach its top.
func weatherFit(beta []float64, cells []cell, scale float64, fold int32) {
	p := len(beta)
	clear(beta)
	gradient := mat.NewVecDense(p, nil)
	hessian := mat.NewSymDense(p, nil)
	mean := make([]float64, p)
	var chol mat.Cholesky
	var step mat.VecDense
	for range 8 {
		for j := range p {
			gradient.SetVec(j, -beta[j]/(scale*scale))
			for k := j; k < p; k++ {
				hessian.SetSym(j, k, 0)
			}
			hessian.SetSym(j, j, 1/(scale*scale))
		}
		spells(cells, fold, false, func(spell []cell) {
			weatherMoments(gradient, hessian, mean, beta, spell)
		})
		if !chol.Factorize(hessian) {
			panic("timing: a sum of covariances and a ridge is positive definite")
		}
		if err := chol.SolveVecTo(&step, gradient); err != nil {
			return // so near singular that no step can be trusted
		}
		long := max(1, mat.Norm(&step, math.Inf(1)))
		for j := range beta {
			beta[j] += step.AtVec(j) / long
		}
	}
}

// weatherMoments adds gradient and information of one spell.
func weatherMoments(gradient *mat.VecDense, hessian *mat.SymDense, mean, beta []float64, spell []cell) {
	all, events := 0.0, 0.0
	clear(mean)
	for _, c := range spell {
		w := c.expected * math.Exp(dot(beta, c.x))
		all += w
		events += c.events
		for j, v := range c.x {
			mean[j] += w * v
		}
	}
	for j := range mean {
		mean[j] /= all
	}
	for _, c := range spell {
		w := events * c.expected * math.Exp(dot(beta, c.x)) / all
		for j, v := range c.x {
			gradient.SetVec(j, gradient.AtVec(j)+(c.events-w)*(v-mean[j]))
			for k := j; k < len(mean); k++ {
				hessian.SetSym(j, k, hessian.At(j, k)+w*(v-mean[j])*(c.x[k]-mean[k]))
			}
		}
	}
}

// weatherTest is the p-value of the score of a sector: the squared scores of
// its blocks over their information, among those with the signs of whole weeks
// flipped. Days and debtors within a week may depend on each other as they
// like.
func weatherTest(blocks [][]cell, opt WeatherOptions, stream uint64) float64 {
	p := opt.Covariates
	dim := opt.Blocks * p
	var weeks []int32
	scores := map[int32][]float64{} // by week
	zero := make([]float64, p)
	inverses := make([]*mat.SymDense, opt.Blocks)
	for b, cells := range blocks {
		hessian := mat.NewSymDense(p, nil)
		for j := range p {
			hessian.SetSym(j, j, 1e-9) // a block without events is no direction
		}
		spells(cells, -1, false, func(spell []cell) {
			mean := make([]float64, p)
			weatherMoments(mat.NewVecDense(p, nil), hessian, mean, zero, spell)
			all, events := 0.0, 0.0
			for _, c := range spell {
				all += c.expected
				events += c.events
			}
			for _, c := range spell {
				s := scores[c.week]
				if s == nil {
					s = make([]float64, dim)
					scores[c.week] = s
					weeks = append(weeks, c.week)
				}
				for j, v := range c.x {
					s[b*p+j] += (c.events - events*c.expected/all) * (v - mean[j])
				}
			}
		})
		var chol mat.Cholesky
		inverses[b] = mat.NewSymDense(p, nil)
		if chol.Factorize(hessian) {
			if err := chol.InverseTo(inverses[b]); err != nil {
				inverses[b] = mat.NewSymDense(p, nil)
			}
		}
	}
	if len(weeks) == 0 {
		return 1
	}
	slices.Sort(weeks)
	sum := make([]float64, dim)
	statistic := func() float64 {
		total := 0.0
		for b, inverse := range inverses {
			for j := range p {
				for k := range p {
					total += sum[b*p+j] * inverse.At(j, k) * sum[b*p+k]
				}
			}
		}
		return total
	}
	for _, w := range weeks {
		for i, v := range scores[w] {
			sum[i] += v
		}
	}
	bar := statistic() * (1 - 1e-12) // shuffled sums differ in the last digits
	rng := rand.New(rand.NewPCG(opt.Seed, 0x3ea7+stream))
	return permutationP(opt.Permutations, func() bool {
		clear(sum)
		for _, w := range weeks {
			sign := float64(1 - 2*int(rng.Uint64()&1))
			for i, v := range scores[w] {
				sum[i] += sign * v
			}
		}
		return statistic() >= bar
	})
}
