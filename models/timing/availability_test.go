package timing

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestPosteriorIsPriorWithoutData(t *testing.T) {
	m, err := Fit(Rows{}, DefaultOptions(3))
	if err != nil {
		t.Fatal(err)
	}
	shape := Daytime()
	for _, profile := range []int{-1, 0, 2, 99} {
		var got [Hours]float64
		m.Posterior(&got, nil, nil, profile)
		for h, v := range got {
			if want := shape[h] / 30; math.Abs(v-want) > 1e-12 { // rounding of a few products
				t.Fatalf("profile %d, hour %d: hazard %g, want %g", profile, h, v, want)
			}
		}
	}
}

func TestPosteriorAndNoticedWithinDoNotAllocate(t *testing.T) {
	m := Prior(DefaultOptions(1))
	m.Groups = make([]float64, 4*Hours)
	for i := range m.Groups {
		m.Groups[i] = 1 + 0.1*float64(i%5)
	}
	m.GroupShares = []float64{.25, .25, .25, .25, .25, .25, .25, .25}
	var counts, exposure [Hours]float32
	counts[9], exposure[9], exposure[10] = 2, 5, 3
	var avail [Hours]float64
	slots := []int32{0, 9, 34, 167}
	dst := make([]float64, len(slots))
	speed := DefaultSpeed()
	if n := testing.AllocsPerRun(100, func() {
		m.Posterior(&avail, &counts, &exposure, 0)
		NoticedWithin(dst, &avail, speed, slots, 24)
	}); n != 0 {
		t.Errorf("allocates %v times per run", n)
	}
}

func BenchmarkPosterior(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	var counts, exposure [Hours]float32
	for h := range exposure {
		exposure[h] = float32(rng.IntN(4))
	}
	for range 15 {
		counts[rng.IntN(Hours)]++
	}
	for _, g := range []int{0, 4} {
		m := Prior(DefaultOptions(1))
		for range g * Hours {
			m.Groups = append(m.Groups, 0.5+rng.Float64())
		}
		for range 2 * g {
			m.GroupShares = append(m.GroupShares, 1/float64(g))
		}
		b.Run([]string{"plain", "", "", "", "groups"}[g], func(b *testing.B) {
			var dst [Hours]float64
			for b.Loop() {
				m.Posterior(&dst, &counts, &exposure, 0)
			}
		})
	}
}

func BenchmarkNoticedWithin(b *testing.B) {
	var avail [Hours]float64
	m := Prior(DefaultOptions(0))
	m.Posterior(&avail, nil, nil, -1)
	slots := make([]int32, Hours)
	for i := range slots {
		slots[i] = int32(i)
	}
	dst := make([]float64, Hours)
	speed := DefaultSpeed()
	for b.Loop() {
		NoticedWithin(dst, &avail, speed, slots, 48)
	}
}
