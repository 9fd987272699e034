package anomaly

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Point is one paid invoice.
type Point struct {
	Due  int32   // due date, days since 1 January 1970
	Late float32 // days from due to paid; negative when paid before
}

// Prior is what is believed of a debtor of some cadence before their own
// payments are seen, in days.
type Prior struct {
	Mean    float64 // mean days late over debtors
	Between float64 // standard deviation of debtors' means
	Scale   float64 // typical standard deviation of one debtor's payments
	DF      float64 // how many payments Scale is worth
	Trend   float64 // standard deviation of debtors' trends, days late per 30 days; 0 for none

	Month    [12]float64 // days late to add by month of the due date, January first
	Weekday  [7]float64  // days late to add by weekday of the due date, Sunday first
	Profiles []Profile   // by profile; may be shorter than there are profiles
	Workdays bool        // nothing is paid at weekends
	Shape    Shape       // of scores around the baseline
	Echo     float64     // correlation of one payment's score with the next, from 0
	Null     nulls       // what the p-values of changes are worth, by kind
}

// Profile is what is believed of a debtor of one profile.
type Profile struct {
	Mean  float64 // days late
	Scale float64 // days
}

// profile returns mean and scale believed for profile i.
func (p *Prior) profile(i int) Profile {
	if i >= 0 && i < len(p.Profiles) {
		return p.Profiles[i]
	}
	return Profile{p.Mean, p.Scale}
}

// late returns the days late that q tells: where nothing is paid at weekends,
// the working days from due to paid, seven fifths of a day each.
func (p *Prior) late(q Point) float64 {
	if !p.Workdays {
		return float64(q.Late)
	}
	return worked(float64(q.Due)+float64(q.Late)) - worked(float64(q.Due))
}

// paid returns the days after due on which an invoice is paid that is late by
// what [Prior.late] tells.
func (p *Prior) paid(due int32, late float64) float32 {
	if !p.Workdays {
		return float32(late)
	}
	done := worked(float64(due)) + late
	week := math.Floor(done / 7)
	return float32(7*week + (done-7*week)*5/7 + 4 - float64(due))
}

// worked returns the days of work, of seven fifths of a day each, from some
// Monday to t, in days since 1970.
func worked(t float64) float64 {
	t -= 4 // day 4 was a Monday
	week := math.Floor(t / 7)
	return 7*week + min(t-7*week, 5)*7/5
}

// season returns the days late to expect more of an invoice due on day.
func (p *Prior) season(day int32) float64 {
	if !p.seasonal() {
		return 0
	}
	return p.Month[monthOf(day)] + p.Weekday[weekdayOf(day)]
}

// seasonal tells whether month or weekday make a difference.
func (p *Prior) seasonal() bool { return p.Month != [12]float64{} || p.Weekday != [7]float64{} }

// monthOf returns the month of a day since 1970, 0 for January, by the civil
// calendar algorithm of Hinnant (2013), chrono-compatible date algorithms.
func monthOf(day int32) int {
	doe := int(((day+719468)%146097 + 146097) % 146097)
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	return ((5*doy+2)/153 + 2) % 12
}

// weekdayOf returns the weekday of a day since 1970, 0 for Sunday: day 0 was
// a Thursday.
func weekdayOf(day int32) int { return int(((day+4)%7 + 7) % 7) }

// Baseline is how one debtor pays: Student-t around a line.
type Baseline struct {
	Mean   float64 // days late at day Centre, season taken out
	Trend  float64 // days late per 30 days
	Centre float64 // mean due date of the invoices it was fitted on
	Spread float64 // posterior variance of Trend in units of Scale²
	N      float64 // how many invoices the mean is worth, the prior included
	Scale  float64 // standard deviation of one payment around the line, days
	DF     float64 // degrees of freedom of Scale
}

const (
	winsor   = 2.0  // residuals beyond this many Scale count as if at it
	minScale = 0.35 // days; dates alone give 0.29, the rest is a debtor too exact to be true
	history  = 48   // invoices remembered per debtor
)

