package ope

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// skewed returns a table whose column 1 is exponential with mean 1.
func skewed(m int, seed uint64) (*table, []term) {
	rng := rand.New(rand.NewPCG(seed, 1))
	l := &Log{}
	x := make([]float64, m)
	for i := range x {
		x[i] = rng.ExpFloat64()
		l.Reward = append(l.Reward, x[i])
		l.Propensity = append(l.Propensity, 1)
		l.Target = append(l.Target, 1)
	}
	t := newTable(l)
	c := t.column(x)
	t.seal()
	return t, []term{{c, colWeight, 1}}
}

// For a mean, BCa agrees to second order with x̄ + σ̂ (z + a(2z² + 1)), a the
// acceleration (Efron 1987, section 8), here with t for z as we use it.
func TestBCaIsSecondOrderRight(t *testing.T) {
	const m = 400
	tb, terms := skewed(m, 1)
	total := tb.totals(make([]float64, tb.p))
	influence := tb.influence(make([]float64, m), terms, total)
	drawn := tb.replicates(20_000, 1)
	reps := make([]float64, 20_000)
	for b := range reps {
		reps[b] = value(terms, drawn[b*tb.p:(b+1)*tb.p])
	}
	se := standardError(influence)
	if sd := stat.StdDev(reps, nil); math.Abs(sd/se-1) > 0.02 { // 20,000 replicates know their deviation to 0.5 %
		t.Errorf("replicates deviate by %v, delta method says %v", sd, se)
	}
	lo, hi := bca(value(terms, total), reps, influence, 0.95)
	var s2, s3 float64
	for _, x := range influence {
		s2 += x * x
		s3 += x * x * x
	}
	a := s3 / (6 * math.Pow(s2, 1.5))
	z := critical(influence, 0.95)
	for _, c := range []struct{ got, z float64 }{{lo, -z}, {hi, z}} {
		want := value(terms, total) + se*(c.z+a*(2*c.z*c.z+1))
		// what is left is of order 1/m in standard errors, plus the noise of a 2.5 % quantile, about 0.02
		if math.Abs(c.got-want) > 0.06*se {
			t.Errorf("end point %v, want %v (standard error %v)", c.got, want, se)
		}
	}
	if !(hi-value(terms, total) > value(terms, total)-lo) {
		t.Errorf("interval %v to %v around %v leans the wrong way for right-skewed data", lo, hi, value(terms, total))
	}
}

// The influence of a row on a censored value is what leaving the row out does,
// the censoring distribution estimated anew each time.
func TestCensoredInfluenceIsTheJackknife(t *testing.T) {
	const n = 800
	rng := rand.New(rand.NewPCG(8, 8))
	l := &Log{Censoring: &Censoring{}}
	for range n {
		w := 0.5 + rng.ExpFloat64()
		paid, lost := min(10*rng.ExpFloat64()/w, 28), 20*rng.ExpFloat64()
		l.Reward = append(l.Reward, 1-paid/28)
		l.Propensity = append(l.Propensity, 0.1)
		l.Target = append(l.Target, min(0.1*w, 1))
		l.Q = append(l.Q, 0.3+0.1*w)
		l.V = append(l.V, 0.5)
		l.Censoring.Time = append(l.Censoring.Time, min(paid, lost))
		l.Censoring.Complete = append(l.Censoring.Complete, paid <= lost)
	}
	// What influences leave out is of order 1/n of them, but n at the last
	// moments is a handful of rows: most so where a line is fitted to them.
	for name, tolerance := range map[string]float64{IPCWIPS: 0.02, IPCWDR: 0.25} {
		estimate := func(l *Log) (*table, []term) {
			tb := newTable(l)
			e, err := tb.add(l, []string{name})
			if err != nil {
				t.Fatal(err)
			}
			tb.seal()
			return tb, e[0].terms
		}
		tb, terms := estimate(l)
		total := tb.totals(make([]float64, tb.p))
		influence := tb.influence(make([]float64, n), terms, total)
		whole := value(terms, total)
		var apart, size float64
		for i := range n {
			var rows []int
			for k := range n {
				if k != i {
					rows = append(rows, k)
				}
			}
			without, terms := estimate(l.Select(rows))
			left := whole - value(terms, without.totals(make([]float64, without.p)))
			apart += (left - influence[i]) * (left - influence[i])
			size += influence[i] * influence[i]
		}
		if r := math.Sqrt(apart / size); r > tolerance {
			t.Errorf("%s: influences are %.3f of their size away from leaving rows out", name, r)
		}
	}
}

func TestProbabilityUp(t *testing.T) {
	for _, c := range []struct {
		e    Estimate
		reps []float64
		want float64
	}{
		{Estimate{Method: BCa}, []float64{1, 2, 3}, 3.5 / 4}, // never quite 1 on three replicates
		{Estimate{Method: BCa}, []float64{-1, 0, 0, 1}, 0.5},
		{Estimate{Method: Delta, Value: 1.96, SE: 1}, nil, 0.975},
		{Estimate{Method: Delta}, nil, 0.5},
	} {
		if got := probabilityUp(c.e, c.reps); math.Abs(got-c.want) > 1e-5 {
			t.Errorf("%+v with %v: %v, want %v", c.e, c.reps, got, c.want)
		}
	}
}

