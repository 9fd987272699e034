package anomaly

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// simulated returns a book of n debtors with the given number of weekly
// invoices each; late is given the debtor's index and the day due.
func simulated(n, invoices int, late func(i int, due int32) float64) (book [][]Point, profile []int) {
	for i := range n {
		var points []Point
		for k := range invoices {
			// Due weekdays roll on, so that a weekday is not a debtor's own.
			due := int32(20000 + 8*k + i%7)
			points = append(points, Point{due, float32(late(i, due))})
		}
		book = append(book, points)
		profile = append(profile, i%2)
	}
	return book, profile
}

func TestLearnRecoversBook(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	const n = 800
	mean, scale := make([]float64, n), make([]float64, n)
	for i := range n {
		mean[i] = 4 + 3*r.NormFloat64()
		scale[i] = 1.5 * math.Sqrt(12/distuv.ChiSquared{K: 12, Src: r}.Rand())
		if i%2 == 1 {
			mean[i] += 4
		}
	}
	book, profile := simulated(n, 24, func(i int, _ int32) float64 { return mean[i] + scale[i]*r.NormFloat64() })
	p := learn(DefaultConfig().Prior[Weekly], book, profile, 2, rand.New(rand.NewPCG(1, 1)))
	within := func(what string, got, want, tolerance float64) {
		t.Helper()
		if math.Abs(got-want) > tolerance {
			t.Errorf("%s %.3f, want %.3f ± %.3f", what, got, want, tolerance)
		}
	}
	// Standard errors: mean √((3²+2²)/800) = 0.13, and three of them.
	within("mean", p.Mean, 6, 0.5)
	within("between", p.Between, math.Sqrt(9+4), 0.5)
	within("scale", p.Scale, 1.5, 0.1)
	// Winsorised variances of 24 spread a little wider than chi-square ones.
	within("log degrees of freedom", math.Log(p.DF), math.Log(12), 0.5)
	within("mean of profile 0", p.Profiles[0].Mean, 4, 0.6)
	within("mean of profile 1", p.Profiles[1].Mean, 8, 0.6)
	if p.Trend != 0 {
		t.Errorf("trend %v in a book without", p.Trend)
	}
	for _, e := range append(p.Month[:], p.Weekday[:]...) {
		within("season", e, 0, 0.15)
	}
}

func TestLearnFindsSeason(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 2))
	book, profile := simulated(600, 40, func(i int, due int32) float64 {
		late := float64(i%5) + r.NormFloat64()
		if monthOf(due) == 0 {
			late += 3
		}
		if weekdayOf(due) == 5 {
			late += 2
		}
		return late
	})
	p := learn(DefaultConfig().Prior[Weekly], book, profile, 1, rand.New(rand.NewPCG(1, 1)))
	// An effect is measured against the debtor's usual day, which the season
	// itself moves a little.
	if d := p.Month[0] - p.Month[10]; math.Abs(d-3) > 0.5 {
		t.Errorf("January is %v days later than November, want 3", d)
	}
	if d := p.Weekday[5] - p.Weekday[2]; math.Abs(d-2) > 0.5 {
		t.Errorf("Friday is %v days later than Tuesday, want 2", d)
	}
}

func TestLearnFindsTrend(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 3))
	slope := make([]float64, 600)
	for i := range slope {
		slope[i] = r.NormFloat64()
	}
	book, profile := simulated(600, 30, func(i int, due int32) float64 {
		return slope[i]*float64(due-20120)/30 + r.NormFloat64()
	})
	p := learn(DefaultConfig().Prior[Weekly], book, profile, 1, rand.New(rand.NewPCG(1, 1)))
	if math.Abs(p.Trend-1) > 0.15 {
		t.Errorf("trends spread by %v days a month, want 1", p.Trend)
	}
}

func TestHearsEcho(t *testing.T) {
	for _, n := range []int{30, 7} {
		for _, echo := range []float64{0, 0.4} {
			r := rand.New(rand.NewPCG(5, 6))
			last := make([]float64, 12_000/n)
			book, profile := simulated(len(last), n, func(i int, _ int32) float64 {
				last[i] = echo*last[i] + math.Sqrt(1-echo*echo)*r.NormFloat64()
				return 3 + last[i]
			})
			p := learn(DefaultConfig().Prior[Weekly], book, profile, 1, rand.New(rand.NewPCG(1, 1)))
			p.echo(book, profile, 0)
			// 12,000 pairs are known to 0.01, and what seven payments do not show is
			// made up for to first order.
			if math.Abs(p.Echo-echo) > 0.08 {
				t.Errorf("%d payments: echo %.3f, want %v", n, p.Echo, echo)
			}
		}
	}
}

// TestLearnIgnoresChanges: a fifth of the book moving in one month is not the
// season of that month.
func TestLearnIgnoresChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 4))
	book, profile := simulated(600, 40, func(i int, due int32) float64 {
		late := r.NormFloat64()
		if i%5 == 0 && due > 20200 {
			late += 3
		}
		return late
	})
	p := learn(DefaultConfig().Prior[Weekly], book, profile, 1, rand.New(rand.NewPCG(1, 1)))
	for m, e := range p.Month {
		if math.Abs(e) > 0.3 {
			t.Errorf("month %d is %v days later, want next to nothing", m+1, e)
		}
	}
}

func TestLearnWaitsForBook(t *testing.T) {
	before := DefaultConfig().Prior[Weekly]
	few, profile := simulated(19, 30, func(int, int32) float64 { return 40 })
	if got := learn(before, few, profile, 1, rand.New(rand.NewPCG(1, 1))); got.Mean != before.Mean || got.Scale != before.Scale {
		t.Errorf("nineteen debtors change the prior to %+v", got)
	}
	quick, profile := simulated(30, 30, func(int, int32) float64 { return -5 })
	for range 31 { // most have not paid yet, and will be later
		quick, profile = append(quick, nil), append(profile, 0)
	}
	if got := learn(before, quick, profile, 1, rand.New(rand.NewPCG(1, 1))); got.Mean != before.Mean {
		t.Errorf("the quick half changes the mean to %v", got.Mean)
	}
}

func TestInverseTrigamma(t *testing.T) {
	for _, x := range []float64{0.05, 0.5, 1, 3, 50, 400} {
		if got := inverseTrigamma(trigamma(x)); math.Abs(got/x-1) > 1e-6 {
			t.Errorf("inverse of trigamma(%v) is %v", x, got)
		}
	}
}
