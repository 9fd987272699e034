package engine

import (
	"strconv"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
)

// Whose doing a payment was is judged by what it paid: invoices that stayed open
// make it no likelier to have come unasked.
func TestAPaymentIsJudgedByWhatItPaid(t *testing.T) {
	day := ledger.Day(20_000)
	at := day.In(time.UTC).Add(10 * time.Hour).Unix()
	natural := func(open, paid int) float64 {
		a := &account{}
		for i := range open + paid {
			v := invoice{id: strconv.Itoa(i), issued: at - 30*86400, due: day - 5, cents: 10_000}
			if i < paid {
				v.paid, v.pays = at, []payment{{at: at, cents: v.cents}}
			}
			a.invoices = append(a.invoices, v)
		}
		h := &habit{runs: models.RunsOf(&[7]float64{}, 0)}
		return a.natural(&end{at: at, kind: endPaid}, models.PriorHazard(), h, day, time.UTC)
	}
	alone := natural(0, 1)
	if alone <= 0.01 {
		t.Fatalf("intensity %v of one invoice", alone)
	}
	if got := natural(3, 1); got != alone {
		t.Errorf("one of four paid: %v, want that of the one, %v", got, alone)
	}
	if got := natural(0, 4); got < 0.999*alone || got > 1.001*alone {
		t.Errorf("four paid at once: %v, want that of one decision, %v", got, alone)
	}
}
