package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

//go:embed evaluation.html
var reportPage string

// writeReport writes the answer as one HTML page that asks nothing of the
// network: charts are inline SVG.
func writeReport(path string, a *answer) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"short":     func(x number) string { return shown("%.4g", x) },
		"shortp":    func(x *number) string { return shown("%.4g", *x) },
		"percent":   func(x float64) string { return fmt.Sprintf("%g %%", 100*x) },
		"estimates": func(e []estimate, zero bool) chart { return forest(estimateBars(e), zero) },
		"slices":    func(s []slice) chart { return forest(sliceBars(s), false) },
		"pressure":  func(p []pressure) chart { return forest(pressureBars(p), true) },
		"name":      nameOf,
		"share":     func(x number) string { return fmt.Sprintf("%.1f %%", 100*float64(x)) },
		"points":    points,
		"day":       func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
		"watched":   watched,
		"weights":   histogram,
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := page.Execute(out, struct {
		*answer
		Ratios  []float64
		Against string
	}{a, a.ratios, a.against}); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// chart is an SVG drawing in pixels from the top left.
type chart struct {
	Width, Height float64
	Rects         []box
	Lines         []segment
	Dots          []dot
	Areas         []polygon
	Texts         []caption
}

// The parts of a chart. Class names a style of the page.
type (
	box     struct{ X, Y, W, H float64 }
	segment struct {
		X1, Y1, X2, Y2 float64
		Class          string
	}
	dot struct {
		X, Y  float64
		Title string
	}
	polygon struct{ Points, Class string }
	caption struct {
		X, Y         float64
		Anchor, Text string
	}
)

// bar is one labelled interval of a forest chart.
type bar struct {
	label         string
	value, lo, hi float64
}

func estimateBars(in []estimate) []bar {
	out := make([]bar, len(in))
	for k, e := range in {
		out[k] = bar{e.Name, float64(e.Value), float64(e.Lo), float64(e.Hi)}
	}
	return out
}

func sliceBars(in []slice) []bar {
	var out []bar
	for _, s := range in {
		if e := s.Estimate; e != nil {
			out = append(out, bar{s.Column + " = " + nameOf(s.Level), float64(e.Value), float64(e.Lo), float64(e.Hi)})
		}
	}
	return out
}

// points shows a difference of shares in points of a hundred.
func points(x number) string { return shown("%+.1f", 100*x) }

// shown is a number, or a dash where there is none: the interval of a single
// debtor, for example.
func shown(format string, x number) string {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return "–"
	}
	return fmt.Sprintf(format, float64(x))
}

// pressureBars are differences in points of a hundred.
func pressureBars(in []pressure) []bar {
	out := make([]bar, len(in))
	for k, p := range in {
		d := p.Difference
		out[k] = bar{p.By + " = " + nameOf(p.Name), 100 * float64(d.Value), 100 * float64(d.Lo), 100 * float64(d.Hi)}
	}
	return out
}

// Sizes of the charts in pixels.
const (
	chartWidth = 720
	labelWidth = 170
	plotRight  = chartWidth - 24
	barHeight  = 26
	plotHeight = 240
)

// forest draws one interval a line; zero asks for a line at 0.
func forest(bars []bar, zero bool) chart {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, b := range bars {
		for _, x := range []float64{b.value, b.lo, b.hi} {
			if !math.IsNaN(x) && !math.IsInf(x, 0) {
				lo, hi = min(lo, x), max(hi, x)
			}
		}
	}
	if zero {
		lo, hi = min(lo, 0), max(hi, 0)
	}
	x := newScale(lo, hi, labelWidth, plotRight)
	bottom := float64(len(bars)*barHeight) + 12
	c := chart{Width: chartWidth, Height: bottom + 28}
	c.verticals(x, 4, bottom)
	if zero {
		c.Lines = append(c.Lines, segment{x.at(0), 4, x.at(0), bottom, "zero"})
	}
	for k, b := range bars {
		y := 18 + float64(k*barHeight)
		c.Texts = append(c.Texts, caption{labelWidth - 12, y + 4, "end", b.label})
		title := fmt.Sprintf("%s: %.5g", b.label, b.value)
		if !math.IsNaN(b.lo) {
			c.Lines = append(c.Lines, segment{x.at(b.lo), y, x.at(b.hi), y, "interval"})
			title += fmt.Sprintf(" (%.5g to %.5g)", b.lo, b.hi)
		}
		c.Dots = append(c.Dots, dot{x.at(b.value), y, title})
	}
	return c
}

