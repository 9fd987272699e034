package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// alertKinds are what alerts may be about.
var alertKinds = []string{
	"overdue", "late", "early", "broken_promise", "part_payments", "silent", "bad_address", "method_change", "rating_drop", "dispute_spike",
}

type alertsBody struct {
	*engine.AlertPage
	Status, Kind, Debtor string
	Current              bool // only those that are still true
	Statuses, Kinds      []string
	NextLink             string
	Tomorrow, NextWeek   string
}

// snoozeDays is how long a snooze without a day lasts.
const snoozeDays = 7

// alerts lists what changed, with filters.
func (c *console) alerts(v *visit) error {
	if v.Creditor == "" {
		return v.show(http.StatusOK, "alerts", v.T("Alerts"), nil)
	}
	q := v.r.URL.Query()
	body := &alertsBody{
		Status: q.Get("status"), Kind: q.Get("kind"), Debtor: strings.TrimSpace(q.Get("debtor")), Kinds: alertKinds,
		Statuses: []string{engine.AlertOpen, engine.AlertConfirmed, engine.AlertDismissed, engine.AlertSnoozed, engine.AlertRolledUp, ""},
	}
	body.Current = q.Get("current") == "1"
	if !q.Has("status") && !q.Has("cursor") {
		body.Status, body.Current = engine.AlertOpen, true
	}
	var err error
	body.AlertPage, err = c.engine.Alerts(v.r.Context(), engine.AlertQuery{
		Creditor: v.Creditor, Status: body.Status, Kind: body.Kind, Debtor: body.Debtor, Current: body.Current, AsOf: v.asOf, Cursor: q.Get("cursor"), Limit: perPage,
	})
	if err != nil {
		return err
	}
	if body.Next != "" {
		current := ""
		if body.Current {
			current = "1"
		}
		body.NextLink = v.Link("alerts", "current", current, "status", body.Status, "kind", body.Kind, "debtor", body.Debtor, "cursor", body.Next)
	}
	day := v.moment.In(v.loc)
	body.Tomorrow, body.NextWeek = day.AddDate(0, 0, 1).Format(time.DateOnly), day.AddDate(0, 0, snoozeDays).Format(time.DateOnly)
	return v.show(http.StatusOK, "alerts", v.T("Alerts"), body)
}

// judge gives one verdict on one alert or many, or takes verdicts back.
func (c *console) judge(v *visit) error {
	note, err := v.formText("note", false)
	if err != nil {
		return err
	}
	r := engine.VerdictRequest{Verdict: v.r.PostFormValue("verdict"), Note: note, By: v.actor(), AsOf: v.asOf}
	if r.Verdict == engine.AlertSnoozed {
		r.Until = v.moment.AddDate(0, 0, snoozeDays)
		if day := v.r.PostFormValue("until"); day != "" {
			if r.Until, err = time.ParseInLocation(time.DateOnly, day, v.loc); err != nil {
				return &engine.FieldError{Pointer: "/until", Detail: "is no day"}
			}
		}
	}
	ids := v.r.PostForm["alert"]
	if len(ids) == 0 || len(ids) > perPage {
		return &engine.FieldError{Pointer: "/alert", Detail: "is missing: choose one alert at least"}
	}
	for _, id := range ids { // all are the reader's, or none is judged
		if _, err := c.engine.Alert(v.r.Context(), v.Creditor, id, v.asOf); err != nil {
			return err
		}
	}
	var judged []string
	for _, id := range ids {
		_, err := c.engine.Verdict(v.r.Context(), id, v.Creditor, r)
		if errors.Is(err, ledger.ErrConflict) {
			continue // a group's alert tells it by now
		}
		if err != nil {
			return err
		}
		judged = append(judged, id)
	}
	done := map[string]string{
		engine.AlertConfirmed: "Confirmed.", engine.AlertDismissed: "Dismissed.", engine.AlertSnoozed: "Snoozed.", engine.AlertOpen: "Open again.",
	}[r.Verdict]
	if r.Verdict == engine.AlertOpen {
		return v.back(done)
	}
	return v.back(done, "undo", strings.Join(judged, ","))
}

// Range words the band in which an alert's value was expected.
func (v *visit) Range(a engine.Alert) string {
	if a.Expected.Low == a.Expected.High {
		return v.Days(a.Expected.Mid)
	}
	return v.Days(a.Expected.Low) + " – " + v.Days(a.Expected.High)
}
