package timing

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// slowSmooth is the definition of the kernel, hour by hour and round by round.
func slowSmooth(x *[Hours]float64, bandwidth, daily float64) (out [Hours]float64) {
	table := func(circle int) []float64 {
		weights := make([]float64, circle)
		weights[0] = 1
		for apart := range weights {
			if bandwidth == 0 {
				break
			}
			weights[apart] = 0
			for round := -20; round <= 20; round++ {
				weights[apart] += math.Exp(-math.Abs(float64(apart+round*circle)) / bandwidth)
			}
		}
		return weights
	}
	week, day := table(Hours), table(dayHours)
	for h := range out {
		for g, v := range x {
			d := (h - g + Hours) % Hours
			out[h] += v * ((1-daily)*week[d] + daily*day[d%dayHours])
		}
	}
	return out
}

func TestSmoothIsTheKernelOnTheCircle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bandwidth := rapid.SampledFrom(bandwidths).Draw(t, "bandwidth")
		daily := rapid.SampledFrom(dailies).Draw(t, "daily")
		var x, y, ox, oy [Hours]float64
		for range rapid.IntRange(0, 20).Draw(t, "events") {
			x[rapid.IntRange(0, Hours-1).Draw(t, "x")]++
			y[rapid.IntRange(0, Hours-1).Draw(t, "y")] += 0.5
		}
		newKernel(bandwidth, daily).smooth(&ox, &oy, &x, &y)
		wantX, wantY := slowSmooth(&x, bandwidth, daily), slowSmooth(&y, bandwidth, daily)
		for h := range Hours {
			// The warm start forgets e^(−18) = 1.5e-8 of at most 20 events.
			if math.Abs(ox[h]-wantX[h]) > 1e-6 || math.Abs(oy[h]-wantY[h]) > 1e-6 {
				t.Fatalf("bandwidth %g, daily %g, hour %d: %g, %g, want %g, %g", bandwidth, daily, h, ox[h], oy[h], wantX[h], wantY[h])
			}
		}
	})
}
