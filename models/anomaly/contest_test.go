package anomaly

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// contestant hears the days late of one debtor, invoice by invoice, and says
// how much they look like a change for the worse; restart is called when that
// was taken for an alarm.
type contestant interface {
	hear(due int32, late float64) float64
	restart()
}

// told is Page's CUSUM that knows noise and shift, and the mean too unless it
// is to learn it from what it hears.
type told struct {
	mean, noise, shift float64
	learn              bool
	n, s               float64
}

func (c *told) hear(_ int32, late float64) float64 {
	if !c.learn || c.n >= least {
		c.s = max(0, c.s+(late-c.mean)/c.noise-c.shift/c.noise/2)
	}
	if c.learn {
		c.n++
		c.mean += (late - c.mean) / c.n
	}
	return c.s
}

func (c *told) restart() { c.s = 0 }

// plain is the self-starting CUSUM of Hawkins (1987), doi:10.2307/2348827: it
// knows the shift, and learns mean and noise from the debtor alone, from all
// that it has heard.
type plain struct{ shift, n, mean, m2, s float64 }

func (c *plain) hear(_ int32, late float64) float64 {
	if c.n >= 4 {
		sd := math.Sqrt(max(c.m2/(c.n-1), 0.35*0.35))
		t := (late - c.mean) / sd * math.Sqrt(c.n/(c.n+1))
		z := distuv.UnitNormal.Quantile(min(1-1e-12, max(1e-12, distuv.StudentsT{Sigma: 1, Nu: c.n - 1}.CDF(t))))
		c.s = max(0, c.s+z-min(1.5, c.shift/sd/2))
	}
	c.n++
	d := late - c.mean
	c.mean += d / c.n
	c.m2 += d * (late - c.mean)
	return c.s
}
func (c *plain) restart() { *c = plain{shift: c.shift} }

// online is Bayesian online change point detection, Adams and MacKay (2007),
// arXiv:0710.3742, with Student-t predictions from the same prior that the
// Detector learns. Its evidence is the log odds that the present run is at
// most eight payments old and later than what came before.
type online struct {
	prior       Prior
	hazard      float64
	logp        []float64 // by run length
	n, mean, s2 []float64 // posterior of each run
	lates       []float64
}

func (c *online) fresh() (n, mean, s2 float64) {
	return c.prior.Scale * c.prior.Scale / (c.prior.Between * c.prior.Between), c.prior.Mean, c.prior.DF * c.prior.Scale * c.prior.Scale
}

func (c *online) hear(_ int32, late float64) float64 {
	if len(c.logp) == 0 {
		n, m, s := c.fresh()
		c.logp, c.n, c.mean, c.s2 = []float64{0}, []float64{n}, []float64{m}, []float64{s}
	}
	c.lates = append(c.lates, late)
	r := len(c.logp)
	logp := make([]float64, r+1)
	n0, m0, s0 := c.fresh()
	n, mean, s2 := make([]float64, r+1), make([]float64, r+1), make([]float64, r+1)
	n[0], mean[0], s2[0] = n0, m0, s0
	change := math.Inf(-1)
	for i := range r {
		df := c.prior.DF + float64(i)
		scale := math.Sqrt(c.s2[i] / df * (1 + 1/c.n[i]))
		l := c.logp[i] + distuv.StudentsT{Mu: c.mean[i], Sigma: scale, Nu: df}.LogProb(late)
		logp[i+1] = l + math.Log1p(-c.hazard)
		change = logAdd(change, l+math.Log(c.hazard))
		d := late - c.mean[i]
		n[i+1] = c.n[i] + 1
		mean[i+1] = c.mean[i] + d/n[i+1]
		s2[i+1] = c.s2[i] + d*d*c.n[i]/n[i+1]
	}
	logp[0] = change
	total := math.Inf(-1)
	for _, l := range logp {
		total = logAdd(total, l)
	}
	for i := range logp {
		logp[i] -= total
	}
	c.logp, c.n, c.mean, c.s2 = logp, n, mean, s2
	if len(c.lates) <= 8 {
		return math.Inf(-1)
	}
	recent := math.Inf(-1)
	var before float64
	for _, x := range c.lates[:len(c.lates)-8] {
		before += x / float64(len(c.lates)-8)
	}
	for i := 1; i <= 8; i++ {
		if mean[i] > before {
			recent = logAdd(recent, logp[i])
		}
	}
	return recent - math.Log(max(1e-300, -math.Expm1(min(recent, -1e-16))))
}

