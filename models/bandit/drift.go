package bandit

import (
	"fmt"
	"math"
)

// Decision is one row of a log, as Observe takes it, with its final reward.
type Decision struct {
	Day             float64 // when it was taken, in days from any origin
	Segment, Debtor int32
	Phi             []float64
	Target, Weight  float64
}

// Drift is how well each half-life would have foretold a log.
type Drift struct {
	HalfLife float64   // the best of those tried, in days
	Scores   []float64 // mean log predictive density per unit of weight, in nats
}

// ChooseHalfLife replays a log in order of Day once for each of the half-lives
// (days; +Inf never forgets) and chooses the one whose forecasts, made step
// days ahead at most and before seeing the rewards, gave them the highest
// density; of equals the longer. With the answer T, Forget(2^(−days/T)) as days
// pass. It panics if the log is not in order of Day, if there is no half-life,
// or if step or a half-life is not positive.
//
// This is prequential model choice: Dawid (1984), doi:10.2307/2981683.
func ChooseHalfLife(c PooledConfig, log []Decision, halfLives []float64, step float64) (Drift, error) {
	if len(halfLives) == 0 || !(step > 0) {
		panic(fmt.Sprintf("bandit: %d half-lives, step %v", len(halfLives), step))
	}
	d := Drift{Scores: make([]float64, len(halfLives))}
	best := -1
	for i, t := range halfLives {
		if !(t > 0) {
			panic(fmt.Sprintf("bandit: half-life %v", t))
		}
		score, err := foretell(c, log, math.Exp2(-step/t), step)
		if err != nil {
			return Drift{}, err
		}
		d.Scores[i] = score
		if best < 0 || score > d.Scores[best] || (score == d.Scores[best] && t > d.HalfLife) {
			best, d.HalfLife = i, t
		}
	}
	return d, nil
}

// foretell returns the mean log predictive density of a log, learnt in blocks
// of step days with factor forgotten between them.
func foretell(c PooledConfig, log []Decision, factor, step float64) (float64, error) {
	p, err := NewPooled(c)
	if err != nil {
		return 0, err
	}
	w := NewWorkspace(p.Features())
	var mean, sd [1]float64
	total, weight := 0.0, 0.0
	for start := 0; start < len(log); {
		end := start
		for end < len(log) && log[end].Day < log[start].Day+step {
			if end > 0 && log[end].Day < log[end-1].Day {
				panic("bandit: log is not in order of days")
			}
			end++
		}
		post := p.Posterior()
		noise := post.NoiseSD()
		for _, d := range log[start:end] {
			if d.Weight == 0 {
				continue
			}
			post.Score(mean[:], sd[:], d.Phi, d.Segment, d.Debtor, w)
			v := float64(sd[0]*sd[0]) + float64(noise*noise)
			miss := d.Target - mean[0]
			total -= float64(d.Weight * 0.5 * (math.Log(2*math.Pi*v) + float64(miss*miss)/v))
			weight += d.Weight
		}
		for _, d := range log[start:end] {
			p.Close(p.Observe(d.Segment, d.Debtor, d.Phi, d.Target, d.Weight))
		}
		if end < len(log) {
			blocks := math.Floor((log[end].Day - log[start].Day) / step)
			p.Forget(math.Pow(factor, max(blocks, 1)))
			p.Tune(1)
		}
		start = end
	}
	if weight == 0 {
		return 0, nil
	}
	return total / weight, nil
}