// watched draws the confidence sequence look by look.
func watched(s *sequence) chart {
	lo, hi := math.Inf(1), math.Inf(-1)
	last := s.Looks[len(s.Looks)-1]
	for k, l := range s.Looks { // the first informed looks may be very wide and are cut off
		if k >= len(s.Looks)/4 && (l.Informed || !s.Informed) {
			lo, hi = min(lo, float64(l.Lo)), max(hi, float64(l.Hi))
		}
	}
	x := newScale(0, float64(last.Clusters), labelWidth-90, plotRight)
	y := newScale(lo, hi, plotHeight, 8)
	c := chart{Width: chartWidth, Height: plotHeight + 30}
	c.verticals(x, 8, plotHeight)
	for _, t := range y.ticks() {
		c.Lines = append(c.Lines, segment{labelWidth - 90, y.at(t), plotRight, y.at(t), "grid"})
		c.Texts = append(c.Texts, caption{labelWidth - 98, y.at(t) + 4, "end", tick(t)})
	}
	inside := func(v number) float64 { return min(max(y.at(float64(v)), 8), plotHeight) }
	var forth strings.Builder
	var back string
	for k, l := range s.Looks {
		px := x.at(float64(l.Clusters))
		fmt.Fprintf(&forth, "%.1f,%.1f ", px, inside(l.Hi))
		back = fmt.Sprintf("%.1f,%.1f ", px, inside(l.Lo)) + back
		if k > 0 {
			p := s.Looks[k-1]
			c.Lines = append(c.Lines, segment{x.at(float64(p.Clusters)), inside(p.Value), px, inside(l.Value), "curve"})
		}
	}
	c.Areas = append(c.Areas, polygon{forth.String() + back, "band"})
	return c
}

// histogram draws the rows by importance ratio, in powers of two; the first
// bin is the ratio 0.
func histogram(ratios []float64) chart {
	const bins, lowest = 20, -7 // 2⁻⁷ and below … 2¹¹ and above
	var count [bins]float64
	for _, w := range ratios {
		if w == 0 {
			count[0]++
			continue
		}
		count[int(min(max(math.Floor(math.Log2(w))-lowest, 0), bins-2))+1]++
	}
	most := 1.0
	for _, n := range count {
		most = max(most, n)
	}
	c := chart{Width: chartWidth, Height: plotHeight + 30}
	width := float64(plotRight-20) / bins
	for k, n := range count {
		h := n / most * (plotHeight - 30)
		left := 20 + float64(k)*width
		c.Rects = append(c.Rects, box{left, plotHeight - h, width - 3, h})
		label := "0"
		switch power := k - 1 + lowest; {
		case k > 0 && power < 0:
			label = fmt.Sprintf("1/%d", 1<<-power)
		case k > 0:
			label = strconv.Itoa(1 << power)
		}
		c.Texts = append(c.Texts, caption{left + width/2, plotHeight + 16, "middle", label})
		if n > 0 {
			c.Texts = append(c.Texts, caption{left + width/2, plotHeight - h - 5, "middle", fmt.Sprintf("%.0f", n)})
		}
	}
	return c
}

func (c *chart) verticals(x scale, top, bottom float64) {
	for _, t := range x.ticks() {
		c.Lines = append(c.Lines, segment{x.at(t), top, x.at(t), bottom, "grid"})
		c.Texts = append(c.Texts, caption{x.at(t), bottom + 18, "middle", tick(t)})
	}
}

// tick writes a round number without an exponent.
func tick(x float64) string { return strconv.FormatFloat(math.Round(x*1e9)/1e9, 'f', -1, 64) }

// scale maps values linearly to pixels.
type scale struct{ lo, hi, from, to float64 }

func newScale(lo, hi, from, to float64) scale {
	if !(lo < hi) {
		if math.IsInf(lo, 0) {
			lo, hi = 0, 1
		} else {
			lo, hi = lo-math.Abs(lo)/2-1e-9, hi+math.Abs(hi)/2+1e-9
		}
	}
	return scale{lo, hi, from, to}
}

func (s scale) at(x float64) float64 { return s.from + (x-s.lo)/(s.hi-s.lo)*(s.to-s.from) }

// ticks returns at most eight round values within the scale.
func (s scale) ticks() []float64 {
	step := math.Pow(10, math.Floor(math.Log10((s.hi-s.lo)/2)))
	for _, k := range []float64{1, 2, 5, 10} {
		if (s.hi-s.lo)/(step*k) <= 7 {
			step *= k
			break
		}
	}
	var out []float64
	for k := math.Ceil(s.lo / step); k*step <= s.hi; k++ {
		out = append(out, k*step+0) // no −0
	}
	return out
}