// winsorVariance is E min(Z², winsor²) of a standard normal Z: what makes the
// winsorised variance consistent.
var winsorVariance = func() float64 {
	n := distuv.UnitNormal
	tail := n.Survival(winsor)
	return 1 - 2*winsor*n.Prob(winsor) - 2*tail + 2*winsor*winsor*tail
}()

// Carried is what a debtor's own past says of their scale, beside the prior:
// kept when their mean has changed.
type Carried struct {
	Scale float64
	DF    float64
}

// fit returns the posterior of one debtor's baseline from at most history paid
// invoices: a
// Huber M-estimate with a normal prior on the mean, Proposal 2 with an inverse
// chi-square prior on the scale, and a ridge on the trend. An invoice weighs
// at most what one at two standard deviations weighs, so a few outliers move
// neither.
//
// It is the mode of the hierarchical model in which means are normal and
// variances scaled inverse chi-square over debtors; see Huber and Ronchetti
// (2009), Robust Statistics, §6.4, and Smyth (2004),
// doi:10.2202/1544-6115.1027, for the variances.
func (p *Prior) fit(points []Point, profile int, own Carried) Baseline {
	believed := p.profile(profile)
	s0, d0, between := believed.Scale, p.DF, p.Between
	if own.DF > 0 { // one who has changed is no longer believed to be like the others
		s0, d0, between = own.Scale, own.DF, math.Inf(1)
	}
	n := len(points)
	b := Baseline{Mean: believed.Mean, Scale: s0, DF: d0, N: s0 * s0 / (between * between)}
	if n == 0 {
		b.Spread = spread(p.Trend, s0, 0)
		return b
	}
	var months, lates [history]float64
	x, y := months[:n], lates[:n]
	var mean, centre float64
	for i, q := range points {
		y[i] = p.late(q) - p.season(q.Due)
		mean += y[i] / float64(n)
		centre += float64(q.Due) / float64(n)
	}
	b.Centre = centre
	var dev float64
	for i, q := range points {
		x[i] = (float64(q.Due) - centre) / 30
		dev += math.Abs(y[i]-mean) / float64(n)
	}
	b.Mean = mean
	b.Scale = max(minScale, 1.2533*dev) // √(π/2): mean deviation of a normal
	var sxx float64
	for range 30 {
		lambda := b.Scale * b.Scale / (between * between)
		var sw, swy, swxy, ss float64
		sxx = 0
		for i, y := range y {
			r := y - b.Mean - b.Trend*x[i]
			w := 1.0
			if a := math.Abs(r); a > winsor*b.Scale {
				w = winsor * b.Scale / a
			}
			sw += w
			swy += w * (y - b.Trend*x[i])
			swxy += w * x[i] * (y - b.Mean)
			sxx += w * x[i] * x[i]
			ss += min(r*r, winsor*winsor*b.Scale*b.Scale)
		}
		m := (lambda*believed.Mean + swy) / (lambda + sw)
		if p.Trend > 0 {
			b.Trend = swxy / (sxx + b.Scale*b.Scale/(p.Trend*p.Trend))
		}
		df := d0 + float64(n) - 1
		s := max(minScale, math.Sqrt((d0*s0*s0+ss/winsorVariance)/df))
		done := math.Abs(m-b.Mean) < 1e-4*s && math.Abs(s-b.Scale) < 1e-4*s
		b.Mean, b.Scale, b.DF, b.N = m, s, df, lambda+sw
		if done {
			break
		}
	}
	b.Spread = spread(p.Trend, b.Scale, sxx)
	return b
}

// spread returns the posterior variance of the trend in units of scale².
func spread(prior, scale, sxx float64) float64 {
	if prior == 0 {
		return 0
	}
	return 1 / (sxx + scale*scale/(prior*prior))
}

// at returns the expected days late of an invoice due on day, and how many
// invoices that expectation is worth.
func (b *Baseline) at(p *Prior, day int32) (mean, n float64) {
	mean, n = b.Mean+p.season(day), b.N
	if b.Centre != 0 {
		x := (float64(day) - b.Centre) / 30
		mean += b.Trend * x
		n = 1 / (1/n + b.Spread*x*x)
	}
	return mean, n
}

