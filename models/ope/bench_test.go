//go:build unix

package ope_test

import (
	"math/rand/v2"
	"syscall"
	"testing"

	"rappel/models/ope"
)

// BenchmarkNineEstimators takes the nine estimators and their intervals by
// 10,000 bootstraps of 10,000 rows. On two processors that nobody else uses it
// takes half of its "cpu-s", and fails where that is more than a second.
func BenchmarkNineEstimators(b *testing.B) {
	const n = 10_000
	rng := rand.New(rand.NewPCG(1, 1))
	l := &ope.Log{}
	for range n {
		p, q := 0.05+0.9*rng.Float64(), 0.2+0.6*rng.Float64()
		l.Propensity = append(l.Propensity, p)
		l.Target = append(l.Target, rng.Float64())
		l.Reward = append(l.Reward, rng.Float64())
		l.Q = append(l.Q, q)
		l.V = append(l.V, q*rng.Float64())
	}
	cfg := ope.DefaultConfig()
	spent := processor(b)
	for b.Loop() {
		rep, err := ope.Evaluate(l, cfg)
		if err != nil {
			b.Fatal(err)
		}
		if len(rep.Estimates) != 9 || cfg.Replicates != 10_000 {
			b.Fatalf("%d estimators, %d bootstraps", len(rep.Estimates), cfg.Replicates)
		}
	}
	each := (processor(b) - spent) / float64(b.N)
	b.ReportMetric(each, "cpu-s/op")
	if each > 2 {
		b.Errorf("%.2f s of processor time are more than a second on two processors", each)
	}
}

// processor is the processor time that this process has used, in seconds.
func processor(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
