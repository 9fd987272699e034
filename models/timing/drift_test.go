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
				Debtor: int32(d), Profile: -1, Day: day, Waited: rng.Int32N(48),
				Hour: int32((int(day)%Days*24 + hour) % Hours),
			})
		}
	}
	return events
}

func TestHalfLifeFollowsChange(t *testing.T) {
	stay := habits(rand.New(rand.NewPCG(1, 2)), 100, false)
	rows := Rows{Counts: make([]float32, 100*Hours), Exposure: make([]float32, 100*Hours), Profile: make([]int32, 100)}
	for _, e := range stay {
		rows.Profile[e.Debtor] = e.Profile
		rows.Counts[int(e.Debtor)*Hours+int(e.Hour)]++
		for k := range e.Waited + 1 {
			rows.Exposure[e.Debtor*Hours+before(e.Hour, k)]++
		}
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
	if err != nil || got != 3650 || !math.IsNaN(scores[0]) {
		t.Errorf("half-life %g, scores %v, error %v; want the longest from nothing", got, scores, err)
	}
}

// With a half-life of four weeks, a debtor who moves from mornings to evenings
// is found in the evening within weeks.
func TestNewHabitsAreFoundWithinWeeks(t *testing.T) {
	const halfLife, debtors = 28, 100
	rows, _ := population(9, debtors, 30)
	m, err := Fit(rows, DefaultOptions(4))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	weeks := 0
	for d := range uint64(debtors) {
		rng := rand.New(rand.NewPCG(d, 12))
		var counts, exposure, avail [Hours]float64
		var c, e [Hours]float32
		for week := -26; week < 12; week++ {
			hazard := peaks(9)
			if week >= 0 {
				hazard = peaks(20)
			}
			clear(c[:])
			clear(e[:])
			unread(rng, hazard, []int{rng.IntN(Hours), rng.IntN(Hours)}, c[:], e[:])
			for h := range counts {
				counts[h] = counts[h]*math.Exp2(-7.0/halfLife) + float64(c[h])
				exposure[h] = exposure[h]*math.Exp2(-7.0/halfLife) + float64(e[h])
				c[h], e[h] = float32(counts[h]), float32(exposure[h])
			}
			m.Posterior(&avail, &c, &e, -1)
			if week >= 0 && apart(bestHour(&avail), 20) <= 1 {
				found++
				weeks += week + 1
				break
			}
		}
	}
	t.Logf("new habit found for %d of %d debtors, after %.1f weeks of two messages on average", found, debtors, float64(weeks)/float64(found))
	if found < debtors*9/10 || weeks > 8*found {
		t.Errorf("new habit found for %d of %d debtors after %d weeks in all, want nine in ten and eight weeks on average", found, debtors, weeks)
	}
}

// Habits that stay are not forgotten because messages sink: most are noticed soon
// after sending, whatever the hour, and speeds say so.
func TestHalfLifeKnowsThatMessagesSink(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	speed := &Speed{Edges: []int32{0, 1, 3, 96}, Rate: []float64{20, 5, 0.3}}
	m := Prior(DefaultOptions(0))
	var events []Notice
	for d := range int32(120) {
		shift := rng.Int32N(24)
		for day := 0.0; day < 360; day += 5 + float64(rng.IntN(4)) {
			sent := int32(day)%Days*24 + 8 + rng.Int32N(11)
			for u := range int32(96) {
				if h := (sent + u) % Hours; rng.Float64() < m.Curves[(h+shift)%Hours]*speed.At(u) {
					events = append(events, Notice{Debtor: d, Profile: -1, Day: day, Hour: h, Waited: u, Speed: speed})
					break
				}
			}
		}
	}
	got, scores, err := m.HalfLife(events, HalfLives())
	if err != nil {
		t.Fatal(err)
	}
	if got != 3650 {
		t.Errorf("half-life %g days (scores %.3f), want that nothing is forgotten", got, scores)
	}
}
