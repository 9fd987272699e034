package world

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// Stream returns the generator that run seed gives to key. The same pair
// yields the same draws whatever order, or goroutine, asks for it.
func Stream(run uint64, key string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(key))
	return rand.New(rand.NewPCG(run, h.Sum64()))
}

// dice answers the question "what falls for this debtor, for this purpose, on
// this day": a uniform number that depends on nothing else, so that no policy
// can shift the luck of another.
type dice uint64

// purpose tells the questions apart.
type purpose uint64

const (
	forNatural purpose = iota + 1
	forPayHour
	forNotice
	forAct
	forDelay
	forDelayHour
	forPromise
	forPromiseKept
	forPromiseDays
	forComplaint
	forOptOut
	forAnswer
	forClick
	forReply
	forAmount
	forContested
	forDispute
	forDisputeEnd
	forUpheld
	forAbility
	forInsolvency
	forMethod
	forPartial
	forView
	forMachine
	forRating
	forFade
	forPlan
	forPolicy
	forPolicyHour
)

// u returns a uniform number in (0, 1).
func (d dice) u(p purpose, a, b int) float64 {
	x := uint64(d) ^ uint64(p)*0x9e3779b97f4a7c15
	x = mix(x + uint64(int64(a))*0xd1342543de82ef95)
	x = mix(x + uint64(int64(b))*0xaf251af3b0f025b5)
	return (float64(x>>11) + 0.5) / (1 << 53)
}

// normal returns a standard normal number.
func (d dice) normal(p purpose, a, b int) float64 {
	return math.Sqrt2 * math.Erfinv(2*d.u(p, a, b)-1)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014,
// doi:10.1145/2660193.2660195).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// beta draws around mean; a mean of 0 or 1 is returned as it is.
func beta(r *rand.Rand, mean, concentration float64) float64 {
	if mean <= 0 || mean >= 1 {
		return mean
	}
	return distuv.Beta{Alpha: mean * concentration, Beta: (1 - mean) * concentration, Src: r}.Rand()
}

// pick draws a key in proportion to its share, keys in sorted order.
func pick(u float64, shares map[string]float64) string {
	keys := sortedKeys(shares)
	sum := 0.0
	for _, k := range keys {
		sum += shares[k]
	}
	u *= sum
	last := ""
	for _, k := range keys {
		if shares[k] == 0 {
			continue
		}
		last = k
		if u -= shares[k]; u < 0 {
			break
		}
	}
	return last
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
