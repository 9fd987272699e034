package timing

import (
	"math"
	"math/rand/v2"
	"testing"
)

// book makes trials of debtors in ten profiles who notice one contact in three
// on average, each at their own rate; in profiles below affected, contacts
// sent in the morning are noticed more often by lift.
func book(rng *rand.Rand, debtors, contacts, affected int, lift float64) []Trial {
	var trials []Trial
	for d := range debtors {
		rate := 0.1 + 0.46*rng.Float64()
		for range contacts {
			t := Trial{Hour: int32(rng.IntN(5)*24 + 8 + rng.IntN(12)), Stratum: int32(d), Profile: int32(d % 10)}
			p := rate
			if t.Hour%24 < 11 && d%10 < affected {
				p += lift
			}
			if rng.Float64() < p {
				t.Outcome = 1
			}
			trials = append(trials, t)
		}
	}
	return trials
}

func TestHoursThatDoNotMatterAreNotClaimed(t *testing.T) {
	const sets = 1000
	opt := DefaultEffectOptions()
	claimed, small := 0, 0
	byProfile := 0
	for s := range uint64(sets) {
		opt.Seed = s
		all, by, err := HoursMatter(book(rand.New(rand.NewPCG(s, 3)), 20, 8, 0, 0), 10, opt)
		if err != nil {
			t.Fatal(err)
		}
		if all.Claimed {
			claimed++
		}
		if all.P <= 0.5 {
			small++
		}
		for _, e := range by {
			if e.Claimed {
				byProfile++
				break
			}
		}
	}
	t.Logf("claimed for all in %d and for a profile in %d of %d sets without effect", claimed, byProfile, sets)
	if claimed > sets/20 || byProfile > sets/20 {
		t.Errorf("claimed in %d, for a profile in %d of %d sets, want at most 5 %%", claimed, byProfile, sets)
	}
	if want := sets / 2.0; math.Abs(float64(small)-want) > 5*math.Sqrt(sets)/2 { // five standard errors
		t.Errorf("P ≤ ½ in %d of %d sets, want about half: it is exact", small, sets)
	}
}

func TestHoursThatMatterAreClaimedWhereTheyDo(t *testing.T) {
	all, by, err := HoursMatter(book(rand.New(rand.NewPCG(2, 3)), 500, 12, 3, 0.35), 10, DefaultEffectOptions())
	if err != nil {
		t.Fatal(err)
	}
	if !all.Claimed {
		t.Errorf("no effect claimed for all, P = %g", all.P)
	}
	for p, e := range by {
		if got, want := e.Claimed, p < 3; got != want {
			t.Errorf("profile %d: claimed %v, want %v, P = %g", p, got, want, e.P)
		}
	}
}

func TestNothingToTell(t *testing.T) {
	same := []Trial{{Hour: 9, Outcome: 1}, {Hour: 9}, {Hour: 9, Outcome: 1}}
	always := []Trial{{Hour: 9, Outcome: 1}, {Hour: 50, Outcome: 1}}
	for _, trials := range [][]Trial{nil, same, always} {
		all, _, err := HoursMatter(trials, 1, DefaultEffectOptions())
		if err != nil || all.P != 1 || all.Claimed || all.Informed != 0 {
			t.Errorf("%v: %+v, %v; want P = 1 from nothing informed", trials, all, err)
		}
	}
}

// TestHoursOfAModelAreRefutedWhereTheySayNothing: a model that foretells more
// noticing in the morning is refuted where mornings do nothing, stands where
// they do as much as it says, and stands while too little was seen to tell.
func TestHoursOfAModelAreRefutedWhereTheySayNothing(t *testing.T) {
	foretell := func(trials []Trial) []Trial {
		for i := range trials {
			trials[i].Expected = 0.3
			if trials[i].Hour%24 < 11 {
				trials[i].Expected = 0.65
			}
		}
		return trials
	}
	for _, c := range []struct {
		name              string
		debtors, affected int
		one               bool // everything is sent in the morning
		refuted           bool
	}{
		{"hours do nothing", 300, 0, false, true},
		{"hours do what the model says", 300, 10, false, false},
		{"hardly anything was sent", 2, 0, false, false},
		{"all is sent in the morning", 300, 0, true, false},
	} {
		trials := foretell(book(rand.New(rand.NewPCG(2, 3)), c.debtors, 12, c.affected, 0.35))
		if c.one {
			for i := range trials {
				trials[i].Hour -= trials[i].Hour%24 - 9 // the weekdays stay, and the forecast
			}
		}
		all, _, err := HoursMatter(trials, 10, DefaultEffectOptions())
		if err != nil {
			t.Fatal(err)
		}
		if all.Refuted() != c.refuted {
			t.Errorf("%s: refuted %v, want %v (slope %.2f ± %.2f, P = %.3f)", c.name, all.Refuted(), c.refuted, all.Slope, all.SE, all.P)
		}
	}
}
