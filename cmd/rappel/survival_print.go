package main

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	_ "gonum.org/v1/plot/vg/vgimg" // draws PNG
	_ "gonum.org/v1/plot/vg/vgsvg" // draws SVG
)

// text prints a readable table, and a curve of characters.
func (a *survivalAnswer) text(out io.Writer, o *survivalOptions) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d rows, %d events", a.Model, a.N, a.Events)
	if a.LogLik != nil {
		fmt.Fprintf(&b, "; log-likelihood %.4f (null %.4f), %d iterations", float64(*a.LogLik), float64(*a.LogLikNull), a.Iterations)
	}
	if !a.Converged {
		b.WriteString("; NOT CONVERGED")
	}
	b.WriteString("\n")
	for _, s := range a.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", s)
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if len(a.Coef) > 0 {
		fmt.Fprintln(w, "\t\tcoef\texp(coef)\tse\trobust se\tz\tp\t")
		for _, c := range a.Coef {
			fmt.Fprintf(w, "%s\t\t%.5g\t%.5g\t%s\t%s\t%s\t%s\t\n", c.Name, float64(c.Coef), math.Exp(float64(c.Coef)), show(c.SE), show(c.RobustSE), show(c.Z), show(c.P))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	b.Reset()
	if a.Scale != nil {
		fmt.Fprintf(&b, "scale %.5g\n", float64(*a.Scale))
	}
	if c := a.Concordance; c != nil {
		fmt.Fprintf(&b, "concordance %.4f (se %.4f)\n", float64(c.C), float64(c.SE))
	}
	for _, name := range []string{"lr", "wald", "score", "logrank"} {
		if t, ok := a.Tests[name]; ok {
			fmt.Fprintf(&b, "%s test %.4g on %d df, p = %.3g\n", name, float64(t.Stat), t.DF, float64(t.P))
		}
	}
	if n := len(a.ZPH); n > 0 {
		t := a.ZPH[n-1]
		fmt.Fprintf(&b, "proportional hazards: χ² %.4g on %d df, p = %.3g\n", float64(t.Stat), t.DF, float64(t.P))
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if o.predict != nil {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "stratum\ttime\tat risk\tsurvival\tincidence\tse\tlo\thi\t")
		for _, c := range a.Curves {
			fmt.Fprintf(w, "%s\t%g\t%s\t%.4f\t%.4f\t%s\t%s\t%s\t\n", c.label(), float64(c.Time), show(&c.NRisk), float64(c.Survival), float64(c.Incidence), show(&c.SE), show(&c.Lo), show(&c.Hi))
		}
		return w.Flush()
	}
	return a.sketch(out)
}

// show prints a number short, and a dot where there is none.
func show(x *number) string {
	if x == nil || math.IsNaN(float64(*x)) {
		return "."
	}
	return fmt.Sprintf("%.4g", float64(*x))
}

// label names the curve that a line belongs to.
func (c *curveLine) label() string {
	if c.Cause != nil {
		return strings.TrimSpace(fmt.Sprintf("%s cause %d", c.Stratum, *c.Cause))
	}
	return c.Stratum
}

// series splits the curves by label, in order. Incidences are drawn for
// competing events, survival for the rest.
func (a *survivalAnswer) series() (names []string, points [][]curveLine) {
	for _, c := range a.Curves {
		k := slices.Index(names, c.label())
		if k < 0 {
			k = len(names)
			names, points = append(names, c.label()), append(points, nil)
		}
		points[k] = append(points[k], c)
	}
	return names, points
}

func (a *survivalAnswer) height(c curveLine) float64 {
	if a.Model == "aj" || a.Model == "finegray" {
		return float64(c.Incidence)
	}
	return float64(c.Survival)
}

// sketch draws each curve in characters.
func (a *survivalAnswer) sketch(out io.Writer) error {
	const width, height = 64, 12
	names, series := a.series()
	for k, points := range series {
		last := float64(points[len(points)-1].Time)
		grid := make([][]rune, height+1)
		for r := range grid {
			grid[r] = []rune(strings.Repeat(" ", width))
		}
		start, at := 1.0, 0
		if a.Model == "aj" || a.Model == "finegray" {
			start = 0
		}
		y := start
		for col := range width {
			t := last * float64(col) / (width - 1)
			for at < len(points) && float64(points[at].Time) <= t {
				y = a.height(points[at])
				at++
			}
			grid[int(math.Round((1-y)*height))][col] = '•'
		}
		var b strings.Builder
		fmt.Fprintf(&b, "\n%s\n", names[k])
		for r, line := range grid {
			mark := "    "
			if r%(height/2) == 0 {
				mark = fmt.Sprintf("%.1f ", 1-float64(r)/height)
			}
			fmt.Fprintf(&b, "%s│%s\n", mark, strings.TrimRight(string(line), " "))
		}
		fmt.Fprintf(&b, "    └%s\n     0%*s\n", strings.Repeat("─", width), width-1, fmt.Sprintf("%g", last))
		if _, err := io.WriteString(out, b.String()); err != nil {
			return err
		}
	}
	return nil
}

// plot draws the curves as steps with their limits, in the format that the
// extension of path names.
func (a *survivalAnswer) plot(out io.Writer, path string) error {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "time", "survival"
	if a.Model == "aj" || a.Model == "finegray" {
		p.Y.Label.Text = "incidence"
	}
	p.Y.Min, p.Y.Max, p.X.Min = 0, 1, 0
	colours := []color.RGBA{{0x1b, 0x6c, 0xa8, 255}, {0xd9, 0x5f, 0x02, 255}, {0x2a, 0x91, 0x4e, 255}, {0x8e, 0x44, 0xad, 255}, {0x55, 0x55, 0x55, 255}}
	names, series := a.series()
	for k, points := range series {
		step := func(value func(curveLine) float64) (plotter.XYs, bool) {
			start := 1.0
			if p.Y.Label.Text == "incidence" {
				start = 0
			}
			xy := plotter.XYs{{X: 0, Y: start}}
			for _, c := range points {
				v := value(c)
				if math.IsNaN(v) {
					return nil, false
				}
				xy = append(xy, plotter.XY{X: float64(c.Time), Y: v})
			}
			return xy, true
		}
		add := func(value func(curveLine) float64, main bool) error {
			xy, ok := step(value)
			if !ok {
				return nil
			}
			line, err := plotter.NewLine(xy)
			if err != nil {
				return err
			}
			line.StepStyle = plotter.PostStep
			line.Color = colours[k%len(colours)]
			if main {
				line.Width = vg.Points(1.6)
				if names[k] != "" {
					p.Legend.Add(names[k], line)
				}
			} else {
				line.Dashes = []vg.Length{vg.Points(2), vg.Points(2)}
			}
			p.Add(line)
			return nil
		}
		for _, err := range []error{
			add(a.height, true),
			add(func(c curveLine) float64 { return float64(c.Lo) }, false),
			add(func(c curveLine) float64 { return float64(c.Hi) }, false),
		} {
			if err != nil {
				return err
			}
		}
	}
	p.Legend.Top = true
	w, err := p.WriterTo(16*vg.Centimeter, 10*vg.Centimeter, strings.TrimPrefix(filepath.Ext(path), "."))
	if err != nil {
		return err
	}
	_, err = w.WriteTo(out)
	return err
}
