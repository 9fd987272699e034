package anomaly

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// vague is a prior that says next to nothing.
var vague = Prior{Between: 1e6, Scale: 1, DF: 1e-6}

func weekly(lates ...float64) []Point {
	var points []Point
	for i, l := range lates {
		points = append(points, Point{int32(20000 + 7*i), float32(l)})
	}
	return points
}

func TestCalendar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.Int32Range(-200_000, 200_000).Draw(t, "day")
		want := time.Unix(int64(day)*86400, 0).UTC()
		if got := monthOf(day); got != int(want.Month())-1 {
			t.Errorf("monthOf(%d) = %d, want %v", day, got, want)
		}
		if got := weekdayOf(day); got != int(want.Weekday()) {
			t.Errorf("weekdayOf(%d) = %d, want %v", day, got, want)
		}
	})
}

// TestWorked: where nothing is paid at weekends, Friday to Monday is one
// working day, and a weekend costs nothing.
func TestWorked(t *testing.T) {
	p := Prior{Workdays: true}
	friday := int32(20001 + 6 - weekdayOf(20001) - 1)
	for _, c := range []struct {
		due  int32
		late float32
		want float64
	}{
		{friday, 0, 0},
		{friday, 3, 1.4},
		{friday, 7, 7},
		{friday - 1, 1, 1.4},
		{friday + 1, 2, 0},     // due on Saturday, paid on Monday
		{friday + 3, -3, -1.4}, // due on Monday, paid on Friday
		{friday, 10, 8.4},
	} {
		if got := p.late(Point{c.due, c.late}); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("due %v, %v days late: %v, want %v", time.Unix(int64(c.due)*86400, 0).UTC().Weekday(), c.late, got, c.want)
		}
	}
	if got := (&Prior{}).late(Point{friday, 3}); got != 3 {
		t.Errorf("where weekends count, three days are %v", got)
	}
}

func TestCadence(t *testing.T) {
	every := func(gap, n int) []Point {
		var p []Point
		for i := range n {
			p = append(p, Point{Due: int32(20000 + gap*i)})
		}
		return p
	}
	for _, c := range []struct {
		name   string
		points []Point
		want   Cadence
	}{
		{"nothing yet", nil, Irregular},
		{"too few", every(7, 3), Irregular},
		{"weekly", every(7, 4), Weekly},
		{"monthly", every(30, 12), Monthly},
		{"each quarter", every(91, 8), Irregular},
		{"weekly with a month away", append(every(7, 8), Point{Due: 20090}, Point{Due: 20097}), Weekly},
		{"paid out of order", []Point{{Due: 20021}, {Due: 20000}, {Due: 20014}, {Due: 20007}}, Weekly},
		{"was monthly, now weekly", append(every(30, 12), every(7, 40)...), Weekly},
	} {
		if got := cadence(c.points, nil); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestFitOfClean(t *testing.T) {
	b := vague.fit(weekly(1, 2, 3, 4, 5, 4, 3, 2), 0, Carried{})
	if math.Abs(b.Mean-3) > 1e-3 {
		t.Errorf("mean %v, want 3: nothing lies beyond two standard deviations", b.Mean)
	}
	// Σ(x-3)² = 12 over 7 degrees of freedom, corrected for what winsorising
	// takes from a normal.
	if want := math.Sqrt(12.0 / 7 / winsorVariance); math.Abs(b.Scale-want) > 1e-3 {
		t.Errorf("scale %v, want %v", b.Scale, want)
	}
}

func TestFitResistsOutliers(t *testing.T) {
	clean := vague.fit(weekly(3, 4, 3, 2, 3, 4, 2, 3, 3, 4, 2, 3, 3, 4, 2, 3), 0, Carried{})
	dirty := vague.fit(weekly(3, 4, 3, 2, 3, 90, 2, 3, 3, 4, 2, 3, 60, 4, 2, 3), 0, Carried{})
	if d := math.Abs(dirty.Mean - clean.Mean); d > 0.5*clean.Scale {
		t.Errorf("two outliers in sixteen move the mean by %v, scale %v", d, clean.Scale)
	}
	if dirty.Scale > 2*clean.Scale {
		t.Errorf("two outliers in sixteen move the scale from %v to %v", clean.Scale, dirty.Scale)
	}
}

func TestFitMovesWithUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lates := rapid.SliceOfN(rapid.Float64Range(-10, 40), 8, 30).Draw(t, "lates")
		shift := float64(rapid.IntRange(-20, 20).Draw(t, "shift"))
		a := vague.fit(weekly(lates...), 0, Carried{})
		for i := range lates {
			lates[i] += shift
		}
		b := vague.fit(weekly(lates...), 0, Carried{})
		// float32 days and the 1e-4 at which the iteration stops.
		if tol := 1e-2 * a.Scale; math.Abs(b.Mean-a.Mean-shift) > tol || math.Abs(b.Scale-a.Scale) > tol {
			t.Errorf("%+v moved by %v is %+v", a, shift, b)
		}
	})
}

