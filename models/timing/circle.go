package timing

import "math"

// kernel spreads what was seen at one hour over the hours near it, on the
// circle: weight (1−daily)·e^(−|Δ|/bandwidth) within the week, plus
// daily·e^(−|Δ|/bandwidth) at the same hours of every day. It weighs 1 at
// Δ = 0, so a smoothed count is still a count: of the events nearby.
type kernel struct {
	decay float64 // e^(−1/bandwidth), 0 for no smoothing
	daily float64 // share of a habit that every day has in common
	warm  int     // hours after which decay has forgotten the start
}

// newKernel makes the kernel of a bandwidth in hours; 0 smooths not at all.
func newKernel(bandwidth, daily float64) kernel {
	if bandwidth <= 0 {
		return kernel{daily: daily}
	}
	// e^(−18) = 1.5e-8 of an event reaches round the circle unseen: less
	// than float32 counts resolve.
	return kernel{
		decay: math.Exp(-1 / bandwidth),
		daily: daily,
		warm:  min(Hours, int(math.Ceil(18*bandwidth))),
	}
}

// smooth stores x and y smoothed in ox and oy, both in one pass. It does not
// allocate. The two-sided exponential is a recursion in either direction, so
// that the cost hardly depends on the bandwidth.
func (k kernel) smooth(ox, oy, x, y *[Hours]float64) {
	a, own := k.decay, 1-k.daily
	var fx, fy, bx, by float64
	for i := range k.warm { // both directions start as if the circle had been walked before
		fx, fy = x[Hours-k.warm+i]+a*fx, y[Hours-k.warm+i]+a*fy
		bx, by = x[k.warm-1-i]+a*bx, y[k.warm-1-i]+a*by
	}
	*ox, *oy = [Hours]float64{}, [Hours]float64{}
	for h := range Hours { // four recursions side by side keep the processor busy
		g := Hours - 1 - h
		fx, fy = x[h]+a*fx, y[h]+a*fy
		ox[h] += fx
		oy[h] += fy
		ox[g] += a * bx
		oy[g] += a * by
		bx, by = x[g]+a*bx, y[g]+a*by
	}
	if k.daily == 0 {
		return
	}
	var dx, dy [dayHours]float64
	for h := 0; h < Hours; h += dayHours {
		xs, ys := (*[dayHours]float64)(x[h:]), (*[dayHours]float64)(y[h:])
		for i := range dayHours {
			dx[i] += xs[i]
			dy[i] += ys[i]
		}
	}
	k.smoothDay(&dx, &dy)
	for i := range dayHours {
		dx[i] *= k.daily
		dy[i] *= k.daily
	}
	for h := 0; h < Hours; h += dayHours {
		xs, ys := (*[dayHours]float64)(ox[h:]), (*[dayHours]float64)(oy[h:])
		for i := range dayHours {
			xs[i] = own*xs[i] + dx[i]
			ys[i] = own*ys[i] + dy[i]
		}
	}
}

// smoothDay does the same on the circle of 24 hours.
func (k kernel) smoothDay(x, y *[dayHours]float64) {
	if k.decay == 0 {
		return
	}
	a := k.decay
	round := 1 / (1 - math.Pow(a, dayHours)) // all the earlier rounds of the circle
	var fx, fy, bx, by float64
	for i := range dayHours {
		j := dayHours - 1 - i
		fx, fy = x[i]+a*fx, y[i]+a*fy
		bx, by = x[j]+a*bx, y[j]+a*by
	}
	fx, fy, bx, by = fx*round, fy*round, bx*round, by*round
	var ox, oy [dayHours]float64
	for i := range dayHours {
		fx, fy = x[i]+a*fx, y[i]+a*fy
		ox[i], oy[i] = fx, fy
	}
	for i := dayHours - 1; i >= 0; i-- {
		ox[i] += a * bx
		oy[i] += a * by
		bx, by = x[i]+a*bx, y[i]+a*by
	}
	*x, *y = ox, oy
}