func (c *online) restart() { *c = online{prior: c.prior, hazard: c.hazard} }

func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// ours is the Detector's own statistic on paid invoices; with page, the CUSUM
// of the same likelihood ratios, which takes the best beginning where the
// Detector adds up all of them.
type ours struct {
	d    *clerk
	i    int
	page bool
	f    Finding
}

func (c *ours) hear(due int32, late float64) float64 {
	c.d.Issue(c.i, "x", due)
	c.d.Pay(c.i, "x", float64(due)+late)
	c.d.hear()
	b := &c.d.Debtors[c.i]
	watched := b.Paid[len(b.Paid)-b.Recent:]
	scores := make([]float64, len(watched))
	p := &c.d.Prior[b.Cadence]
	for i, q := range watched {
		mean, _ := b.Base.at(p, q.Due)
		scores[i] = p.Shape.Normal(b.Base.score(mean, p.late(q)))
	}
	if c.page {
		effect := min(3, max(0.5, c.d.cfg.Shift[b.Cadence]/b.Base.Scale))
		best := 0.0
		for i := range scores { // the evidence of one beginning at a time
			_, n := b.Base.at(p, due)
			if e := beginning(scores, i, n, effect); e > best {
				best, c.f.Since = e, watched[i].Due
			}
		}
		return best
	}
	c.f = Finding{P: 1}
	c.d.suspect(&c.f, p, b, watched, scores)
	return -math.Log(c.f.P)
}
func (c *ours) restart() { c.d.change(&c.d.Debtors[c.i], c.f.Since) }

// beginning returns the log likelihood ratio of a shift that begins with
// score i to none, as Detect has it for each beginning.
func beginning(scores []float64, i int, n, effect float64) float64 {
	bound := max(whole, effect/2+maxEvidence/effect)
	k, m := n+float64(i), float64(len(scores)-i)
	if k < least {
		return math.Inf(-1)
	}
	var d float64
	for j, z := range scores {
		z = min(max(z, -bound), bound)
		if j < i {
			d -= z / k
		} else {
			d += z / m
		}
	}
	return effect * (d - effect/2) / (1/m + 1/k)
}

// contest plays the debtors of p to contestants made by enter, and returns
// the share of changes found within n invoices when each alarms at the
// threshold at which it raises perYear false alarms a debtor-year.
func contest(p plan, seed uint64, perYear float64, n int, enter func(Prior, played) contestant) (found, rate float64) {
	r := rand.New(rand.NewPCG(seed, 0xc0de))
	book := make([]played, p.debtors)
	for i := range book {
		b := &book[i]
		*b = played{mean: 3 + 3*r.NormFloat64(), noise: p.noise, at: p.days, shift: p.shift}
		if r.Float64() < p.planted {
			b.at = (p.from + r.IntN(p.to-p.from)) / p.gap
		}
		for k := range p.days / p.gap {
			late := b.mean + b.noise*r.NormFloat64()
			if k >= b.at {
				late += p.shift
			}
			if r.Float64() < p.outliers {
				late += 10
			}
			b.lates = append(b.lates, math.Round(late))
		}
	}
	var histories [][]Point
	var profile []int
	for _, b := range book {
		var h []Point
		for k, late := range b.lates[:p.from/p.gap] {
			h = append(h, Point{int32(20000 + k*p.gap), float32(late)})
		}
		histories = append(histories, h)
		profile = append(profile, 0)
	}
	c := Monthly
	if p.gap == 7 {
		c = Weekly
	}
	prior := learn(DefaultConfig().Prior[c], histories, profile, 1, rand.New(rand.NewPCG(1, 1)))
	run := func(threshold float64) (rate, share float64) {
		var alarms, exposure, hits, all float64
		for _, b := range book {
			con := enter(prior, b)
			hit := false
			for k, late := range b.lates {
				if k >= b.at+n {
					break
				}
				if con.hear(int32(20000+k*p.gap), late) >= threshold {
					if k >= b.at {
						hit = true
						break
					}
					alarms++
					con.restart()
				}
				if k < b.at {
					exposure += float64(p.gap) / 365
				}
			}
			if b.at+n <= len(b.lates) {
				all++
				if hit {
					hits++
				}
			}
		}
		return alarms / exposure, hits / all
	}
	lo, hi := -20.0, 60.0
	for range 13 {
		mid := (lo + hi) / 2
		if rate, _ := run(mid); rate > perYear {
			lo = mid
		} else {
			hi = mid
		}
	}
	rate, found = run(hi)
	return found, rate
}

