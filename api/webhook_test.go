package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"rappel/api"
)

// listener is a subscriber that refuses its first messages.
type listener struct {
	*httptest.Server
	secret string
	mu     sync.Mutex
	refuse int
	heard  []string // types of verified messages
	ids    []string
	faults []string
}

func listen(t *testing.T, refuse int) *listener {
	l := &listener{refuse: refuse}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			l.faults = append(l.faults, err.Error())
		}
		if l.refuse != 0 {
			l.refuse--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		verifier, err := standardwebhooks.NewWebhook(l.secret)
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		var message struct {
			Type      string    `json:"type"`
			Timestamp time.Time `json:"timestamp"`
			Data      struct {
				Creditor string `json:"creditor_id"`
			} `json:"data"`
		}
		if err == nil {
			err = json.Unmarshal(body, &message)
		}
		if err != nil {
			l.faults = append(l.faults, err.Error())
		}
		if message.Data.Creditor != "acme" || message.Timestamp.IsZero() {
			l.faults = append(l.faults, string(body))
		}
		l.heard, l.ids = append(l.heard, message.Type), append(l.ids, r.Header.Get("webhook-id"))
	}))
	t.Cleanup(l.Close)
	return l
}

// waitFor waits until the listener has heard n messages.
func (l *listener) waitFor(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		heard, faults := len(l.heard), l.faults
		l.mu.Unlock()
		if len(faults) > 0 {
			t.Fatalf("heard what cannot be: %v", faults)
		}
		if heard >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("heard %d messages, want %d", heard, n)
		}
	}
}

func quickly(waits int) option {
	return func(c *api.Config) { c.HookWaits = slices.Repeat([]time.Duration{time.Millisecond}, waits) }
}

// alarming posts a debtor whose rating falls, and learns.
func alarming(s *server) {
	s.call("PUT", "/v1/creditors/acme", `{}`).want(200)
	s.call("POST", "/v1/events", `[
		{"id":"e1","type":"debtor.upserted","time":"2026-03-01T08:00:00Z","creditor_id":"acme","debtor_id":"D1","data":{"kind":"business","language":"nl","channels":[{"channel":"email","reachable":true}]}},
		{"id":"e2","type":"invoice.issued","time":"2026-03-01T09:00:00Z","creditor_id":"acme","debtor_id":"D1","data":{"invoice_id":"i1","issued_at":"2026-03-01T09:00:00Z","due_on":"2026-03-10","amount":150,"currency":"EUR"}},
		{"id":"e3","type":"rating.changed","time":"2026-03-02T08:00:00Z","creditor_id":"acme","debtor_id":"D1","data":{"provider":"p","score":80}},
		{"id":"e4","type":"rating.changed","time":"2026-03-12T08:00:00Z","creditor_id":"acme","debtor_id":"D1","data":{"provider":"p","score":30}}]`).want(200)
	s.call("POST", "/v1/learn", `{"creditor_id":"acme","as_of":"2026-03-13T06:00:00Z"}`).want(200)
}

func (a answer) want(status int) answer {
	if a.StatusCode != status {
		panic(string(a.body))
	}
	return a
}

func parse[T any](t *testing.T, a answer) (v T) {
	t.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

type alertList struct {
	Alerts []struct {
		ID     string `json:"id"`
		Kind   string `json:"kind"`
		Status string `json:"status"`
	} `json:"alerts"`
	Next  string `json:"next_cursor"`
	Total int    `json:"total"`
}

// TestAlertRoutes: the list, one alert, verdicts, the debtor's alerts; another
// creditor's alert does not exist.
func TestAlertRoutes(t *testing.T) {
	s := start(t)
	alarming(s)
	list := parse[alertList](t, s.call("GET", "/v1/alerts?creditor_id=acme&status=open&limit=1", nil).want(200))
	if len(list.Alerts) != 1 || list.Alerts[0].Kind != "rating_drop" {
		t.Fatalf("%+v", list)
	}
	id := list.Alerts[0].ID
	s.call("PUT", "/v1/creditors/other", `{}`).want(200)
	other := with{"Authorization", "Bearer " + s.key("other")}
	for _, path := range []string{"/v1/alerts?creditor_id=acme", "/v1/alerts/" + id} {
		if a := s.call("GET", path, nil, other); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s with another creditor's key: %d", path, a.StatusCode)
		}
	}
	if a := s.call("POST", "/v1/alerts/"+id+"/verdict", `{"verdict":"dismissed"}`, other); a.StatusCode != http.StatusNotFound {
		t.Errorf("verdict with another creditor's key: %d", a.StatusCode)
	}
	for _, body := range []string{`{}`, `{"verdict":"maybe"}`, `{"verdict":"snoozed"}`, `{"verdict":"confirmed","until":"2030-01-01T00:00:00Z"}`} {
		if a := s.call("POST", "/v1/alerts/"+id+"/verdict", body); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", body, a.StatusCode)
		}
	}
	if a := s.call("GET", "/v1/alerts?creditor_id=acme&cursor=nonsense", nil); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a cursor that was never answered: %d", a.StatusCode)
	}
	s.call("POST", "/v1/alerts/"+id+"/verdict", `{"verdict":"confirmed","note":"called them"}`).want(200)
	for query, want := range map[string]int{
		"current=true&as_of=2026-03-20T06:00:00Z":  1, // raised on 13 March
		"current=true&as_of=2026-05-20T06:00:00Z":  0, // more than sixty days ago
		"current=false&as_of=2026-05-20T06:00:00Z": 1,
		"as_of=2026-05-20T06:00:00Z":               1,
	} {
		if list := parse[alertList](t, s.call("GET", "/v1/alerts?creditor_id=acme&"+query, nil).want(200)); list.Total != want || len(list.Alerts) != want {
			t.Errorf("%s: %+v, want %d", query, list, want)
		}
	}
	if a := s.call("GET", "/v1/alerts?creditor_id=acme&current=perhaps", nil); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("current=perhaps: %d", a.StatusCode)
	}
	if list := parse[alertList](t, s.call("GET", "/v1/alerts?creditor_id=acme&status=confirmed", nil).want(200)); list.Total != 1 {
		t.Errorf("%+v", list)
	}
	debtor := parse[alertList](t, s.call("GET", "/v1/debtors/D1?creditor_id=acme", nil).want(200))
	if len(debtor.Alerts) != 1 || debtor.Alerts[0].Status != "confirmed" {
		t.Errorf("alerts of the debtor: %+v", debtor.Alerts)
	}
	var audited int
	if err := s.store.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM audit_log WHERE object = ? AND action = 'alert confirmed'", id).Scan(&audited); err != nil || audited != 1 {
		t.Errorf("audit log: %d, %v", audited, err)
	}
}

