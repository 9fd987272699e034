package engine

import (
	"testing"
	"time"
)

// Who replays the past is not overtaken by the server's own learning.
func TestReplayKeepsItsPace(t *testing.T) {
	o := newOffice(t)
	now := time.Now()
	stale := func(want bool, when string) {
		t.Helper()
		if got := o.Stale("c", now); got != want {
			t.Errorf("%s: learns by itself %v, want %v", when, got, want)
		}
	}
	day := func(ago int) time.Time { return now.AddDate(0, 0, -ago).Truncate(time.Second) }
	issue := func(id string, ago int) {
		at := day(ago).UTC()
		o.tell("d", `invoice.issued `+at.Format(time.RFC3339)+` {"invoice_id":"`+id+`","issued_at":"`+at.Format(time.RFC3339)+
			`","due_on":"`+at.AddDate(0, 0, 7).Format(time.DateOnly)+`","amount":100,"currency":"EUR"}`)
	}
	stale(false, "empty book")
	issue("a", 200)
	stale(false, "only what is long ago")
	o.ask("d", day(190))
	issue("b", 20)
	stale(false, "asked as of a moment of the past")
	o.learn(day(180))
	o.learn(day(2))
	stale(false, "learning as of the past")
	o.ask("d", now)
	stale(true, "asked at present")
	o.learn(now)
	o.ask("d", day(100))
	issue("c", 1)
	now = now.Add(time.Minute)
	stale(true, "a look back at what was learnt long since")
}
