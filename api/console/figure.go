package console

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"rappel/datasets/ledger"
)

// figure is a chart, the table behind it, and the same as CSV.
type figure struct {
	ID    string // its name in addresses
	Title string
	Note  string // what it says, in words
	Shape string // class of its size: short, tall, or empty
	Head  []string
	Rows  [][]cell
	Later bool // drawn from a piece that the page asks for afterwards
	Empty string

	debtor string // whose it is; empty: the creditor's
	option option // what ECharts draws; colours are names of the style sheet's
	unit   string // of the value axis: money percent days count
	tips   []string
}

// option is a chart of ECharts, or a part of one.
type option = map[string]any

// cell is one value of a table: as people read it and as programs do.
type cell struct {
	Text string
	raw  string
	Num  bool
}

// text is a cell of words.
func text(s string) cell { return cell{Text: s, raw: s} }

func (v *visit) dayCell(d ledger.Day) cell { return cell{Text: v.Day(d), raw: d.String()} }

func (v *visit) moneyCell(x float64) cell {
	return cell{Text: v.Money(x), raw: strconv.FormatFloat(x, 'f', 2, 64), Num: true}
}

func (v *visit) numberCell(x float64, decimals int) cell {
	return cell{Text: v.Number(x, decimals), raw: strconv.FormatFloat(x, 'f', decimals, 64), Num: true}
}

func (v *visit) countCell(n int) cell { return cell{Text: v.Count(n), raw: strconv.Itoa(n), Num: true} }

func (v *visit) percentCell(x float64) cell {
	return cell{Text: v.Percent(x), raw: strconv.FormatFloat(x, 'f', 4, 64), Num: true}
}

// JSON is what the page's script draws. encoding/json escapes <, > and &, so
// that nothing in it ends the element it stands in.
func (f *figure) JSON(v *visit) (string, error) {
	b, err := json.Marshal(map[string]any{"option": f.option, "unit": f.unit, "tips": f.tips, "currency": v.Currency, "label": f.Title + ". " + f.Note})
	return string(b), err
}

// Drawn tells whether there is something to draw.
func (f *figure) Drawn() bool { return f.option != nil && len(f.Rows) > 0 }

// writeCSV writes the table for programs. A text that a spreadsheet would take
// for a formula is quoted as text.
func (f *figure) writeCSV(w http.ResponseWriter) error {
	out := csv.NewWriter(w)
	if err := out.Write(f.Head); err != nil {
		return err
	}
	for _, row := range f.Rows {
		line := make([]string, len(row))
		for i, c := range row {
			line[i] = c.raw
			if !c.Num && c.raw != "" && strings.ContainsRune("=+-@\t\r", rune(c.raw[0])) {
				line[i] = "'" + c.raw
			}
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// figures are those that an address can name: of a creditor, or of a debtor.
func (c *console) figure(v *visit, name, debtor string) (*figure, error) {
	switch name {
	case "dso", "ageing", "cost", "channelcost", "complaints", "fairness":
		o, err := c.engine.Overview(v.Creditor, v.asOf, reportMonths)
		if err != nil {
			return nil, err
		}
		return v.overviewFigure(o, name), nil
	case "forecast", "backtest":
		return c.forecastFigure(v, name)
	case "uplift":
		return c.upliftFigure(v)
	case "plan":
		t, err := c.engine.Today(v.Creditor, v.asOf)
		if err != nil {
			return nil, err
		}
		return v.planFigure(t), nil
	case "hours", "channels", "survival", "late":
		key := ledger.Key{Creditor: v.Creditor, Debtor: debtor}
		p, err := c.engine.Debtor(v.r.Context(), key, v.asOf)
		if err != nil {
			return nil, err
		}
		return v.debtorFigure(p, name), nil
	case "calibration", "drift":
		return c.modelFigure(v, name, v.r.URL.Query().Get("id"))
	}
	return nil, ledger.ErrNotFound
}

// figurePiece shows one figure without a page around it, for a page that asks
// for it after it has been read.
func (c *console) figurePiece(v *visit) error {
	f, err := c.figure(v, v.r.URL.Query().Get("figure"), v.r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "piece", f.Title, f)
}

// figureCSV hands out one figure as CSV.
func (c *console) figureCSV(v *visit) error {
	f, err := c.figure(v, v.r.URL.Query().Get("figure"), v.r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="rappel-`+f.ID+`.csv"`)
	return f.writeCSV(v.w)
}

// slow keeps what takes longer than a page may, for a while.
type slow struct {
	mu   sync.Mutex
	made map[string]*made
}

type made struct {
	at    time.Time // of the first question
	mu    sync.Mutex
	value any
}

// slowLife is how long a slow answer serves again.
const slowLife = 10 * time.Minute

// remember returns what compute gives for a key, or gave a short while ago.
func remember[T any](c *console, v *visit, key string, compute func() (T, error)) (T, error) {
	m := c.slow.find(fmt.Sprint(v.Creditor, "\x00", key, "\x00", v.asOf.UnixMicro()), c.now())
	m.mu.Lock()
	defer m.mu.Unlock()
	if x, ok := m.value.(T); ok {
		return x, nil
	}
	x, err := compute()
	if err == nil {
		m.value = x
	}
	return x, err
}

// find returns what is kept for a key, made anew where it is too old, and drops
// the rest that is.
func (s *slow) find(key string, now time.Time) *made {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, m := range s.made {
		if now.Sub(m.at) >= slowLife {
			delete(s.made, k)
		}
	}
	if s.made == nil {
		s.made = map[string]*made{}
	}
	if s.made[key] == nil {
		s.made[key] = &made{at: now}
	}
	return s.made[key]
}

// Pieces of options that charts share.

func axis(values []string) option {
	return option{"type": "category", "data": values, "axisTick": option{"show": false}}
}

func values() option { return option{"type": "value"} }

// line is a series of a line.
func line(name, colour string, data any) option {
	return option{
		"type": "line", "name": name, "data": data, "symbol": "circle", "symbolSize": 6, "showSymbol": false,
		"lineStyle": option{"width": 2, "color": colour}, "itemStyle": option{"color": colour},
	}
}

// bars is a series of bars, on a stack where one is named.
func bars(name, colour, stack string, data any) option {
	s := option{"type": "bar", "name": name, "data": data, "itemStyle": option{"color": colour}, "barMaxWidth": 34}
	if stack != "" {
		s["stack"] = stack
	}
	return s
}

// band is two series that shade what lies between low and high.
func band(name, colour string, low, high []float64) []option {
	width := make([]float64, len(low))
	for i := range low {
		width[i] = high[i] - low[i]
	}
	none := option{"opacity": 0}
	base := option{"type": "line", "name": name + " ", "data": low, "stack": name, "symbol": "none", "lineStyle": none, "silent": true, "tooltip": option{"show": false}}
	area := option{
		"type": "line", "name": name, "data": width, "stack": name, "symbol": "none", "lineStyle": none, "silent": true,
		"areaStyle": option{"color": colour, "opacity": 0.22}, "itemStyle": option{"color": colour},
	}
	return []option{base, area}
}

func legend(names ...string) option {
	return option{"data": names, "top": 0, "left": 0, "icon": "roundRect", "itemWidth": 12, "itemHeight": 8}
}
