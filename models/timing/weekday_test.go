package timing

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// weeks makes debtors of two profiles: one pays on Mondays and Fridays, the
// other on any day; each debtor of the first prefers one of the two.
func weeks(rng *rand.Rand, n int) (counts []float32, profile []int32) {
	counts = make([]float32, n*Days)
	profile = make([]int32, n)
	for r := range n {
		profile[r] = int32(r % 2)
		for range 1 + rng.IntN(15) {
			day := rng.IntN(Days)
			if r%2 == 0 && rng.Float64() < 0.8 {
				day = 4 * (r / 2 % 2)
			}
			counts[r*Days+day]++
		}
	}
	return counts, profile
}

func TestWeekdaysArePooled(t *testing.T) {
	counts, profile := weeks(rand.New(rand.NewPCG(3, 3)), 600)
	w, err := FitWeekday(counts, profile, 3)
	if err != nil {
		t.Fatal(err)
	}
	var got [Days]float64
	w.Posterior(&got, nil, 0)
	if payday := got[0] + got[4]; payday < 0.75 || payday > 0.92 { // .8 + .2·2/7 = .857
		t.Errorf("new debtor of the first profile: Monday and Friday hold %.2f, want about .86", payday)
	}
	w.Posterior(&got, nil, 1)
	if math.Abs(got[0]-1.0/Days) > 0.04 {
		t.Errorf("new debtor of the second profile: Monday %.3f, want about 1/7", got[0])
	}
	w.Posterior(&got, &[Days]float32{0, 0, 0, 0, 8}, 0)
	if got[4] < 0.6 {
		t.Errorf("eight payments on Friday: %.2f expected there, want most", got[4])
	}
	var all, unseen [Days]float64
	w.Posterior(&all, nil, -1)
	w.Posterior(&unseen, nil, 2)
	for d := range all {
		if math.Abs(all[d]-unseen[d]) > 1e-9 {
			t.Errorf("a profile never seen: %.4f on day %d, all %.4f", unseen[d], d, all[d])
		}
	}
}

func TestWeekdaysModulateHoursAndKeepTheSum(t *testing.T) {
	w := PriorWeekday(0)
	var share [Days]float64
	w.Posterior(&share, &[Days]float32{20}, -1)
	avail := Daytime()
	w.Modulate(&avail, &share, -1)
	sum, monday := 0.0, 0.0
	for h, v := range avail {
		sum += v
		if h < 24 {
			monday += v
		}
	}
	if math.Abs(sum-Hours) > 1e-9 {
		t.Errorf("availability sums to %g, want %d", sum, Hours)
	}
	if monday/sum < 0.5 {
		t.Errorf("twenty payments on Mondays leave %.2f of availability there, want more than half", monday/sum)
	}
}

func TestFitWeekdayRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		counts  []float32
		profile int32
		want    error
	}{
		{[]float32{0, 0, -1, 0, 0, 0, 0}, 0, ErrNegative},
		{[]float32{0, 0, nan, 0, 0, 0, 0}, 0, ErrNotFinite},
		{make([]float32, Days), 1, ErrProfile},
	} {
		if _, err := FitWeekday(c.counts, []int32{c.profile}, 1); !errors.Is(err, c.want) {
			t.Errorf("%v, profile %d: %v, want %v", c.counts, c.profile, err, c.want)
		}
	}
}
