package timing

import (
	"math"
	"math/rand/v2"
	"testing"
)

// habits are the engagements of debtors who look around one hour of the day,
// and around another after day 180 if they change.
func habits(rng *rand.Rand, debtors int, change bool) []Notice {
	var events []Notice
	for d := range debtors {
		at, then := 8+rng.IntN(12), 8+rng.IntN(12)
		for day := 0.0; day < 360; day += 4 + 6*rng.Float64() {
			hour := at
			if change && day > 180 {
				hour = then
			}
			hour += int(math.Round(rng.NormFloat64()))
			events = append(events, Notice{
				Debtor: int32(d), Profile: -1, Day: day,
				Hour: int32((int(day)%Days*24 + hour) % Hours),
			})
		}
	}
	return events
}

func TestHalfLifeFollowsChange(t *testing.T) {
	stay := habits(rand.New(rand.NewPCG(1, 2)), 100, false)
	rows := Rows{Counts: make([]float32, 100*Hours), Profile: make([]int32, 100)}
	for _, e := range stay {
		rows.Profile[e.Debtor] = e.Profile
		rows.Counts[int(e.Debtor)*Hours+int(e.Hour)]++
	}
	m, err := Fit(rows, DefaultOptions(0))
	if err != nil {
		t.Fatal(err)
	}
	still, _, err := m.HalfLife(stay, HalfLives())
	if err != nil {
		t.Fatal(err)
	}
	moved, scores, err := m.HalfLife(habits(rand.New(rand.NewPCG(1, 2)), 100, true), HalfLives())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("half-life %g days where habits stay, %g where they change once (scores %.3f)", still, moved, scores)
	if still < 224 {
		t.Errorf("half-life %g days where habits stay, want at least 224", still)
	}
	if moved > 112 {
		t.Errorf("half-life %g days where habits change, want at most 112", moved)
	}
}

func TestHalfLifeOfNothingNeverForgets(t *testing.T) {
	m := Prior(DefaultOptions(0))
	got, scores, err := m.HalfLife([]Notice{{Hour: 9}}, HalfLives())
	if err != nil || !math.IsInf(got, 1) || !math.IsNaN(scores[0]) {
		t.Errorf("half-life %g, scores %v, error %v; want +Inf from nothing", got, scores, err)
	}
}
