package anomaly

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
)

// cadenceOf is how many of the last invoices tell the cadence.
const cadenceOf = 12

// cadence returns the cadence that the gaps between due dates show, using
// buf as scratch.
func cadence(points []Point, buf []int32) Cadence {
	if len(points) > cadenceOf {
		points = points[len(points)-cadenceOf:]
	}
	buf = buf[:0]
	for _, p := range points {
		buf = append(buf, p.Due)
	}
	slices.Sort(buf)
	for i := len(buf) - 1; i > 0; i-- {
		buf[i] -= buf[i-1]
	}
	if len(buf) < 4 {
		return Irregular
	}
	gaps := buf[1:]
	slices.Sort(gaps)
	switch gap := gaps[len(gaps)/2]; {
	case gap >= 4 && gap <= 10:
		return Weekly
	case gap >= 24 && gap <= 38:
		return Monthly
	}
	return Irregular
}

// learn returns the prior that the book itself shows for one cadence:
// empirical Bayes by moments, hierarchical from debtor to profile to all.
// Where the book is too small, what was believed before is kept.
//
// Each element of book holds the invoices of one debtor, from which a change
// still under suspicion is left out; profile[i] is the profile of book[i], in
// [0, profiles). The prior of variances is that of Smyth (2004), eq. 11.
func learn(before Prior, book [][]Point, profile []int, profiles int, r *rand.Rand) Prior {
	out := before
	out.Profiles = nil
	fits := make([]alone, 0, len(book))
	out.workdays(book)
	out.seasons(book, r)
	for i, points := range book {
		if len(points) >= 6 {
			fits = append(fits, fitAlone(&out, points, profile[i]))
		}
	}
	// The first to have paid enough are the quick ones; wait for the others.
	if len(fits) < 20 || 2*len(fits) < len(book) {
		return out
	}
	out.scales(fits)
	out.means(fits)
	out.trends(fits)
	out.profiles(fits, profiles)
	return out
}

// alone is one debtor's own robust fit, without any prior.
type alone struct {
	profile                  int
	n                        float64
	mean, variance           float64
	trend, trendVariance, df float64
}

// fitAlone fits one debtor without borrowing from others.
func fitAlone(p *Prior, points []Point, profile int) alone {
	flat := *p
	flat.Profiles, flat.Between, flat.DF, flat.Trend = nil, 1e6, 1e-9, 0
	b := flat.fit(points, profile, Carried{})
	a := alone{profile: profile, n: float64(len(points)), mean: b.Mean, variance: b.Scale * b.Scale, df: float64(len(points)) - 1}
	flat.Trend = 1e6
	t := flat.fit(points, profile, Carried{})
	a.trend, a.trendVariance = t.Trend, t.Spread*t.Scale*t.Scale
	return a
}

// middle returns the mean of the middle half of x, which it sorts.
func middle(x []float64) float64 {
	slices.Sort(x)
	return stat.Mean(x[len(x)/4:len(x)-len(x)/4], nil)
}

// seasons sets the effects of month and weekday by backfitting: within each
// debtor, how much later a class of invoices is paid than as many drawn by r
// from all of theirs: without a season either is as likely to be the later one,
// however skewed the habit. Over debtors, the median of that, so that a fifth of
// the book changing in one month does not become the season of that month. An
// effect is kept for the part by which it exceeds what chance gives it.
func (p *Prior) seasons(book [][]Point, r *rand.Rand) {
	p.Month, p.Weekday = [12]float64{}, [7]float64{}
	var ys []float64
	for range 3 {
		for _, e := range []struct {
			dst []float64
			of  func(int32) int
		}{{p.Month[:], monthOf}, {p.Weekday[:], weekdayOf}} {
			seen := make([][]float64, len(e.dst))
			for _, points := range book {
				if len(points) < 6 {
					continue
				}
				ys = ys[:0]
				for _, q := range points {
					ys = append(ys, p.late(q)-p.season(q.Due))
				}
				var sum, n [12]float64
				for i, q := range points {
					sum[e.of(q.Due)] += ys[i]
					n[e.of(q.Due)]++
				}
				r.Shuffle(len(ys), func(i, j int) { ys[i], ys[j] = ys[j], ys[i] })
				for i, q := range points {
					sum[e.of(q.Due)] -= ys[i]
				}
				for k := range e.dst {
					if n[k] > 0 && n[k] < float64(len(points)) {
						seen[k] = append(seen[k], e.dst[k]+sum[k]/n[k])
					}
				}
			}
			for k := range e.dst {
				e.dst[k] = shrunk(seen[k])
			}
		}
	}
}

