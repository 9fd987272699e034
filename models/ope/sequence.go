package ope

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// A confidence sequence says nothing before fewInformed units carry the
// variance of the scores: a handful of paid reminders, or one huge importance
// ratio, tells nothing yet about the spread of all that will come. Up to
// enoughInformed the variance seen is raised in proportion to what is lacking.
// With these two, misses stay near or below 5 % on rare and on heavy-tailed
// rewards (TestSequenceOnHardRewards).
const (
	fewInformed    = 4
	enoughInformed = 32
)

// Look is a confidence sequence after the first Units clusters of a log.
type Look struct {
	Units    int
	Value    float64
	Lo, Hi   float64 // −Inf and +Inf while too few units carry the answer
	Informed float64 // how many units carry the variance, (Σd²)² / Σd⁴
}

// Watch returns the confidence sequence of a weighted mean after all the
// units given: score[u] is the total of unit u in order of time, weight[u] its
// weight, and the mean Σ score / Σ weight. Looking after every unit, the
// interval misses at any time at all with probability about alpha, so it may
// be watched daily and acted on when it leaves 0.
//
// It is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha,
// Kennedy and Ramdas (2024), arXiv:2103.06476, theorem 2.2, with ρ tuned to be
// tightest at the planned number of units (equation 9 there). planned must be
// the same at every look. Over the theorem it is kept wide where the normal
// limit is still far: the squared deviations include the largest one once
// more, as if its like were due next, and few informed units widen it.
func Watch(score, weight []float64, alpha float64, planned int) Look {
	return watch(score, weight, math.Inf(1), alpha, planned)
}

// watch is Watch with an upper limit on how many units are informed.
func watch(score, weight []float64, informed, alpha float64, planned int) Look {
	sameLength(len(score), "weight", weight)
	n := float64(len(score))
	total := floats.Sum(weight)
	look := Look{Units: len(score), Lo: math.Inf(-1), Hi: math.Inf(1)}
	if total == 0 {
		return look
	}
	look.Value = floats.Sum(score) / total
	var s2, s4, top, scale float64
	for u, s := range score {
		scale += s * s
		d := s - look.Value*weight[u]
		d *= d
		s2 += d
		s4 += d * d
		top = max(top, d)
	}
	if s2 > 1e-18*scale { // else every unit says the same, up to rounding
		look.Informed = min(s2*s2/s4, informed)
	}
	if look.Informed < fewInformed {
		return look
	}
	h := math.Sqrt((s2+top)*n) / total * boundary(n, alpha, planned) * math.Sqrt(max(1, enoughInformed/look.Informed))
	look.Lo, look.Hi = look.Value-h, look.Value+h
	return look
}

// boundary returns the half-width of the sequence after n units, in standard
// deviations of one unit: √(2(nρ²+1)/(n²ρ²) · log(√(nρ²+1)/α)).
func boundary(n, alpha float64, planned int) float64 {
	l := -2 * math.Log(alpha)
	x := n * (l + math.Log(l) + 1) / float64(planned) // nρ²
	return math.Sqrt(2 * (x + 1) / (n * x) * math.Log(math.Sqrt(x+1)/alpha))
}

// watch returns the sequence of the first estimator at evenly spaced looks.
// Its terms are either means, which are added up, or one ratio. A reward model
// makes scores vary before any reward has; so no more units count as informed
// than the second shows, which sees the rewards themselves.
func (t *table) watch(pair []estimator, cfg Config) []Look {
	score, weight := t.scores(pair[0].terms)
	plain, ratio := t.scores(pair[1].terms)
	alpha, planned, looks := 1-cfg.Level, cfg.Planned, min(cfg.Looks, t.m)
	out := make([]Look, looks)
	for k := range out {
		n := (k + 1) * t.m / looks
		limit := Watch(plain[:n], ratio[:n], alpha, planned).Informed
		out[k] = watch(score[:n], weight[:n], limit, alpha, planned)
	}
	return out
}

// scores returns each unit's numerator and weight of terms with one
// denominator.
func (t *table) scores(terms []term) (score, weight []float64) {
	score, weight = make([]float64, t.m), make([]float64, t.m)
	for u := range t.m {
		row := t.sum[u*t.p : (u+1)*t.p]
		weight[u] = row[terms[0].den]
		for _, tm := range terms {
			score[u] += tm.sign * row[tm.num]
		}
	}
	return score, weight
}
