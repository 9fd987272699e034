package anomaly

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// days runs a Stream over a year in which tests p-values come each day, true
// of them from scores shifted by effect, and returns what was discovered.
func days(seed uint64, tests int, true_ float64, effect, fdr float64) (falsely, truly float64) {
	r := rand.New(rand.NewPCG(seed, 0xfd))
	var s Stream
	var found []int
	p, ones := make([]float64, tests), slices.Repeat([]float64{1}, tests)
	for day := range int32(365) {
		real := make([]bool, tests)
		for i := range p {
			z := r.NormFloat64()
			if r.Float64() < true_ {
				real[i] = true
				z += effect
			}
			p[i] = distuv.UnitNormal.Survival(z)
		}
		found, _ = s.Test(found, day, p, ones[:len(p)], free, fdr)
		for _, i := range found {
			if real[i] {
				truly++
			} else {
				falsely++
			}
		}
	}
	return falsely, truly
}

func TestStreamHoldsRate(t *testing.T) {
	for _, c := range []struct {
		name         string
		tests        int
		true_, shift float64
		fdr, power   float64
	}{
		{"one in five hundred changes", 200, 0.002, 4, 0.1, 0.5},
		{"one in fifty changes", 200, 0.02, 4, 0.1, 0.8},
		{"at one in five", 200, 0.02, 4, 0.2, 0.8},
		{"a small book", 20, 0.02, 4, 0.1, 0.6},
	} {
		var falsely, truly, fdp float64
		const years = 8
		for seed := range uint64(years) {
			f, r := days(seed, c.tests, c.true_, c.shift, c.fdr)
			falsely += f
			truly += r
			fdp += f / max(1, f+r) / years
		}
		if fdp > c.fdr+0.02 {
			t.Errorf("%s: %.3f of discoveries false, claimed %v", c.name, fdp, c.fdr)
		}
		if power := truly / (c.true_ * 365 * float64(c.tests) * years); power < c.power {
			t.Errorf("%s: finds %.2f of changes, want %v", c.name, power, c.power)
		}
	}
}

// TestFalseIsCalibrated: of the findings that are said to be false with some
// probability, such a share is, the weak ones and the strong ones apart.
func TestFalseIsCalibrated(t *testing.T) {
	var said, are [2]float64
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 0xfa))
		var s Stream
		var found []int
		p, ones := make([]float64, 200), slices.Repeat([]float64{1}, 200)
		for day := range int32(365) {
			real := make([]bool, len(p))
			for i := range p {
				z := r.NormFloat64()
				if real[i] = r.Float64() < 0.02; real[i] {
					z += 4
				}
				p[i] = distuv.UnitNormal.Survival(z)
			}
			var level float64
			found, level = s.Test(found, day, p, ones, free, 0.1)
			for _, i := range found {
				x, weak := s.False(p[i], level, 0.1), 0
				if x > 0.1 {
					weak = 1
				}
				said[weak] += x
				if !real[i] {
					are[weak]++
				}
			}
		}
	}
	// Some hundreds of false findings are known to a tenth; the density is one of
	// one parameter.
	for weak, name := range []string{"strong", "weak"} {
		if ratio := are[weak] / said[weak]; ratio < 0.6 || ratio > 1.6 {
			t.Errorf("of the %s findings %.0f are false, said to be %.0f", name, are[weak], said[weak])
		}
		t.Logf("%s: %.0f false, said %.0f", name, are[weak], said[weak])
	}
}

// TestStreamInQuietBook: where nothing changes, every discovery is false, so
// a year may hold hardly any.
func TestStreamInQuietBook(t *testing.T) {
	var falsely float64
	const years = 12
	for seed := range uint64(years) {
		f, _ := days(seed, 200, 0, 0, 0.1)
		falsely += f
	}
	// Five discoveries are reckoned with: 0.1·(0+5), and three standard errors.
	if got := falsely / years; got > 0.5+3*math.Sqrt(0.5/years) {
		t.Errorf("%v false discoveries a year", got)
	}
}

func TestStreamForgets(t *testing.T) {
	var s Stream
	for day := range int32(3 * year) {
		s.Test(nil, day, []float64{0.5, 1e-9}, []float64{1, 1}, free, 0.1)
	}
	if len(s.Days) != year {
		t.Errorf("%d batches remembered, want %d", len(s.Days), year)
	}
}

func TestStreamLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Stream
		for day := range int32(rapid.IntRange(1, 30).Draw(t, "days")) {
			p := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 {
				return math.Pow(10, -rapid.Float64Range(0, 8).Draw(t, "log"))
			}), 1, 20).Draw(t, "p")
			found, threshold := s.Test(nil, day, p, slices.Repeat([]float64{1}, len(p)), free, 0.1)
			in := map[int]bool{}
			for i, j := range found {
				in[j] = true
				if i > 0 && p[j] < p[found[i-1]] {
					t.Fatalf("discovered out of order")
				}
			}
			for i := range p {
				if in[i] != (p[i] <= threshold) {
					t.Fatalf("p %v at threshold %v: discovered %v", p[i], threshold, in[i])
				}
			}
			if b := s.Days[len(s.Days)-1]; threshold < 0 || threshold > strict || math.Abs(b.Charge-threshold*float64(len(p))) > 1e-12 || b.Found != float64(len(found)) {
				t.Fatalf("batch %+v", b)
			}
		}
	})
}

func TestTally(t *testing.T) {
	if got := (Tally{}).Level(0.1); math.Abs(got-0.1) > 1e-12 {
		t.Errorf("with no verdicts the level is %v, want 0.1", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		v := Tally{float64(rapid.IntRange(0, 500).Draw(t, "confirmed")), float64(rapid.IntRange(0, 500).Draw(t, "dismissed"))}
		level := v.Level(0.1)
		if level < 0.01 || level > 0.2 {
			t.Errorf("%+v: level %v", v, level)
		}
		v.Dismissed++
		if next := v.Level(0.1); next > level {
			t.Errorf("%+v: a dismissal raises the level to %v", v, next)
		}
		v.Dismissed--
		v.Confirmed++
		if next := v.Level(0.1); next < level {
			t.Errorf("%+v: a confirmation lowers the level to %v", v, next)
		}
	})
}
