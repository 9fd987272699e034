package models

import (
	"math/rand/v2"
	"slices"
	"testing"

	"rappel/models/survival"
)

// Rows come from parallel readers in any order; a fit must not see it.
func TestPeriodsOrder(t *testing.T) {
	const width = periodWidth
	rng := rand.New(rand.NewPCG(1, 1))
	rows := make([][]float32, 3000)
	for i := range rows {
		r := make([]float32, width)
		for k := range r {
			r[k] = float32(rng.IntN(4))
		}
		r[3] = float32(rng.IntN(7))
		r[periodWidth-1] = 1
		rows[i] = r
		if i%3 == 2 {
			rows[i] = rows[i-1] // rows that are alike
		}
	}
	pass := func() (x []float64) {
		p := &Periods{rows: slices.Concat(rows...)}
		if err := p.Pass(func(b survival.Batch) error {
			x = append(append(x, b.X...), b.Y...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return x
	}
	first := pass()
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	if !slices.Equal(pass(), first) {
		t.Error("the design depends on the order in which rows came")
	}
}