func TestFitBorrows(t *testing.T) {
	p := Prior{Mean: 10, Between: 2, Scale: 1, DF: 20}
	var last float64 = 10
	for n := range 12 {
		lates := make([]float64, n)
		b := p.fit(weekly(lates...), 0, Carried{})
		if b.Mean > last {
			t.Errorf("with %d invoices paid on time the mean is %v, more than %v with fewer", n, b.Mean, last)
		}
		last = b.Mean
	}
	if last > 0.5 {
		t.Errorf("after eleven invoices paid on time the mean is still %v", last)
	}
}

func TestFitFollowsTrendOnlyWherePriorHasIt(t *testing.T) {
	var lates []float64
	for i := range 30 {
		lates = append(lates, float64(i)*7/30) // one day later each month
	}
	flat := Prior{Between: 5, Scale: 0.5, DF: 10}
	sloped := flat
	sloped.Trend = 1
	if b := flat.fit(weekly(lates...), 0, Carried{}); b.Trend != 0 {
		t.Errorf("trend %v from a prior without one", b.Trend)
	}
	b := sloped.fit(weekly(lates...), 0, Carried{})
	if math.Abs(b.Trend-1) > 0.05 {
		t.Errorf("trend %v a month, want 1", b.Trend)
	}
	if mean, n := b.at(&sloped, 20000+7*30); math.Abs(mean-7) > 0.2 || n >= b.N {
		t.Errorf("expected %v worth %v invoices at the end of the line, want 7 worth less than the %v in its middle", mean, n, b.N)
	}
}

// TestBand checks that 90 % bands hold 90 % of what comes next, for debtors
// with much and with little history, of continuous days late.
func TestBand(t *testing.T) {
	for _, n := range []int{3, 10, 40} {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		p := Prior{Mean: 3, Between: 4, Scale: 2, DF: 20}
		const trials = 4000
		in := 0
		for range trials {
			scale := 2 * math.Sqrt(20/distuv.ChiSquared{K: 20, Src: r}.Rand())
			mean := 3 + 4*r.NormFloat64()
			var lates []float64
			for range n {
				lates = append(lates, mean+scale*r.NormFloat64())
			}
			b := p.fit(weekly(lates...), 0, Carried{})
			band := b.band(&p, 20000+7*int32(n), 0.9)
			if next := mean + scale*r.NormFloat64(); next >= band.Low && next <= band.High {
				in++
			}
		}
		// Three standard errors of a share of 4,000 are 1.4 points; winsorising
		// the few costs another half.
		if got := float64(in) / trials; math.Abs(got-0.9) > 0.02 {
			t.Errorf("after %d invoices the 90 %% band holds %.3f", n, got)
		}
	}
}

func TestScoreKeepsProbability(t *testing.T) {
	for _, df := range []float64{3, 10, 60} {
		b := Baseline{Scale: 2, DF: df}
		for _, x := range []float64{-8, -3, 0, 1, 4, 10} {
			want := distuv.StudentsT{Sigma: 2, Nu: df}.Survival(x)
			got := distuv.UnitNormal.Survival(b.score(0, x))
			// Wallace's formula is good to a few per cent of the tail.
			if math.Abs(math.Log(got/want)) > 0.1 {
				t.Errorf("df %v, %v days: tail %.3g, Student-t has %.3g", df, x, got, want)
			}
		}
	}
}

func TestShape(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	draw := func() float64 { return math.Exp(0.8 * r.NormFloat64()) } // skewed, with a long tail
	var scores []float64
	for range 40000 {
		scores = append(scores, draw())
	}
	s := newShape(scores)
	var beyond [4]float64
	const trials = 40000
	for range trials {
		z := s.Normal(draw())
		for g := range beyond {
			if z > float64(g) {
				beyond[g]++
			}
		}
	}
	for g := range beyond {
		want := distuv.UnitNormal.Survival(float64(g))
		// Four standard errors, of the shape's sample and of this one.
		if got := beyond[g] / trials; math.Abs(got-want) > 4*math.Sqrt(2*want/trials) {
			t.Errorf("%.4f of payments score above %d, want %.4f", got, g, want)
		}
	}
	last := math.Inf(-1)
	for z := -5.0; z < 60; z += 0.01 {
		g := s.Normal(z)
		if g < last || math.IsNaN(g) {
			t.Fatalf("score %v has normal score %v after %v", z, g, last)
		}
		last = g
	}
	if got := (Shape{}).Normal(2.5); got != 2.5 {
		t.Errorf("without a shape 2.5 has normal score %v", got)
	}
}
