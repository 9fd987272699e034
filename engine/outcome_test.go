package engine

import (
	"strconv"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
)

// Whose doing a payment was is judged by what it paid, of what was due: a part
// could have been any of several, all of it was paid in one go.
func TestAPaymentIsJudgedByWhatItPaid(t *testing.T) {
	day := ledger.Day(20_000)
	at := day.In(time.UTC).Add(10 * time.Hour).Unix()
	natural := func(open, paid, later int) (float64, int) {
		a := &account{}
		for i := range open + paid + later {
			v := invoice{id: strconv.Itoa(i), issued: at - 30*86400, due: day - 5, cents: 10_000}
			switch {
			case i < paid:
				v.paid, v.pays = at, []payment{{at: at, cents: v.cents}}
			case i >= open+paid:
				v.due = day + 20
			}
			a.invoices = append(a.invoices, v)
		}
		h := &habit{runs: models.RunsOf(&[7]float64{}, 0)}
		return a.natural(&end{at: at, kind: endPaid}, models.PriorHazard(), h, day, time.UTC)
	}
	alone, swept := natural(0, 1, 0)
	if alone <= 0.01 || swept != 0 {
		t.Fatalf("intensity %v of one invoice, swept %d", alone, swept)
	}
	for _, c := range []struct {
		name              string
		open, paid, later int
		times             float64
		swept             int
	}{
		{"one of four", 3, 1, 0, 4, -1},
		{"three of four", 1, 3, 0, 4, -1},
		{"four at once", 0, 4, 0, 1, 1},
		{"one, others not due for weeks", 0, 1, 3, 1, 0},
	} {
		got, swept := natural(c.open, c.paid, c.later)
		if got < 0.999*c.times*alone || got > 1.001*c.times*alone || swept != c.swept {
			t.Errorf("%s: intensity %v, swept %d, want %v times %v, %d", c.name, got, swept, c.times, alone, c.swept)
		}
	}
}

// A promise that was broken moved nobody: once that is known, no contact is given
// credit for it.
func TestABrokenPromiseEndsNothing(t *testing.T) {
	opened := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	closed := opened.AddDate(0, 0, 6)
	a := &account{cases: []ledger.Case{{ID: "k", Kind: "promise", OpenedAt: opened, ClosedAt: closed, Outcome: "broken"}}}
	if got := a.ends(closed.Unix() - 1); len(got) != 1 {
		t.Errorf("before it was broken: %d ends, want 1", len(got))
	}
	if got := a.ends(closed.Unix()); len(got) != 0 {
		t.Errorf("broken: %d ends, want none", len(got))
	}
	a.cases[0].Outcome = "kept"
	if got := a.ends(closed.Unix()); len(got) != 1 {
		t.Errorf("kept: %d ends, want 1", len(got))
	}
}