// shrunk returns the median of x, shrunk towards zero by its standard error,
// and zero where it is within three of them. It sorts x.
func shrunk(x []float64) float64 {
	if len(x) < 30 {
		return 0
	}
	slices.Sort(x)
	n := len(x)
	m := (x[(n-1)/2] + x[n/2]) / 2
	sd := (x[n*84/100] - x[n*16/100]) / 2
	se := 1.2533 * sd / math.Sqrt(float64(n)) // of a median of normals
	if m == 0 || math.Abs(m) < 3*se {
		return 0
	}
	return m * (1 - se*se/(m*m))
}

// scales sets Scale and DF from the debtors' own variances.
func (p *Prior) scales(fits []alone) {
	var logs, extra []float64
	for _, f := range fits {
		h := f.df / 2
		logs = append(logs, math.Log(f.variance)-mathext.Digamma(h)+math.Log(h))
		extra = append(extra, trigamma(h))
	}
	mean, variance := stat.MeanVariance(logs, nil)
	between := variance - stat.Mean(extra, nil)
	if between <= 0 {
		p.DF = min(maxDF, float64(len(fits)))
		p.Scale = math.Exp(mean / 2)
		return
	}
	h := inverseTrigamma(between)
	p.DF = min(max(1, 2*h), maxDF, float64(len(fits)))
	p.Scale = max(minScale, math.Exp((mean+mathext.Digamma(h)-math.Log(h))/2))
}

const maxDF = 1000 // the scale of a book is never worth more payments than this

// trigamma returns the derivative of the digamma function.
func trigamma(x float64) float64 { return mathext.Zeta(2, x) }

// inverseTrigamma returns the x at which trigamma is y > 0, by the Newton
// iteration of Smyth (2004), appendix.
func inverseTrigamma(y float64) float64 {
	x := 0.5 + 1/y
	for range 50 {
		t := trigamma(x)
		// The derivative of trigamma is -2ζ(3, x).
		d := t * (1 - t/y) / (-2 * mathext.Zeta(3, x))
		x += d
		if math.Abs(d) < 1e-8*x {
			break
		}
	}
	return x
}

// means sets Mean and Between from the debtors' own means.
func (p *Prior) means(fits []alone) {
	x := make([]float64, len(fits))
	var noise float64
	for i, f := range fits {
		x[i] = f.mean
		noise += f.variance / f.n
	}
	noise /= float64(len(fits))
	p.Mean = middle(x)
	n := len(x)
	sd := (x[n*84/100] - x[n*16/100]) / 2
	p.Between = math.Sqrt(max(sd*sd-noise, 0.01*p.Scale*p.Scale))
}

// trends sets Trend: the spread of the debtors' own slopes about none beyond
// what their noise gives, and zero where that is not clear of chance.
func (p *Prior) trends(fits []alone) {
	z := make([]float64, 0, len(fits))
	v := make([]float64, 0, len(fits))
	for _, f := range fits {
		if f.n >= 10 && f.trendVariance > 0 {
			z = append(z, f.trend/math.Sqrt(f.trendVariance))
			v = append(v, f.trendVariance)
		}
	}
	p.Trend = 0
	if len(z) < 20 {
		return
	}
	for i := range z {
		z[i] = math.Abs(z[i])
	}
	slices.Sort(z)
	slices.Sort(v)
	n := len(z)
	sd := z[n*68/100]
	// That quantile of n scores has a standard error of about 1.1/√n.
	if excess := sd*sd - 1; sd > 1.05+3*1.1/math.Sqrt(float64(n)) {
		p.Trend = math.Sqrt(excess * v[n/2])
	}
}

