package timing

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func anyAvail(t *rapid.T) *[Hours]float64 {
	var avail [Hours]float64
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	for h := range avail {
		avail[h] = 0.1 * rng.ExpFloat64()
	}
	return &avail
}

func TestNoticedWithinIsTheSumOfHazards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		avail := anyAvail(t)
		speed := DefaultSpeed()
		slot := rapid.Int32Range(0, Hours-1).Draw(t, "slot")
		within := rapid.IntRange(0, 400).Draw(t, "within")
		hazard := 0.0
		for age, a := int32(0), 0; int(age) < within && a < len(speed.Rate); age++ {
			hazard += speed.Rate[a] * avail[(slot+age)%Hours]
			if age+1 == speed.Edges[a+1] {
				a++
			}
		}
		var got [1]float64
		NoticedWithin(got[:], avail, speed, []int32{slot}, within)
		if want := 1 - math.Exp(-hazard); math.Abs(got[0]-want) > 1e-12 { // differences of sums of 400 terms
			t.Fatalf("slot %d within %d h: %g, want %g", slot, within, got[0], want)
		}
	})
}

func TestNoticedWithinRisesWithTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		avail := anyAvail(t)
		slots := []int32{rapid.Int32Range(0, Hours-1).Draw(t, "slot")}
		last := [1]float64{0}
		for within := 0; within <= 400; within += 25 {
			var got [1]float64
			NoticedWithin(got[:], avail, DefaultSpeed(), slots, within)
			if got[0] < last[0]-1e-15 || got[0] > 1 {
				t.Fatalf("within %d h: %g after %g", within, got[0], last[0])
			}
			last = got
		}
	})
}

func TestFitSpeedRecoversChannels(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	edges := []int32{0, 1, 6, 24, 168}
	truth := []Speed{
		{Edges: edges, Rate: []float64{8, 3, 1, 0.3}},   // a text: at once or hardly
		{Edges: edges, Rate: []float64{1, 1.5, 1, 0.8}}, // mail: slow, then steady
		{Edges: edges, Rate: []float64{0, 0, 2, 2}},     // a letter: the next day
	}
	avail := [2]*[Hours]float64{peaks(9), peaks(21)}
	var delays []Delay
	for i := range 90000 {
		d := Delay{Channel: int32(i % 3), Sent: int32(rng.IntN(Hours)), Avail: avail[i/3%2]}
		limit := 24 + 200*rng.Float64() // last looked at
		left, age := rng.ExpFloat64(), 0
		for a := 0; a < len(edges)-1; age++ {
			hazard := 0.2 * truth[d.Channel].Rate[a] * d.Avail[(int(d.Sent)+age)%Hours]
			if hazard >= left {
				d.Hours, d.Noticed = float64(age)+left/hazard, true
				break
			}
			left -= hazard
			if int32(age+1) == edges[a+1] {
				a++
			}
		}
		if !d.Noticed || d.Hours > limit {
			d.Hours, d.Noticed = limit, false
		}
		delays = append(delays, d)
	}
	got, err := FitSpeed(delays, slices.Repeat([]Speed{{Edges: edges, Rate: []float64{1, 1, 1, 1}}}, 3), 10)
	if err != nil {
		t.Fatal(err)
	}
	for c, s := range got {
		for a, g := range s.Rate {
			// 30,000 messages a channel leave 300 notices or more an age, a
			// standard error of 6 % at most; pooling leaves a little.
			if want := 0.2 * truth[c].Rate[a]; math.Abs(g-want) > 0.12*want+0.01 {
				t.Errorf("channel %d, age %d: speed %.3f, want %.3f", c, a, g, want)
			}
		}
	}
}

// What is said of noticing holds: over debtors and slots, against the hazards
// that they were made with.
func TestNoticingIsCalibrated(t *testing.T) {
	rows, habit := population(11, 200, 40)
	m, err := Fit(rows, DefaultOptions(4))
	if err != nil {
		t.Fatal(err)
	}
	speed := Speed{Edges: []int32{0, Hours}, Rate: []float64{1}} // how population plays them
	slots := make([]int32, Hours)
	for h := range slots {
		slots[h] = int32(h)
	}
	got, want, all := make([]float64, Hours), make([]float64, Hours), make([]float64, Hours)
	NoticedWithin(all, (*[Hours]float64)(m.Curves), speed, slots, 6)
	var avail [Hours]float64
	var bias, square, common, level, n float64
	for d, h := range habit {
		m.Posterior(&avail, (*[Hours]float32)(rows.Counts[d*Hours:]), (*[Hours]float32)(rows.Exposure[d*Hours:]), int(rows.Profile[d]))
		NoticedWithin(got, &avail, speed, slots, 6)
		NoticedWithin(want, peaks(h), speed, slots, 6)
		for i := range got {
			bias += got[i] - want[i]
			square += (got[i] - want[i]) * (got[i] - want[i])
			common += (all[i] - want[i]) * (all[i] - want[i])
			level += want[i]
			n++
		}
	}
	rmse, without := math.Sqrt(square/n), math.Sqrt(common/n)
	t.Logf("noticed within 6 h: %.3f on average, bias %.4f, root mean square error %.3f, with one curve for all %.3f", level/n, bias/n, rmse, without)
	if math.Abs(bias/n) > 0.03 {
		t.Errorf("noticed within 6 h: bias %.3f, want within 0.03", bias/n)
	}
	if rmse > without/2 {
		t.Errorf("root mean square error %.3f, with one curve for all %.3f; want at most half of it", rmse, without)
	}
}

func TestFitSpeedWithoutDelaysIsThePrior(t *testing.T) {
	got, err := FitSpeed(nil, []Speed{DefaultSpeed(), DefaultSpeed()}, 10)
	if err != nil {
		t.Fatal(err)
	}
	for c, s := range got {
		for a, g := range s.Rate {
			if want := DefaultSpeed().Rate[a]; math.Abs(g-want) > 1e-12 {
				t.Errorf("channel %d, age %d: %g, want %g", c, a, g, want)
			}
		}
	}
}

func TestFitSpeedRefuses(t *testing.T) {
	avail := peaks(9)
	for _, c := range []struct {
		delay Delay
		want  error
	}{
		{Delay{Channel: 2, Avail: avail}, ErrChannel},
		{Delay{Hours: -1, Avail: avail}, ErrNegative},
		{Delay{Hours: math.NaN(), Avail: avail}, ErrNotFinite},
		{Delay{Sent: Hours, Avail: avail}, ErrHour},
	} {
		_, err := FitSpeed([]Delay{{Avail: avail}, c.delay}, []Speed{DefaultSpeed(), DefaultSpeed()}, 1)
		var at *RowError
		if !errors.Is(err, c.want) || !errors.As(err, &at) || at.Row != 1 {
			t.Errorf("%+v: %v, want %v at row 1", c.delay, err, c.want)
		}
	}
}