// score returns the standardised residual of an invoice that is late days
// late: its distance from the mean in Scale, carried from Student-t to the
// normal scale so that the scores of the well-known and the new debtor mean
// the same, by Wallace (1959), doi:10.1214/aoms/1177706213.
func (b *Baseline) score(mean, late float64) float64 {
	t := (late - mean) / b.Scale
	z := math.Sqrt(b.DF*math.Log1p(t*t/b.DF)) * (8*b.DF + 1) / (8*b.DF + 3)
	return math.Copysign(z, t)
}

// Band is the range in which the days late of the next invoice are expected.
type Band struct {
	Low, Mid, High float64 // days late
}

// band returns the central predictive interval that holds share of the
// payments of an invoice due on day.
func (b *Baseline) band(p *Prior, day int32, share float64) Band {
	mid, n := b.at(p, day)
	n = max(n, b.Scale*b.Scale/(p.Between*p.Between)) // nothing is known yet since a change: as of anyone
	t := distuv.StudentsT{Sigma: 1, Nu: b.DF}.Quantile((1 + share) / 2)
	half := t * b.Scale * math.Sqrt(1+1/n)
	return Band{mid - half, mid, mid + half}
}

// Shape is how the scores of ordinary payments are spread over the book: the
// score that has the probability of each normal score, in steps of a quarter
// and symmetric about 0, as far out as ten scores are left to tell. Payments
// are skewed, have long tails and keep to weekdays; what matters is not how far
// one is from the mean but how rare that is. Empty, it is the normal's own.
type Shape []float64

const (
	shapeStep  = 0.25 // normal scores between knots
	shapeEnd   = 3.0  // the last knot, at most
	shapeLeast = 10   // scores beyond the last knot, at least
)

// newShape returns the shape of scores, which it sorts; empty where they are
// too few to tell their hundredth.
func newShape(scores []float64) Shape {
	end := shapeEnd
	for end >= 2 && distuv.UnitNormal.Survival(end)*float64(len(scores)) < shapeLeast {
		end -= shapeStep
	}
	if end < 2 {
		return nil
	}
	slices.Sort(scores)
	var s Shape
	for g := -end; g <= end; g += shapeStep {
		z := stat.Quantile(distuv.UnitNormal.CDF(g), stat.LinInterp, scores, nil)
		if n := len(s); n > 0 { // dates alone make scores come in lumps
			z = max(z, s[n-1]+0.02)
		}
		s = append(s, z)
	}
	return s
}

// Normal returns the score that a normal payment has with the probability
// that z has here. Beyond the last knot the tail is exponential: longer than
// the normal's, so that what the book has not shown is not taken for
// impossible.
func (s Shape) Normal(z float64) float64 {
	last := len(s) - 1
	if last < 0 {
		return z
	}
	end := float64(last) / 2 * shapeStep
	switch {
	case z >= s[last]:
		return outer((z-s[last])/(s[last]-s[last-2]), end)
	case z <= s[0]:
		return -outer((s[0]-z)/(s[2]-s[0]), end)
	}
	i, _ := slices.BinarySearch(s, z)
	part := (s[i] - z) / (s[i] - s[i-1])
	return -end + shapeStep*(float64(i)-part)
}

// heavy is how fast the probability of one late payment falls beyond the last
// knot: as the power of a Student-t with 3 degrees of freedom, since one
// invoice alone must not be surprising because the book is short.
const heavy = 3

// beyond returns the probability of a score as high as z.
func (s Shape) beyond(z float64) float64 {
	last := len(s) - 1
	if last < 0 || z <= s[last] || s[last] <= 0 {
		return distuv.UnitNormal.Survival(s.Normal(z))
	}
	return distuv.UnitNormal.Survival(float64(last)/2*shapeStep) * math.Pow(s[last]/z, heavy)
}

// outer returns the normal score of what lies beyond the last knot, at end, by
// steps of the last two knots: in each the tail falls as it did in them.
func outer(steps, end float64) float64 {
	p, before := distuv.UnitNormal.Survival(end), distuv.UnitNormal.Survival(end-2*shapeStep)
	return distuv.UnitNormal.Quantile(1 - max(p*math.Pow(p/before, steps), 1e-14))
}
