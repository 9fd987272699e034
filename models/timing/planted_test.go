package timing

import (
	"math"
	"math/rand/v2"
	"testing"
)

// unread plays one debtor: messages are sent at given hours, and noticed with
// the hazard of the hour, or lapse after a week. It counts notices and hours
// unread.
func unread(rng *rand.Rand, hazard *[Hours]float64, sends []int, counts, exposure []float32) {
	for _, at := range sends {
		for h := at; h < at+Hours; h++ {
			exposure[h%Hours]++
			if rng.Float64() < -math.Expm1(-hazard[h%Hours]) {
				counts[h%Hours]++
				break
			}
		}
	}
}

// peaks is the hazard of someone who looks around some hours of every day.
func peaks(hours ...int) *[Hours]float64 {
	var hazard [Hours]float64
	for h := range hazard {
		hazard[h] = 0.005
		if i := h % 24; i >= 7 && i < 23 {
			hazard[h] = 0.02
		}
		for _, p := range hours {
			switch d := (h%24 - p + 36) % 24; d {
			case 12:
				hazard[h] += 0.5
			case 11, 13:
				hazard[h] += 0.15
			}
		}
	}
	return &hazard
}

// population is a book of debtors with one habit each, to whom everything is
// sent in the office hours of Monday to Friday.
func population(seed uint64, n, sends int) (Rows, []int) {
	rng := rand.New(rand.NewPCG(seed, 8))
	rows := Rows{
		Counts:   make([]float32, n*Hours),
		Exposure: make([]float32, n*Hours),
		Profile:  make([]int32, n),
	}
	habit := make([]int, n)
	at := make([]int, sends)
	for d := range n {
		habit[d] = 7 + rng.IntN(16)
		for i := range at {
			at[i] = rng.IntN(5)*24 + 9 + rng.IntN(2)
		}
		unread(rng, peaks(habit[d]), at, rows.Counts[d*Hours:(d+1)*Hours], rows.Exposure[d*Hours:(d+1)*Hours])
		rows.Profile[d] = int32(d % 4)
	}
	return rows, habit
}

// bestHour is the hour of the day with the most availability.
func bestHour(avail *[Hours]float64) int {
	var day [24]float64
	best := 0
	for h, v := range avail {
		day[h%24] += v
	}
	for h, v := range day {
		if v > day[best] {
			best = h
		}
	}
	return best
}

// apart is the distance of two hours of the day.
func apart(a, b int) int {
	d := (a - b + 24) % 24
	return min(d, 24-d)
}

func TestExposureBiasDoesNotHideTheBestHour(t *testing.T) {
	right, naive, total := 0, 0, 0
	for seed := range uint64(3) {
		rows, habit := population(seed, 200, 30)
		opt := DefaultOptions(4)
		m, err := Fit(rows, opt)
		if err != nil {
			t.Fatal(err)
		}
		var avail [Hours]float64
		for d, h := range habit {
			counts := (*[Hours]float32)(rows.Counts[d*Hours:])
			m.Posterior(&avail, counts, (*[Hours]float32)(rows.Exposure[d*Hours:]), int(rows.Profile[d]))
			total++
			if apart(bestHour(&avail), h) == 0 {
				right++
			}
			var most [Hours]float64 // what a histogram of openings would say
			for i, v := range counts {
				most[i] = float64(v)
			}
			if apart(bestHour(&most), h) == 0 {
				naive++
			}
		}
	}
	t.Logf("best hour right in %.1f %%, by counting openings in %.1f %%", 100*float64(right)/float64(total), 100*float64(naive)/float64(total))
	if right*10 < total*9 {
		t.Errorf("best hour right for %d of %d debtors, want 90 %%", right, total)
	}
	if naive >= right {
		t.Errorf("counting openings finds %d best hours, exposure %d: the bias planted is none", naive, right)
	}
}

func TestTwoModesAreKeptAndNoTroughPicked(t *testing.T) {
	rows, _ := population(1, 200, 30)
	m, err := Fit(rows, DefaultOptions(4))
	if err != nil {
		t.Fatal(err)
	}
	hazard := peaks(9, 22)
	slots := make([]int32, Hours)
	for h := range slots {
		slots[h] = int32(h)
	}
	noticed := make([]float64, Hours)
	speed := Speed{Edges: []int32{0, 48}, Rate: []float64{1}}
	wrong, lost := 0, 0
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 6))
		var counts, exposure [Hours]float32
		sends := make([]int, 30)
		for i := range sends {
			sends[i] = rng.IntN(Hours)
		}
		unread(rng, hazard, sends, counts[:], exposure[:])
		var avail [Hours]float64
		m.Posterior(&avail, &counts, &exposure, int(seed%4))
		NoticedWithin(noticed, &avail, speed, slots, 1)
		best := 0
		for h, p := range noticed {
			if p > noticed[best] {
				best = h
			}
		}
		if apart(best%24, 9) > 1 && apart(best%24, 22) > 1 {
			wrong++
			t.Logf("seed %d: sent at %d h", seed, best%24)
		}
		early, late := false, false
		for _, h := range Modes(nil, &avail, 0.3) {
			early = early || apart(h%24, 9) <= 1
			late = late || apart(h%24, 22) <= 1
		}
		if !early || !late {
			lost++
		}
	}
	t.Logf("sent outside both modes in %d, one mode lost in %d of 1000 seeds", wrong, lost)
	if wrong > 0 {
		t.Errorf("sent outside both modes in %d of 1000 seeds, want none", wrong)
	}
	if lost > 50 {
		t.Errorf("one of two modes lost in %d of 1000 seeds, want at most 5 %%", lost)
	}
}

// Three kinds of people whom no profile tells apart.
func TestGroupsAreKeptWhereTheyHelp(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	draw := func(kinds int) Rows {
		var rows Rows
		for d := range 400 {
			var counts, exposure [Hours]float32
			sends := make([]int, 10)
			for i := range sends {
				sends[i] = rng.IntN(Hours)
			}
			unread(rng, peaks([]int{8, 13, 21}[d%kinds]), sends, counts[:], exposure[:])
			rows.Counts = append(rows.Counts, counts[:]...)
			rows.Exposure = append(rows.Exposure, exposure[:]...)
			rows.Profile = append(rows.Profile, int32(rng.IntN(3)))
		}
		return rows
	}
	three, err := Fit(draw(3), DefaultOptions(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("three kinds: gain %.3f ± %.3f nats per event with %d groups, kept %d", three.Report.GroupGain, three.Report.GroupSE, three.Report.GroupsTried, len(three.Groups)/Hours)
	if len(three.Groups) == 0 {
		t.Errorf("three kinds of people: no groups kept, gain %.3f ± %.3f", three.Report.GroupGain, three.Report.GroupSE)
	}
	one, err := Fit(draw(1), DefaultOptions(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("one kind: gain %.3f ± %.3f nats per event", one.Report.GroupGain, one.Report.GroupSE)
	if len(one.Groups) != 0 {
		t.Errorf("one kind of people: %d groups kept, gain %.3f ± %.3f", len(one.Groups)/Hours, one.Report.GroupGain, one.Report.GroupSE)
	}
}