// Beyond maxUnits units are grouped at random; the spread of totals stays.
func TestGroupingKeepsTheSpread(t *testing.T) {
	tb, terms := skewed(maxUnits+4000, 2)
	g := tb.grouped(1)
	if g.m != maxUnits {
		t.Fatalf("%d units", g.m)
	}
	before := standardError(tb.influence(make([]float64, tb.m), terms, tb.totals(make([]float64, tb.p))))
	after := standardError(g.influence(make([]float64, g.m), terms, g.totals(make([]float64, g.p))))
	if math.Abs(after/before-1) > 0.02 { // 16,384 groups know their deviation to about 0.8 %
		t.Errorf("standard error %v, was %v", after, before)
	}
}

// More columns than one cache line of them takes several blocks.
func TestReplicatesOfManyColumns(t *testing.T) {
	const m = 50
	l := &Log{}
	for range m {
		l.Reward, l.Propensity, l.Target = append(l.Reward, 1), append(l.Propensity, 1), append(l.Target, 1)
	}
	for _, columns := range []int{1, 2, 4, 5, 8, 9, 12, 13, 20} {
		manyColumns(t, l, columns)
	}
}

func manyColumns(t *testing.T, l *Log, columns int) {
	t.Helper()
	m := len(l.Reward)
	tb := newTable(l)
	rng := rand.New(rand.NewPCG(1, 1))
	base := make([]float64, m)
	for i := range base {
		base[i] = rng.Float64()
	}
	for c := range columns {
		col := make([]float64, m)
		for i := range col {
			col[i] = base[i] * float64(c+1)
		}
		tb.column(col)
	}
	tb.seal()
	out := tb.replicates(100, 5)
	for b := range 100 {
		row := out[b*tb.p : (b+1)*tb.p]
		if row[colWeight] != float64(m) {
			t.Fatalf("replicate %d draws %v units", b, row[colWeight])
		}
		for c := range columns { // all columns saw the same draws
			if math.Abs(row[1+c]/row[1]-float64(c+1)) > 1e-12 {
				t.Fatalf("replicate %d: column %d is %v, the first %v", b, c+1, row[1+c], row[1])
			}
		}
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	tb, terms := skewed(100, 3)
	total, influence, draws := make([]float64, tb.p), make([]float64, tb.m), make([]uint32, tb.m)
	block, narrow := make([][lane]float64, tb.m), make([][narrowLane]float64, tb.m)
	sum := make([]float64, lane)
	score, weight := tb.scores(terms)
	model, err := FitReward(&RewardData{X: mat.NewDense(100, 1, score), Reward: score}, DefaultRewardConfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"draw":      func() { draw(draws, 1, 2) },
		"gather":    func() { gather(sum, block, draws) },
		"narrow":    func() { gatherNarrow(sum, narrow, draws) },
		"totals":    func() { tb.totals(total) },
		"value":     func() { value(terms, total) },
		"influence": func() { tb.influence(influence, terms, total) },
		"watch":     func() { Watch(score, weight, 0.05, 1000) },
		"predict":   func() { model.Predict(3, 0) },
	} {
		if n := testing.AllocsPerRun(20, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// The boundary is tightest, relative to a fixed-time interval, near the
// planned size, and never below it.
func TestBoundary(t *testing.T) {
	const planned = 1000
	ratio := func(n float64) float64 { return boundary(n, 0.05, planned) * math.Sqrt(n) / 1.96 }
	for _, n := range []float64{100, 500, 2000, 1e4, 1e5, 1e6} {
		if r := ratio(n); r < ratio(planned)-0.01 || r > 2.2 {
			t.Errorf("at %v units the sequence is %.3f times as wide, at the planned size %.3f", n, r, ratio(planned))
		}
	}
}

// The logistic fit is where the penalised likelihood is flat: its gradient by
// finite differences, per fold, is 0.
func TestLogisticIsStationary(t *testing.T) {
	const n = 800
	rng := rand.New(rand.NewPCG(4, 4))
	x := mat.NewDense(n, 2, nil)
	data := &RewardData{X: x, Actions: 2}
	for i := range n {
		x.SetRow(i, []float64{rng.NormFloat64(), 3 + 2*rng.NormFloat64()})
		a := rng.IntN(2)
		data.Action = append(data.Action, a)
		r := 0.0
		if rng.Float64() < sigmoid(x.At(i, 0)-0.5*x.At(i, 1)+float64(a)) {
			r = 1
		}
		data.Reward = append(data.Reward, r)
	}
	cfg := DefaultRewardConfig()
	cfg.Family = Logistic
	m, err := FitReward(data, cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesign(data)
	mean := stat.Mean(data.Reward, nil)
	z := make([]float64, d.p)
	for f, beta := range m.beta {
		// back to standardised columns, on which the penalty acts
		b := append([]float64(nil), beta...)
		for j := range d.columns {
			b[0] += b[1+j] * d.mean[j]
			b[1+j] /= d.scale[j]
		}
		objective := func() float64 {
			v := 0.0
			for i, r := range data.Reward {
				if m.fold[i] == f {
					continue
				}
				eta := 0.0
				for j, zj := range d.row(z, i) {
					eta += b[j] * zj
				}
				v += r*eta - math.Log1p(math.Exp(eta))
			}
			for _, c := range b[1:] {
				v -= m.Penalty * mean * (1 - mean) * c * c / 2
			}
			return v
		}
		for j := range b {
			const h = 1e-5
			at := b[j]
			b[j] = at + h
			up := objective()
			b[j] = at - h
			down := objective()
			b[j] = at
			// central differences of a sum of 300 terms: rounding about 1e-14·300/h
			if g := (up - down) / (2 * h); math.Abs(g) > 1e-5 {
				t.Errorf("fold %d, coefficient %d: slope %v", f, j, g)
			}
		}
	}
}
