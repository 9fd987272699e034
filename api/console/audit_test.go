package console

import (
	"slices"
	"strings"
	"testing"

	"rappel/engine"
)

// TestEveryActIsInTheAuditLog posts every form that there is, and looks for who
// did it in the audit log.
func TestEveryActIsInTheAuditLog(t *testing.T) {
	d := newDesk(t, Config{})
	d.owes("acme", "D-1", 900)
	decision := d.recommend("acme", "D-1")
	if _, err := d.engine.CreateUser(t.Context(), engine.User{Name: "piet", Creditor: "acme", Role: "analyst"}, "correct horse", "test"); err != nil {
		t.Fatal(err)
	}
	_, key, err := d.engine.CreateKey(t.Context(), "acme", []string{"review"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	d.tell("acme", "D-1", `rating.changed 2026-01-02T08:00:00Z {"provider":"p","score":80}`, `rating.changed 2026-02-20T08:00:00Z {"provider":"p","score":30}`)
	if err := d.engine.Watch(t.Context(), "acme", morning); err != nil {
		t.Fatal(err)
	}
	alerts, err := d.engine.Alerts(t.Context(), engine.AlertQuery{Creditor: "acme"})
	if err != nil || len(alerts.Alerts) != 1 {
		t.Fatalf("alerts %+v, %v", alerts, err)
	}
	r := d.as("acme", "admin")
	var posted []string
	for _, act := range []struct {
		path, did string
		pairs     []string
	}{
		{"taste", "set taste", []string{"language", "fr", "theme", "dark"}},
		{"clock", "look from", []string{"day", "2026-03-01"}},
		{"clock", "look from", []string{"day", ""}},
		{"alerts", "alert confirmed", []string{"verdict", "confirmed", "alert", alerts.Alerts[0].ID}},
		{"decision", "approve", []string{"verdict", "approve", "decision", decision.ID}},
		{"recommend", "recommend", []string{"id", "D-1"}},
		{"hold", "hold", []string{"id", "D-1", "reason", "x", "until", "2026-12-31"}},
		{"release", "release", []string{"id", "D-1"}},
		{"note", "note", []string{"id", "D-1", "text", "x"}},
		{"settings", "change settings", []string{"autonomy", "auto"}},
		{"key", "create key", []string{"scope", "review"}},
		{"key/revoke", "revoke key", []string{"key", key.ID}},
		{"user", "create user", []string{"name", "jan", "role", "analyst", "password", "correct horse"}},
		{"user/change", "change user", []string{"name", "piet", "do", "disable"}},
		{"sign-out", "sign out", nil},
	} {
		before := d.did("admin.acme")
		r.send("/console/"+act.path, act.pairs...)
		after := d.did("admin.acme")
		if len(after) <= len(before) || !slices.Contains(after[:len(after)-len(before)], act.did) {
			t.Errorf("%s %v is not in the audit log as %q: %v", act.path, act.pairs, act.did, after)
		}
		posted = append(posted, act.path)
	}
	for _, route := range d.console.routes() {
		// Who signs in is in TestSignIn; models are the engine's registry, which writes down who promoted.
		if route.method == "POST" && !slices.Contains(posted, route.path) && !slices.Contains([]string{"sign-in", "model"}, route.path) {
			t.Errorf("%s is posted by no line of this table", route.path)
		}
	}
}

// did lists what a user did, newest first.
func (d *desk) did(name string) (list []string) {
	d.t.Helper()
	rows, err := d.store.DB().QueryContext(d.t.Context(), "SELECT action FROM audit_log WHERE actor = ? ORDER BY rowid DESC", engine.ActorOf(name))
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var action string
		if err := rows.Scan(&action); err != nil {
			d.t.Fatal(err)
		}
		list = append(list, strings.TrimSpace(action))
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return list
}