const (
	kept    = "Shiryaev-Roberts, the same"
	dropped = "Bayesian online change point"
	fair    = "CUSUM told noise and shift"
)

// entrants are the detectors compared, the ones that are told more last.
func entrants(p plan) []struct {
	name  string
	enter func(Prior, played) contestant
} {
	own := func(page bool) func(Prior, played) contestant {
		return func(prior Prior, _ played) contestant {
			cfg := DefaultConfig()
			for c := range cfg.Prior {
				cfg.Prior[c], cfg.Shift[c] = prior, p.shift
			}
			d, err := New(cfg)
			if err != nil {
				panic(err)
			}
			c := &clerk{Detector: d, fresh: map[int]bool{}}
			c.AddDebtor(0)
			return &ours{d: c, page: page}
		}
	}
	return []struct {
		name  string
		enter func(Prior, played) contestant
	}{
		{"self-starting CUSUM", func(Prior, played) contestant { return &plain{shift: p.shift} }},
		{dropped, func(prior Prior, _ played) contestant { return &online{prior: prior, hazard: 1. / 200} }},
		{"CUSUM, pooled, mean integrated out", own(true)},
		{kept, own(false)},
		{fair, func(_ Prior, b played) contestant { return &told{noise: b.noise, shift: p.shift, learn: true} }},
		{"CUSUM told the mean too", func(_ Prior, b played) contestant { return &told{mean: b.mean, noise: b.noise, shift: p.shift} }},
	}
}

// TestContest checks the choice of detector where it matters, at a shift of
// two standard deviations: a larger one all of them find, a smaller one none
// finds within three invoices. Shares are known to about four points here.
func TestContest(t *testing.T) {
	p := plan{debtors: 300, days: 365, gap: 7, noise: 1, shift: 2, planted: 0.5, from: 120, to: 330}
	found := map[string]float64{}
	for _, e := range entrants(p) {
		if e.name == kept || e.name == dropped || e.name == fair {
			found[e.name], _ = contest(p, 1, 0.05, 3, e.enter)
			t.Logf("%-36s %.3f", e.name, found[e.name])
		}
	}
	if found[kept] < found[dropped] {
		t.Errorf("found %.3f, Bayesian online change point %.3f: keep the better", found[kept], found[dropped])
	}
	if found[kept] < found[fair]-0.05 {
		t.Errorf("found %.3f, a CUSUM told noise and shift %.3f: want five points less at most", found[kept], found[fair])
	}
}

// BenchmarkContest prints how the entrants compare, in their order, on paid
// invoices and at the same false-alarm rate per debtor-year.
func BenchmarkContest(b *testing.B) {
	for range b.N {
		for _, p := range []plan{
			{gap: 7, noise: 0.5, shift: 2},
			{gap: 7, noise: 1, shift: 2},
			{gap: 7, noise: 2, shift: 2},
			{gap: 7, noise: 0.5, shift: 2, outliers: 0.01},
			{gap: 30, noise: 2, shift: 7},
		} {
			p.debtors, p.days, p.planted, p.from, p.to = 1000, 365, 0.4, 120, 330
			n := 3
			if p.gap == 30 {
				n, p.from = 2, 210
			}
			for _, rate := range []float64{0.05, 0.01} {
				var line strings.Builder
				fmt.Fprintf(&line, "every %d days, %v later, noise %v, outliers %v, within %d, at %v false alarms:", p.gap, p.shift, p.noise, p.outliers, n, rate)
				for _, e := range entrants(p) {
					found, _ := contest(p, 1, rate, n, e.enter)
					fmt.Fprintf(&line, " %.3f", found)
				}
				b.Log(line.String())
			}
		}
	}
}
