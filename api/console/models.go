package console

import (
	"net/http"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/engine"
)

type modelsBody struct {
	Serving string
	Learned time.Time
	Models  []engine.ModelInfo
	Figures []*figure
	Before  bool // there is one to go back to
}

// metricNames are the scores of a manifest, in order.
var metricNames = []string{"concordance", "brier_28d", "calibration_28d", "mae_days"}

// Metrics are the names of the scores that a manifest keeps.
func (v *visit) Metrics() []string { return metricNames }

// models shows which models there are, how good they were, and how far the
// debtors have moved since.
func (c *console) models(v *visit) error {
	if v.Creditor == "" {
		return v.show(http.StatusOK, "today", v.T("Models"), nil)
	}
	body := modelsBody{}
	var err error
	if body.Serving, body.Learned, err = c.engine.Serving(v.Creditor); err != nil {
		return err
	}
	if body.Models, err = c.engine.Models(v.r.Context()); err != nil {
		return err
	}
	for i := range body.Models {
		m := &body.Models[i]
		body.Before = body.Before || m.Status == "retired" && m.PromotedAt != nil
		if m.ID != body.Serving || m.Manifest == nil {
			continue
		}
		f, err := c.modelFigure(v, "calibration", m.ID)
		if err != nil {
			return err
		}
		body.Figures = append(body.Figures, f, &figure{ID: "drift", Title: v.T("Drift of features"), Later: true, debtor: m.ID})
	}
	return v.show(http.StatusOK, "models", v.T("Models"), body)
}

// driftsShown is how many features the chart of drift names.
const driftsShown = 15

// modelFigure is the calibration of a model, or how far its features moved. id
// names the model.
func (c *console) modelFigure(v *visit, name, id string) (*figure, error) {
	f := &figure{ID: name, debtor: id, Empty: v.T("Nothing is known yet.")}
	if name == "calibration" {
		list, err := c.engine.Models(v.r.Context())
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list, func(m engine.ModelInfo) bool { return m.ID == id })
		if i < 0 || list[i].Manifest == nil {
			return nil, ledger.ErrNotFound
		}
		f.Title, f.unit = v.T("Calibration on the holdout"), "percent"
		f.Note = v.T("Invoices of the end of the data window, in tenths by the foretold chance of being paid within the horizon. On the line, what came is what was foretold.")
		f.Head = []string{v.T("Foretold"), v.T("Came"), v.T("Invoices")}
		var points [][2]float64
		for _, t := range list[i].Manifest.Tenths {
			if t.N == 0 {
				continue
			}
			points = append(points, [2]float64{t.Told, t.Came})
			f.Rows = append(f.Rows, []cell{v.percentCell(t.Told), v.percentCell(t.Came), v.countCell(t.N)})
			f.tips = append(f.tips, v.T("Foretold")+" "+v.Percent(t.Told)+"\n"+v.T("Came")+" "+v.Percent(t.Came)+"\n"+v.T("Invoices")+" "+v.Count(t.N))
		}
		if len(points) == 0 {
			return f, nil
		}
		f.option = option{
			"xAxis": option{"type": "value", "min": 0, "max": 1, "name": v.T("Foretold"), "nameLocation": "middle", "nameGap": 26},
			"yAxis": option{"type": "value", "min": 0, "max": 1},
			"series": []option{
				{"type": "line", "data": [][2]float64{{0, 0}, {1, 1}}, "symbol": "none", "lineStyle": option{"color": "--line-strong", "type": "dashed", "width": 1}, "silent": true, "tooltip": option{"show": false}},
				{"type": "line", "data": points, "symbol": "circle", "symbolSize": 9, "showSymbol": true, "lineStyle": option{"color": "--accent"}, "itemStyle": option{"color": "--accent"}},
			},
			"tooltip": option{"trigger": "item"},
		}
		return f, nil
	}
	type drift struct {
		from time.Time
		list []engine.Drift
	}
	d, err := remember(c, v, "drift "+id, func() (d drift, err error) {
		d.from, d.list, err = c.engine.Drifts(v.r.Context(), v.Creditor, id, v.asOf)
		return d, err
	})
	if err != nil {
		return nil, err
	}
	f.Title, f.unit, f.Shape = v.T("Drift of features"), "number", "tall"
	f.Note = v.T("How far the debtors of today lie from those of %s, when the data of the model end: the population stability index. Below 0.1 little has changed, above 0.25 much: train anew.", v.Date(d.from.In(v.loc)))
	f.Head = []string{v.T("Feature"), "PSI", v.T("Median then"), v.T("Median now")}
	var names []string
	var data []option
	for i, x := range d.list {
		f.Rows = append(f.Rows, []cell{text(x.Feature), v.numberCell(x.PSI, 3), v.numberCell(x.Then, 2), v.numberCell(x.Now, 2)})
		if i >= driftsShown {
			continue
		}
		colour := "--good"
		if x.PSI > 0.25 {
			colour = "--bad"
		} else if x.PSI > 0.1 {
			colour = "--warn"
		}
		names = append(names, x.Feature)
		data = append(data, option{"value": x.PSI, "itemStyle": option{"color": colour}})
		f.tips = append(f.tips, x.Feature+"\nPSI "+v.Number(x.PSI, 3)+"\n"+v.Number(x.Then, 2)+" → "+v.Number(x.Now, 2))
	}
	f.option = option{
		"xAxis": option{"type": "value", "min": 0}, "yAxis": option{"type": "category", "data": names, "inverse": true, "axisTick": option{"show": false}},
		"series": []option{{"type": "bar", "data": data, "barMaxWidth": 18}}, "tooltip": option{"trigger": "item"},
	}
	return f, nil
}
