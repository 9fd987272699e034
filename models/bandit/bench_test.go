package bandit

import (
	"sync"
	"testing"
)

// Figures for docs/bandit.md; see there for the machine.

const benchCandidates, benchContext = 24, 8

func BenchmarkChoose(b *testing.B) {
	rng := Stream(1, "bench")
	context := make([]float64, benchContext)
	arms := make([]int32, benchCandidates)
	for i := range arms {
		arms[i] = int32(i)
	}
	s := Slate{Context: context, Arms: arms}
	p := make([]float64, benchCandidates)
	for _, name := range []string{"greedy", "squarecb", "linucb", "regcb", "thompson", "pooled"} {
		b.Run(name, func(b *testing.B) {
			l, err := NewLearner(name, benchContext, 0)
			if err != nil {
				b.Fatal(err)
			}
			for range 3000 {
				for j := range context {
					context[j] = rng.NormFloat64()
				}
				a := Draw(l.Distribution(p, s), 1, "x")
				l.Reward(l.Commit(s, a), context[a%benchContext]+rng.NormFloat64())
			}
			b.ReportAllocs()
			for b.Loop() {
				Draw(l.Distribution(p, s), 1, "01JX3FZ8")
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}

func BenchmarkLearn(b *testing.B) {
	rng := Stream(2, "bench")
	context := make([]float64, benchContext)
	for j := range context {
		context[j] = rng.NormFloat64()
	}
	s := Slate{Context: context, Arms: []int32{0, 1, 2}}
	l, err := NewLearner("squarecb", benchContext, 0)
	if err != nil {
		b.Fatal(err)
	}
	p := make([]float64, 3)
	b.ReportAllocs()
	for b.Loop() {
		a := Draw(l.Distribution(p, s), 1, "01JX3FZ8")
		l.Reward(l.Commit(s, a), 0.5)
	}
}

// bookOf1500 is the engine's learner with 1,500 debtors of 20 decisions each:
// 16 features of which half are set in a row, eight that deviate by segment and
// two by debtor; and a slate of 24 rows.
var bookOf1500 = sync.OnceValues(func() (*Pooled, []float64) {
	const n = 16
	c := DefaultPooledConfig(n)
	for j := range 8 {
		c.Coefficients[j].SegmentSD = 0.2
	}
	c.Coefficients[0].DebtorSD, c.Coefficients[1].DebtorSD = 0.2, 0.2
	pool, err := NewPooled(c)
	if err != nil {
		panic(err)
	}
	rng := Stream(3, "bench")
	row := func(phi []float64) {
		clear(phi)
		phi[0] = rng.Float64()
		for range n/2 - 1 {
			phi[rng.IntN(n)] = rng.NormFloat64()
		}
	}
	phi := make([]float64, n)
	for i := range 1500 * 20 {
		row(phi)
		d := int32(i % 1500)
		pool.Close(pool.Observe(d%40, d, phi, phi[0]+rng.NormFloat64(), 1))
	}
	pool.Solve()
	phis := make([]float64, n*benchCandidates)
	for i := range benchCandidates {
		row(phis[i*n : (i+1)*n])
	}
	return pool, phis
})

func BenchmarkPooledChoose(b *testing.B) {
	pool, phis := bookOf1500()
	w := NewWorkspace(pool.Features())
	mean, sd, p := make([]float64, benchCandidates), make([]float64, benchCandidates), make([]float64, benchCandidates)
	b.ReportAllocs()
	for i := int32(0); b.Loop(); i++ {
		pool.Posterior().Score(mean, sd, phis, NoSegment, i%1500, w)
		Thompson(p, mean, sd, Exploration{Scale: 0.3, Floor: 0.01}, w)
		Draw(p, 1, "01JX3FZ8")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}

func BenchmarkPooledSolve(b *testing.B) {
	pool, _ := bookOf1500()
	b.ReportAllocs()
	for b.Loop() {
		pool.Solve()
	}
}
