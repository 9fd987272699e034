package ope_test

import (
	"math/rand/v2"
	"testing"

	"rappel/models/ope"
)

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
	for b.Loop() {
		if _, err := ope.Evaluate(l, cfg); err != nil {
			b.Fatal(err)
		}
	}
}
