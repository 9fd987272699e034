package bandit

import (
	"math/rand/v2"
)

// Stream returns the generator that run seed gives to key. The same pair
// yields the same draws whatever order, or goroutine, asks for it.
func Stream(seed uint64, key string) *rand.Rand {
	return rand.New(rand.NewPCG(seed, hash(key)))
}

// hash is 64-bit FNV-1a, written out so that a draw allocates nothing.
func hash(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return h
}

// Draw returns the index that seed and decision draw from the distribution p,
// index i with probability p[i]. The entries of p are not negative and sum to
// one within 1e-12, as every distribution of this package does; an entry of
// zero is never drawn. It does not allocate, and panics if p has no positive
// entry.
func Draw(p []float64, seed uint64, decision string) int {
	var pcg rand.PCG
	pcg.Seed(seed, hash(decision))
	u := float64(pcg.Uint64()>>11) * 0x1p-53
	last := -1
	sum := 0.0
	for i, pi := range p {
		if pi <= 0 {
			continue
		}
		last = i
		sum += pi
		if u < sum {
			return i
		}
	}
	if last < 0 {
		panic("bandit: draw from a distribution without mass")
	}
	return last // u fell into the rounding of the sum, less than 1e-12
}
