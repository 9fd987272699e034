package timing_test

import (
	"fmt"

	"rappel/models/timing"
)

// A debtor of an unknown profile, to whom a message was sent at nine on five
// mornings, and who looked at nine in the evening every time.
func Example() {
	model, err := timing.Fit(timing.Rows{}, timing.DefaultOptions(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	var counts, exposure [timing.Hours]float32
	for day := range 5 {
		for h := 9; h <= 21; h++ {
			exposure[day*24+h] = 1
		}
		counts[day*24+21] = 1
	}
	var avail [timing.Hours]float64
	model.Posterior(&avail, &counts, &exposure, -1)

	slots := []int32{2*24 + 9, 2*24 + 13, 2*24 + 21}
	noticed := make([]float64, len(slots))
	timing.NoticedWithin(noticed, &avail, timing.DefaultSpeed(), slots, 2)
	for i, p := range noticed {
		fmt.Printf("Wednesday %02d:00: %.2f\n", slots[i]%24, p)
	}
	// Output:
	// Wednesday 09:00: 0.32
	// Wednesday 13:00: 0.25
	// Wednesday 21:00: 0.62
}
