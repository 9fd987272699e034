package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cell is one hour of the week in the heat map, in units of its drawing.
type cell struct {
	X, Y    int
	Opacity string
	Title   string
}

const cellWidth, cellHeight, dayLabel = 22, 18, 40

// heat lays out 168 hours, Monday 00:00 first, the strongest hour opaque.
func heat(t tongue, week []float64) []cell {
	top := max(slices.Max(append([]float64{0}, week...)), 1e-12)
	cells := make([]cell, 0, len(week))
	for i, x := range week {
		day, hour := i/24, i%24
		cells = append(cells, cell{
			X: dayLabel + hour*cellWidth, Y: day * cellHeight, Opacity: strconv.FormatFloat(x/top, 'f', 3, 64),
			Title: fmt.Sprintf("%s %d:00: %.0f %%", weekdays[t][day%7], hour, 100*x/top),
		})
	}
	return cells
}

// curve lays out the survival curve on 280 × 100, from 1 on day 0.
func curve(survival []float64) string {
	var points strings.Builder
	points.WriteString("0,0")
	for i, s := range survival {
		fmt.Fprintf(&points, " %.1f,%.1f", 280*float64(i+1)/float64(len(survival)), 100*(1-s))
	}
	return points.String()
}

// Offset is the top of a day's row in the heat map.
func (v view) Offset(day int) int { return day * cellHeight }

// Ticks label every third hour below the heat map.
func (v view) Ticks() (list []cell) {
	for hour := 0; hour < 24; hour += 3 {
		list = append(list, cell{X: dayLabel + hour*cellWidth, Title: strconv.Itoa(hour)})
	}
	return list
}
