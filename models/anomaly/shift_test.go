package anomaly

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestDetectFindsBeginning(t *testing.T) {
	s := Detect([]float64{0.1, -0.3, 0.2, 0, 3.1, 2.8, 3.3}, 30, least, 3, 0)
	if s.From != 4 {
		t.Errorf("began with score %d, want 4", s.From)
	}
	if rate := Rate(s.Evidence, 3); rate > 1e-4 {
		t.Errorf("false-alarm rate %v of three payments three standard deviations late", rate)
	}
}

// TestDetectByHand: with one observation before and one after, their
// difference has variance 2, and the log likelihood ratio of a shift by 2 is
// 2·(d-1)/2 where they differ by d.
func TestDetectByHand(t *testing.T) {
	got := Detect([]float64{1, 2.5}, 0, 1, 2, 0)
	if want := 2 * (1.5 - 1) / 2.0; math.Abs(got.Evidence-want) > 1e-12 || got.From != 1 {
		t.Errorf("evidence %v from %d, want %v from 1", got.Evidence, got.From, want)
	}
}

func TestDetectNeedsPast(t *testing.T) {
	if s := Detect([]float64{9, 9, 9}, 0, least, 2, 0); !math.IsInf(s.Evidence, -1) || Rate(s.Evidence, 2) != 1 {
		t.Errorf("three payments in all give evidence %v", s.Evidence)
	}
}

// TestOneOutlierIsNoShift: one payment, however late, does not alarm a book of
// five thousand by itself, where the level is a few in ten thousand.
func TestOneOutlierIsNoShift(t *testing.T) {
	for _, effect := range []float64{0.5, 1, 2, 3} {
		s := Detect([]float64{0, 0, 0, 0, 0, 1e6}, 30, least, effect, 0)
		if rate := Rate(s.Evidence, effect); rate < 4e-4 {
			t.Errorf("effect %v: one outlier has rate %v", effect, rate)
		}
	}
}

func TestDetectLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.Float64Range(-6, 6), 1, window).Draw(t, "scores")
		n := rapid.Float64Range(4, 100).Draw(t, "n")
		effect := rapid.Float64Range(0.5, 3).Draw(t, "effect")
		a := Detect(scores, n, least, effect, 0)
		last := len(scores) - 1
		scores[last]++
		b := Detect(scores, n, least, effect, 0)
		if b.Evidence < a.Evidence-1e-9 {
			t.Errorf("a day later, less evidence of lateness: %v after %v", b.Evidence, a.Evidence)
		}
		if Rate(b.Evidence, effect) > Rate(a.Evidence, effect)+1e-12 {
			t.Errorf("more evidence, higher rate")
		}
	})
}

// TestRate checks that alarms of a debtor who never changes come at the rate
// claimed, with the mean known from 40 payments.
func TestRate(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, effect := range []float64{1, 2, 3} {
		const want = 0.005
		var alarms, heard float64
		for range 1500 {
			off := r.NormFloat64() / math.Sqrt(40) // the baseline's error
			var scores []float64
			n := 40.0
			for range 60 {
				scores = append(scores, r.NormFloat64()+off)
				if len(scores) > window {
					scores = scores[1:]
				}
				heard++
				if Rate(Detect(scores, n, least, effect, 0).Evidence, effect) <= want {
					alarms++
					scores = scores[:0]
				}
			}
		}
		// 90,000 payments make 450 alarms, known to 14 % at three standard
		// errors. Below the claim it may fall: a payment's evidence is bounded,
		// beginnings before the window are not looked at, and after an alarm
		// the window is empty; small effects need long windows.
		if got := alarms / heard; got > want*1.15 || got < want*0.25 {
			t.Errorf("effect %v: alarms at %.5f per payment, claimed %.5f", effect, got, want)
		}
	}
}

func TestMeanVariance(t *testing.T) {
	for _, echo := range []float64{0, 0.3, 0.7} {
		for n := 1; n < 12; n++ {
			var want float64
			for i := range n {
				for j := range n {
					want += math.Pow(echo, math.Abs(float64(i-j))) / float64(n*n)
				}
			}
			if got := meanVariance(float64(n), echo); math.Abs(got-want) > 1e-12 {
				t.Errorf("mean of %d with echo %v has variance %v, want %v", n, echo, got, want)
			}
		}
	}
}

func TestDetectDoesNotAllocate(t *testing.T) {
	scores := make([]float64, window)
	if n := testing.AllocsPerRun(100, func() { Detect(scores, 30, least, 2, 0) }); n != 0 {
		t.Errorf("Detect allocates %v times per run", n)
	}
}