// TestWebhooks: alerts and decisions are told, signed, and again after an
// attempt that failed; the dead letters are seen and can be sent again.
func TestWebhooks(t *testing.T) {
	s := start(t, quickly(3))
	s.call("PUT", "/v1/creditors/acme", `{}`).want(200)
	good, bad := listen(t, 2), listen(t, 1000)
	subscribe := func(l *listener, types string) string {
		w := parse[struct {
			ID     string `json:"webhook_id"`
			Secret string `json:"secret"`
		}](t, s.call("POST", "/v1/webhooks", `{"creditor_id":"acme","url":"`+l.URL+`","types":`+types+`}`).want(201))
		l.secret = w.Secret
		return w.ID
	}
	subscribe(good, `["alert.opened","decision.proposed"]`)
	dead := subscribe(bad, `["alert.opened"]`)
	alarming(s)
	s.call("POST", "/v1/recommendations", `{"creditor_id":"acme","debtor_id":"D1","as_of":"2026-03-20T06:00:00Z"}`).want(200)
	good.waitFor(t, 2)
	if !slices.Contains(good.heard, "alert.opened") || !slices.Contains(good.heard, "decision.proposed") {
		t.Errorf("heard %v", good.heard)
	}
	type letters struct {
		Messages []struct {
			State    string `json:"state"`
			Attempts int    `json:"attempts"`
			Status   int    `json:"last_status"`
		} `json:"messages"`
	}
	var list letters
	for end := time.Now().Add(30 * time.Second); len(list.Messages) == 0 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		list = parse[letters](t, s.call("GET", "/v1/webhooks/"+dead+"/messages?state=dead", nil).want(200))
	}
	if len(list.Messages) != 1 || list.Messages[0].Attempts != 4 || list.Messages[0].Status != 503 {
		t.Fatalf("dead letters: %+v", list)
	}
	bad.mu.Lock()
	bad.refuse = 0
	bad.mu.Unlock()
	s.call("POST", "/v1/webhooks/"+dead+"/revive", nil).want(200)
	bad.waitFor(t, 1)
	if a := s.call("GET", "/v1/webhooks/"+dead+"/messages", nil, with{"Authorization", "Bearer " + s.key("other")}); a.StatusCode != http.StatusNotFound {
		t.Errorf("another creditor's subscriber: %d", a.StatusCode)
	}
	s.call("DELETE", "/v1/webhooks/"+dead, nil).want(204)
	s.call("GET", "/v1/webhooks", nil).want(200)
	for _, body := range []string{`{"url":"ftp://x"}`, `{"url":"http://x","types":["all"]}`, `{"url":"http://x","secret":"short"}`} {
		if a := s.call("POST", "/v1/webhooks", body); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", body, a.StatusCode)
		}
	}
}

// TestMessagesOutliveTheServer: what could not be sent before a stop is sent
// after it.
func TestMessagesOutliveTheServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	s := open(t, path, quickly(10_000))
	s.admin = s.key("")
	s.call("PUT", "/v1/creditors/acme", `{}`).want(200)
	l := listen(t, -1) // refuses everything until it is told otherwise
	w := parse[struct {
		Secret string `json:"secret"`
	}](t, s.call("POST", "/v1/webhooks", `{"creditor_id":"acme","url":"`+l.URL+`","types":["alert.opened"]}`).want(201))
	l.secret = w.Secret
	alarming(s)
	s.stop()
	l.mu.Lock()
	l.refuse = 0
	l.mu.Unlock()
	open(t, path, quickly(9))
	l.waitFor(t, 1)
}

// TestPublicHooks: a server told so speaks to no private address.
func TestPublicHooks(t *testing.T) {
	s := start(t, quickly(0), func(c *api.Config) { c.PublicHooks = true })
	s.call("PUT", "/v1/creditors/acme", `{}`).want(200)
	l := listen(t, 0)
	w := parse[struct {
		ID string `json:"webhook_id"`
	}](t, s.call("POST", "/v1/webhooks", `{"creditor_id":"acme","url":"`+l.URL+`"}`).want(201))
	alarming(s)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		list := parse[struct {
			Messages []struct {
				Error string `json:"last_error"`
			} `json:"messages"`
		}](t, s.call("GET", "/v1/webhooks/"+w.ID+"/messages?state=dead", nil).want(200))
		if len(list.Messages) > 0 {
			if len(l.heard) > 0 || list.Messages[0].Error == "" {
				t.Errorf("heard %v, %+v", l.heard, list)
			}
			return
		}
	}
	t.Fatal("no dead letter")
}
