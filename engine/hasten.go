package engine

import (
	"time"

	"rappel/datasets/ledger"
	"rappel/models/response"
)

// Hastened is what the best contact within reach does to the survival curve.
type Hastened struct {
	Channel  string    `json:"channel"`
	SendAt   time.Time `json:"send_at"`
	Survival []float64 `json:"survival"` // P(unpaid) at the end of each coming day
	// DaysToPay is the expected days until payment, at most the horizon of 28.
	DaysToPay float64 `json:"days_to_pay"`
}

// hasten decides q by the models, without logging it, and returns the curve
// with the best contact among the candidates; nil where none may be sent. It
// leaves the curve without contact in s.surv.
func (s *scratch) hasten(q *question) *Hastened {
	v := decide(s, q)
	if v.hold != "" {
		return nil
	}
	best := -1
	for i := range v.cands {
		if c := &v.cands[i]; !c.wait && (best < 0 || c.mean > v.cands[best].mean) {
			best = i
		}
	}
	if best < 0 || v.cands[best].gain <= 0 {
		return nil
	}
	c := &v.cands[best]
	fire := min(max(s.effect(c)/c.gain, 0), 1)
	h := &Hastened{Channel: ledger.ChannelNames[c.channel], SendAt: time.Unix(c.at, 0).In(s.f.loc), Survival: make([]float64, len(s.surv))}
	lag := q.learned.model.Response.Lag[int(c.channel)*response.Lags:][:response.Lags]
	soon := 0.0
	for t := range h.Survival {
		if u := t - c.day; u >= 0 && u < len(lag) {
			soon += lag[u]
		}
		h.Survival[t] = s.surv[t] * (1 - fire*min(soon, 1))
	}
	return h
}
