package bandit

import (
	"fmt"
	"strconv"
	"testing"
)

// taste says which of seven arms each of two users likes in the morning and in
// the afternoon: taste[user][hour].
type taste [2][2]int32

// The time-of-day world of ../shared/reference/uci/vw_9.11.2_tom_anna_sim.txt:
// what users like, and two ways in which that changes after 5,000 rounds.
var (
	first   = taste{{0, 2}, {1, 0}}
	second  = taste{{0, 1}, {1, 1}}
	another = taste{{1, 0}, {0, 2}}
)

const phase = 5000

// live plays the phases of a world with rewards delay rounds late and returns
// the mean reward of each.
func live(l Learner, seed uint64, delay int, phases ...taste) []float64 {
	type late struct {
		ticket Ticket
		reward float64
	}
	rng := Stream(seed, "world")
	arms := []int32{0, 1, 2, 3, 4, 5, 6}
	p := make([]float64, len(arms))
	var queue []late
	earned := make([]float64, len(phases))
	for n := range phase * len(phases) {
		user, hour := rng.IntN(2), rng.IntN(2)
		context := make([]float64, 8) // user, hour, and their cross
		context[user], context[2+hour], context[4+2*user+hour] = 1, 1, 1
		s := Slate{Context: context, Arms: arms}
		a := Draw(l.Distribution(p, s), seed, strconv.Itoa(n))
		reward := 0.0
		if phases[n/phase][user][hour] == arms[a] {
			reward = 1
		}
		queue = append(queue, late{l.Commit(s, a), reward})
		if len(queue) > delay {
			l.Reward(queue[0].ticket, queue[0].reward)
			queue = queue[1:]
		}
		earned[n/phase] += reward / phase
	}
	return earned
}

// The figures to reach are those of the best learner of the reference.
func TestTimeOfDayWorld(t *testing.T) {
	const seeds = 5
	mean := func(name string, delay, of int, phases ...taste) float64 {
		total := 0.0
		for seed := range uint64(seeds) {
			l, err := NewLearner(name, 8, 0)
			if err != nil {
				t.Fatal(err)
			}
			total += live(l, seed, delay, phases...)[of]
		}
		return total / seeds
	}
	cases := []struct {
		name   string
		delay  int
		phases []taste
		reach  float64
	}{
		{"habits", 0, []taste{first}, 0.925},
		{"habits change", 0, []taste{first, second}, 0.926},
		{"habits change otherwise", 0, []taste{first, another}, 0.911},
		{"rewards 500 rounds late", 500, []taste{first}, 0.797},
		{"rewards 2000 rounds late", 2000, []taste{first}, 0.592},
	}
	for _, learner := range []string{"linucb", "pooled", "thompson"} {
		for _, k := range cases {
			t.Run(fmt.Sprintf("%s/%s", learner, k.name), func(t *testing.T) {
				got := mean(learner, k.delay, len(k.phases)-1, k.phases...)
				t.Logf("mean reward %.4f", got)
				if got < k.reach {
					t.Errorf("mean reward %.4f, want at least %.3f", got, k.reach)
				}
			})
		}
	}
}
