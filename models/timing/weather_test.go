package timing

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	morning, midday, evening, night = 0, 1, 2, 3
	sun, rain                       = 0, 1
)

// restaurant is the planted effect: on sunny days mornings and nights are for
// reading, midday and evening for guests.
var restaurant = [4][2]float64{
	morning: {sun: 0.40, rain: -0.25},
	midday:  {sun: -0.50, rain: 0.25},
	evening: {sun: -0.45, rain: 0.25},
	night:   {sun: 0.35, rain: -0.25},
}

// sectorsUnderWeather makes half a year of counts: sector 0 are restaurants,
// the others are indifferent. Sunshine and counts both follow the season, and
// weather and moods last for days, so that only a careful look tells.
func sectorsUnderWeather(seed uint64, sectors int) WeatherRows {
	rng := rand.New(rand.NewPCG(seed, 4))
	const days = 182
	var r WeatherRows
	moods := make([]float64, sectors)
	s, w := 0.0, 0.0
	for day := range int32(days) {
		s = 0.6*s + 0.8*rng.NormFloat64()
		w = 0.6*w + 0.8*rng.NormFloat64()
		season := math.Sin(2 * math.Pi * float64(day) / 364)
		for sector := range moods {
			moods[sector] = 0.5*moods[sector] + 0.05*rng.NormFloat64()
			for block := range 4 {
				x := [2]float64{sun: s + season, rain: w - 0.5*s}
				eta := moods[sector] + 0.5*season
				if sector == 0 {
					eta += restaurant[block][sun]*x[sun] + restaurant[block][rain]*x[rain]
				}
				expected := 40.0
				r.Sector = append(r.Sector, int32(sector))
				r.Block = append(r.Block, int32(block))
				r.Day = append(r.Day, day)
				r.Expected = append(r.Expected, expected)
				r.Events = append(r.Events, distuv.Poisson{Lambda: expected * math.Exp(eta), Src: rng}.Rand())
				r.X = append(r.X, x[:]...)
			}
		}
	}
	return r
}

func TestWeatherFindsRestaurantsAndNoOthers(t *testing.T) {
	const sectors, seeds = 21, 10
	kept := 0
	for seed := range uint64(seeds) {
		w, err := FitWeather(sectorsUnderWeather(seed, sectors), DefaultWeatherOptions(sectors, 4, 2))
		if err != nil {
			t.Fatal(err)
		}
		if w.Kept[0] != 1 {
			t.Errorf("seed %d: restaurants not kept: P = %g, gain %g", seed, w.P[0], w.Gain[0])
			continue
		}
		for b, want := range restaurant {
			for j, want := range want {
				if got := w.Beta[b*2+j]; math.Abs(got-want) > 0.2*math.Abs(want) {
					t.Errorf("seed %d, block %d, covariate %d: effect %.3f, want %.2f within 20 %%", seed, b, j, got, want)
				}
			}
		}
		for _, k := range w.Kept[1:] {
			kept += int(k)
		}
	}
	t.Logf("%d of %d placebo sectors kept", kept, seeds*(sectors-1))
	if kept > seeds*(sectors-1)/20 {
		t.Errorf("%d of %d placebo sectors kept, want at most 5 %%", kept, seeds*(sectors-1))
	}
}

func TestWeatherGradient(t *testing.T) {
	r := sectorsUnderWeather(3, 1)
	opt := DefaultWeatherOptions(1, 4, 2)
	cells := r.cells(opt)[evening]
	at := []float64{0.1, -0.2}
	gradient, hessian := mat.NewVecDense(2, nil), mat.NewSymDense(2, nil)
	spells(cells, -1, false, func(spell []cell) {
		weatherMoments(gradient, hessian, make([]float64, 2), at, spell)
	})
	loglik := func(beta []float64) float64 {
		sum := 0.0
		spells(cells, -1, false, func(spell []cell) {
			all, events := 0.0, 0.0
			for _, c := range spell {
				all += c.expected * math.Exp(dot(beta, c.x))
				events += c.events
				sum += c.events * dot(beta, c.x)
			}
			sum -= events * math.Log(all)
		})
		return sum
	}
	want := fd.Gradient(nil, loglik, at, &fd.Settings{Formula: fd.Central})
	if got := gradient.RawVector().Data; !floats.EqualApprox(got, want, 1e-3) { // log-likelihood of 5e4: rounding over h = 6e-6
		t.Errorf("gradient %v, finite difference %v", got, want)
	}
}

func TestWeatherModulatesOnlyWhereKept(t *testing.T) {
	w := &Weather{Blocks: 4, Covariates: 1, Beta: []float64{0.5, 0, 0, -0.5, 1, 1, 1, 1}, Kept: []float64{1, 0}}
	x := make([]float64, Hours)
	for h := range x {
		x[h] = 1
	}
	for _, c := range []struct {
		sector, hour int
		want         float64
	}{
		{0, 3, math.Exp(0.5)}, {0, 12, 1}, {0, 24 + 20, math.Exp(-0.5)}, {1, 3, 1}, {-1, 3, 1}, {9, 3, 1},
	} {
		var avail [Hours]float64
		for h := range avail {
			avail[h] = 1
		}
		w.Modulate(&avail, c.sector, x)
		if got := avail[c.hour]; math.Abs(got-c.want) > 1e-15 {
			t.Errorf("sector %d, hour %d: factor %g, want %g", c.sector, c.hour, got, c.want)
		}
	}
}
