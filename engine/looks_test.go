package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
	"rappel/models/response"
	"rappel/models/timing"
)

// The hour at which a creditor always sends is not the best one for that. Debtors
// look most in the evening; every text goes out at nine and sinks within hours, so
// that more are noticed at nine than at eight in the evening.
func TestTheHourOfSendingIsNotTheBestHour(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	avail := func(hour int) float64 {
		switch {
		case hour >= 19 && hour <= 21:
			return 0.15
		case hour >= 8 && hour < 23:
			return 0.03
		}
		return 0.005
	}
	m := models.Prior()
	m.HalfLife = 3650
	start := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	end := start.AddDate(0, 0, 120)
	var all []looks
	counted := [24]int{}
	for range 150 {
		a := &account{}
		for day := 0; day < 120; day += 3 {
			at := start.AddDate(0, 0, day).Unix()
			i := len(a.contacts)
			a.contacts = append(a.contacts, contact{channel: ledger.SMS, at: at})
			for u := range exposed {
				hour := (9 + u) % 24
				if rng.Float64() < avail(hour)*m.Speeds[ledger.SMS].At(int32(u)) {
					seen := at + int64(u)*3600 + rng.Int64N(3600)
					a.signs = append(a.signs, sign{kind: signClicked, at: seen, precise: true, ref: i})
					counted[hour]++
					break
				}
			}
		}
		var k looks
		k.look(a, end.Unix(), time.UTC, m)
		all = append(all, k)
	}
	if counted[9] < 2*counted[20] {
		t.Fatalf("%d noticed at nine, %d at eight in the evening: the trap is not there", counted[9], counted[20])
	}
	var rows timing.Rows
	for i := range all {
		rows.Counts = append(rows.Counts, all[i].seen[:]...)
		rows.Exposure = append(rows.Exposure, all[i].lain[:]...)
		rows.Profile = append(rows.Profile, -1)
	}
	if err := m.FitTiming(rows, 1); err != nil {
		t.Fatal(err)
	}
	var got [timing.Hours]float64
	m.Timing.Posterior(&got, &all[0].seen, &all[0].lain, -1)
	if got[20] < 3*got[9] {
		t.Errorf("hazard %.3f at eight in the evening, %.3f at nine; in truth five times as much", got[20], got[9])
	}
	// A contact taken out leaves what the others tell.
	k := all[1]
	k.add(&contact{channel: ledger.SMS, at: start.Unix()}, 0, 0, end.Unix(), time.UTC, m, 1)
	k.add(&contact{channel: ledger.SMS, at: start.Unix()}, 0, 0, end.Unix(), time.UTC, m, -1)
	for h := range k.lain {
		if d := k.lain[h] - all[1].lain[h]; d > 1e-4 || d < -1e-4 {
			t.Fatalf("hour %d: %v lay unread, was %v", h, k.lain[h], all[1].lain[h])
		}
	}
}

// A channel on which nothing ever shows says nothing of hours, and what a debtor
// looks at of its own accord moves its hours, not its level.
func TestLooksOfOnesOwnAccord(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := models.Prior()
	a := &account{contacts: []contact{{channel: ledger.Email, at: at.AddDate(0, 0, -9).Unix()}}}
	var k looks
	k.look(a, at.Unix(), time.UTC, m)
	if k != (looks{}) {
		t.Error("an e-mail without a sign counts")
	}
	for d := range 20 {
		a.signs = append(a.signs, sign{kind: signViewed, at: at.AddDate(0, 0, -d-1).Add(10 * time.Hour).Unix(), precise: true, ref: -1})
	}
	k.look(a, at.Unix(), time.UTC, m)
	var plain, own [timing.Hours]float64
	m.Timing.Posterior(&plain, nil, nil, -1)
	m.Timing.Posterior(&own, &k.seen, &k.lain, -1)
	sum := func(v *[timing.Hours]float64) (s float64) {
		for _, x := range v {
			s += x
		}
		return s
	}
	if ratio := sum(&own) / sum(&plain); ratio < 0.8 || ratio > 1.25 {
		t.Errorf("twenty views change the level by %.2f", ratio)
	}
	if own[22] < 2*plain[22] { // Monday, ten in the evening
		t.Errorf("hazard at ten in the evening %.3f, was %.3f", own[22], plain[22])
	}
}

// What is found at once moves more, where the book has taught it; a call and a
// letter have nothing to lie for.
func TestHourOfSendingCounts(t *testing.T) {
	var avail [timing.Hours]float64
	for how := range avail {
		avail[how] = 0.02
	}
	avail[18] = 0.2 // Monday, six in the evening
	s := newScratch()
	s.present(&avail)
	s.usually = s.there
	m := models.Prior().Response
	early, late := &slot{hour: 9, how: 9}, &slot{hour: 18, how: 18}
	gain := func(c ledger.Channel) float64 {
		x, y := s.push(m, c, ledger.Friendly, late), s.push(m, c, ledger.Friendly, early)
		return x.sum() - y.sum()
	}
	if got := gain(ledger.Email); got != 0 {
		t.Errorf("before any data %.2f, want 0", got)
	}
	m.Coef[response.CovThere] = 0.5
	for c := range ledger.Channel(ledger.Channels) {
		if got, want := gain(c) > 0.5, waits(c); got != want {
			t.Errorf("%v: six in the evening is worth more: %v, want %v", c, got, want)
		}
	}
}