// echo sets Echo from the scores of payments around the means of their debtors: a
// trend is left to it, since either explains the other in short histories. Around
// a mean that they made themselves, n payments that echo by r show (1+3r)/n less
// than they do, by Marriott and Pope (1954), doi:10.1093/biomet/41.3-4.390; as much
// of that as the debtor's own payments made is added. What rounding to resolution
// adds to their variance, by Sheppard, echoes nothing and is taken away.
func (p *Prior) echo(book [][]Point, profile []int, resolution float64) {
	flat := *p
	flat.Trend = 0
	var product, square, lost, pairs float64
	for i, points := range book {
		n := float64(len(points))
		if n < 6 {
			continue
		}
		b := flat.fit(points, profile[i], Carried{})
		rounding := min(0.5, resolution*resolution/12/(b.Scale*b.Scale))
		var last float64
		for j, q := range points {
			mean, _ := b.at(p, q.Due)
			z := min(max(b.score(mean, p.late(q)), -winsor), winsor)
			if j > 0 {
				product += z * last
				square += (z*z+last*last)/2 - rounding
			}
			last = z
		}
		others := 1 - min(1, n/b.N) // part of the mean that they did not make
		lost += (n - 1) / n * (1 - others*others)
		pairs += n - 1
	}
	p.Echo = 0
	if pairs == 0 {
		return
	}
	lost /= pairs
	if echo := (product/square + lost) / (1 - 3*lost); echo > max(0.05, 3/math.Sqrt(pairs)) {
		p.Echo = min(echo, 0.8)
	}
}

// workdays sets Workdays where hardly anything in book is paid at weekends.
func (p *Prior) workdays(book [][]Point) {
	var all, weekend float64
	for _, points := range book {
		for _, q := range points {
			all++
			if w := weekdayOf(q.Due + int32(math.Floor(float64(q.Late)))); w == int(time.Saturday) || w == int(time.Sunday) {
				weekend++
			}
		}
	}
	p.Workdays = all >= 200 && weekend < 0.03*all
}

// profiles sets the mean and scale of each profile, shrunk to those of all.
func (p *Prior) profiles(fits []alone, profiles int) {
	if profiles < 2 {
		return
	}
	n := make([]float64, profiles)
	mean, logs := make([]float64, profiles), make([]float64, profiles)
	for _, f := range fits {
		n[f.profile]++
		mean[f.profile] += f.mean - p.Mean
		logs[f.profile] += math.Log(f.variance)
	}
	var all float64
	for i := range logs {
		all += logs[i]
	}
	all /= float64(len(fits))
	// Between-profile variances, by moments over debtors.
	var vm, vs, ms, ls float64
	for _, f := range fits {
		dm, dl := f.mean-p.Mean, math.Log(f.variance)-all
		ms += dm * dm
		ls += dl * dl
	}
	ms /= float64(len(fits))
	ls /= float64(len(fits))
	var used float64
	for i := range n {
		if n[i] == 0 {
			continue
		}
		used++
		m, l := mean[i]/n[i], logs[i]/n[i]-all
		vm += m*m - ms/n[i]
		vs += l*l - ls/n[i]
	}
	vm, vs = max(0, vm/used), max(0, vs/used)
	p.Profiles = make([]Profile, profiles)
	for i := range n {
		p.Profiles[i] = Profile{p.Mean, p.Scale}
		if n[i] == 0 {
			continue
		}
		if vm > 0 {
			p.Profiles[i].Mean += mean[i] / n[i] * vm / (vm + ms/n[i])
		}
		if vs > 0 {
			p.Profiles[i].Scale *= math.Exp((logs[i]/n[i] - all) / 2 * vs / (vs + ls/n[i]))
		}
	}
}
