package timing

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestOutspotMachineIsFlagged(t *testing.T) {
	ids, _, report := people(t)
	t.Logf("%d opens, share of machines %.4f, verdicts %v, readers %v", report.Opens, report.Share(), report.Verdicts, report.Readers)
	if !slices.Contains(report.Readers, 9277056) {
		t.Errorf("readers who are machines: %v, want 9277056 among them", report.Readers)
	}
	// One more user opened 341 times in a single week of January 2022, 125
	// times on one day; none of the other 998 may be lost.
	if len(report.Readers) > 2 {
		t.Errorf("%d of %d readers are taken for machines", len(report.Readers), len(ids))
	}
}

// planted is a book of people and machines, sends at 08:00 UTC every third day.
func planted(rng *rand.Rand) (opens []Open, machine []bool) {
	const start, day = 1_700_006_400, 86400
	add := func(debtor int32, at, delivered int64, is bool) {
		opens = append(opens, Open{Debtor: debtor, Time: at, Delivered: delivered})
		machine = append(machine, is)
	}
	for debtor := range int32(300) {
		wakes := int64(rng.IntN(24)) * 3600 // any zone, any shift
		for d := int64(0); d < 180; d += 3 {
			sent := start + d*day + 8*3600
			switch {
			case debtor >= 290: // a scanner: every message fetched within seconds, some again around the clock
				add(debtor, sent+int64(rng.IntN(20)), sent, true)
			case debtor >= 285: // a crawler: a fetch every few hours, day and night
				for at := sent; at < sent+3*day; at += 1800 + int64(rng.IntN(9000)) {
					add(debtor, at, 0, true)
				}
			case debtor >= 280: // a security gate: all links of a message at once
				for range 12 {
					add(debtor, sent+300+int64(rng.IntN(15)), sent, true)
				}
			default: // a person, who opens some, an hour or ten later, while awake, now and then twice or more
				if rng.Float64() < 0.4 {
					continue
				}
				at := sent + int64(rng.ExpFloat64()*6*3600)
				if into := (at%day - wakes + day) % day; into > 16*3600 {
					at += day - into
				}
				add(debtor, at, sent, false)
				for rng.Float64() < 0.35 {
					at += 5 + int64(rng.ExpFloat64()*600)
					add(debtor, at, sent, false)
				}
			}
		}
	}
	return opens, machine
}

func TestPlantedPeopleAndMachines(t *testing.T) {
	var people, flagged, machines, missed int
	for seed := range uint64(5) {
		opens, machine := planted(rand.New(rand.NewPCG(seed, 9)))
		dst := make([]Verdict, len(opens))
		Machines(dst, opens, DefaultMachineOptions())
		for i, v := range dst {
			switch {
			case machine[i]:
				machines++
				if !v.Machine() {
					missed++
				}
			default:
				people++
				if v.Machine() {
					flagged++
				}
			}
		}
	}
	t.Logf("%d of %d openings of people flagged, %d of %d of machines missed", flagged, people, missed, machines)
	if float64(flagged) > 0.02*float64(people) {
		t.Errorf("%d of %d openings of people taken for machines, want at most 2 %%", flagged, people)
	}
	if float64(missed) > 0.05*float64(machines) {
		t.Errorf("%d of %d openings of machines missed, want at most 5 %%", missed, machines)
	}
}

func TestMachineVerdicts(t *testing.T) {
	const noon = 1_700_049_600
	every := func(n int, seconds int64) (opens []Open) {
		for i := range int64(n) {
			opens = append(opens, Open{Debtor: 1, Time: noon + i*seconds})
		}
		return opens
	}
	for _, c := range []struct {
		name  string
		opens []Open
		want  Verdict // of the last opening
	}{
		{"alone", every(1, 0), Human},
		{"the next day", every(2, 86400), Human},
		{"the same session", every(3, 600), Repeat},
		{"at delivery", []Open{{Debtor: 1, Time: noon + 1, Delivered: noon}}, Prefetch},
		{"a quick reader", []Open{{Debtor: 1, Time: noon + 30, Delivered: noon}}, Human},
		{"opened before delivery was reported", []Open{{Debtor: 1, Time: noon - 30, Delivered: noon}}, Human},
		{"a dozen a minute", every(12, 4), Burst},
		{"two dozen an hour", every(24, 120), TooMany},
		{"every three hours for two days", every(18, 10000), Clock},
	} {
		dst := make([]Verdict, len(c.opens))
		Machines(dst, c.opens, DefaultMachineOptions())
		if got := dst[len(dst)-1]; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
