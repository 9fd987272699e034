package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"rappel/api"
)

// What is left out has its default; what is 0 stays 0; what was put is what is
// got.
func TestCreditor(t *testing.T) {
	s := start(t)
	body := object{"name": "Acme", "capacities": object{"phone": 0}, "value": object{"annoyance": 0, "cost": object{"phone": 4.5}}, "cadence": nil}
	put := s.must(200, "PUT", "/v1/creditors/acme", body)
	got := s.must(200, "GET", "/v1/creditors/acme", nil)
	if !bytes.Equal(put.body, got.body) {
		t.Errorf("put answered %s, get %s", put.body, got.body)
	}
	c := into[struct {
		Timezone   string
		Capacities map[string]int
		Value      struct {
			LossRate  float64 `json:"loss_rate"`
			Annoyance float64
			Cost      map[string]float64
		}
		Cadence struct {
			GapDays int `json:"gap_days"`
		}
	}](t, got)
	if c.Timezone != "Europe/Brussels" || c.Capacities["phone"] != 0 || len(c.Capacities) != 1 || c.Value.LossRate != 0.014 ||
		c.Value.Annoyance != 0 || c.Value.Cost["phone"] != 4.5 || c.Value.Cost["letter"] != 1.6 || c.Cadence.GapDays != 2 {
		t.Errorf("settings %s", got.body)
	}
}

// An event counts once, whatever its second coming holds and in whichever form
// it is sent.
func TestEventsOnce(t *testing.T) {
	s := start(t)
	s.book(1)
	e := invoiceEvent("D-0", "i-once", days(-3), days(20), 10)
	first := into[receipt](t, s.must(200, "POST", "/v1/events", []object{e, e}))
	if first.Accepted != 1 || first.Duplicates != 1 {
		t.Errorf("twice in one body: %+v", first)
	}
	e["data"].(object)["amount"] = 99
	line, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	ndjson := with{"Content-Type", "application/x-ndjson; charset=utf-8"}
	second := into[receipt](t, s.must(200, "POST", "/v1/events", string(line)+"\n\nbad\n", ndjson))
	if second.Accepted != 0 || second.Duplicates != 1 || len(second.Rejected) != 1 || second.Rejected[0].Index != 1 || second.Rejected[0].Code != "bad_json" {
		t.Errorf("again, as a line beside a bad one: %+v", second)
	}
	balance := into[struct {
		Open float64 `json:"open_balance"`
	}](t, s.must(200, "GET", debtorPath("D-0", acme)+"&as_of="+days(0).UTC().Format(time.RFC3339), nil))
	if balance.Open != 110 {
		t.Errorf("open balance %v, want 100 and the 10 of the first coming", balance.Open)
	}
}

func TestRecommend(t *testing.T) {
	s := start(t)
	s.book(3)
	a := s.must(200, "POST", "/v1/recommendations", question("D-0", object{"channels": []string{"email", "sms"}, "alternatives": 20, "language": "fr", "horizon_days": nil}))
	d := into[decision](t, a)
	if d.Debtor != "D-0" || d.Action == "hold" || d.Propensity <= 0 || d.Propensity > 1 || !slices.Equal(d.Invoices, []string{"i-0-0"}) {
		t.Errorf("decision %s", a.body)
	}
	if bytes.Contains(a.body, []byte(`"channel":"phone"`)) {
		t.Errorf("phone is not among the channels asked for: %s", a.body)
	}
	logged := into[decision](t, s.must(200, "GET", "/v1/decisions/"+d.ID, nil))
	if logged.Status != "proposed" || logged.ID != d.ID || len(logged.Reviews) != 0 {
		t.Errorf("logged as %+v", logged)
	}
	again := s.must(200, "POST", "/v1/recommendations", question("D-0", object{"channels": []string{"email", "sms"}, "alternatives": 20, "language": "fr"}))
	if !bytes.Equal(a.body, again.body) {
		t.Errorf("the same question: %s, then %s", a.body, again.body)
	}
	paid := event("payment.received", "D-0", morning.Add(-time.Hour), object{"payment_id": "p-now", "invoice_id": "i-0-0", "amount": 100})
	s.must(200, "POST", "/v1/events", []object{paid})
	if h := into[decision](t, s.must(200, "POST", "/v1/recommendations", question("D-0"))); h.Action != "hold" || h.HoldReason != "NOTHING_DUE" {
		t.Errorf("right after the payment: %+v, want a hold", h)
	}
}

// The same Idempotency-Key is the same answer: one after the other, at once,
// and after a restart, whatever has happened since.
func TestIdempotency(t *testing.T) {
	s := start(t)
	s.book(2)
	key := with{"Idempotency-Key", "order-1"}
	const clients = 8
	answers := make([]string, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			// Each at its own moment: without the key the answers would differ.
			q := question("D-0", object{"as_of": morning.Add(time.Duration(i) * time.Minute)})
			answers[i] = string(s.call("POST", "/v1/recommendations", q, key).body)
		})
	}
	wg.Wait()
	if slices.Sort(answers); answers[0] != answers[clients-1] {
		t.Errorf("two answers to one key: %s and %s", answers[0], answers[clients-1])
	}
	s.must(200, "POST", "/v1/events", []object{event("case.opened", "D-0", days(-1), object{"case_id": "k", "kind": "dispute"})})
	p := into[problem](t, s.must(409, "POST", "/v1/recommendations", question("D-1"), key))
	if p.Code != "conflict" {
		t.Errorf("the key of another debtor's question: code %q", p.Code)
	}
	s.stop()
	r := open(t, s.path)
	r.admin = s.admin
	if got := string(r.must(200, "POST", "/v1/recommendations", question("D-0"), key).body); got != answers[0] {
		t.Errorf("after a restart %s, want %s", got, answers[0])
	}
}

// A batch is answered in the order of its ids, in three forms that tell the
// same decisions.
func TestBatch(t *testing.T) {
	s := start(t)
	s.book(12)
	paid := event("payment.received", "D-3", morning.Add(-time.Hour), object{"payment_id": "p-now", "invoice_id": "i-3-0", "amount": 103})
	s.must(200, "POST", "/v1/events", []object{paid})
	ask := func(debtors any, accept string) answer {
		return s.must(200, "POST", "/v1/recommendations/batch", object{"creditor_id": acme, "debtor_ids": debtors, "as_of": morning}, with{"Accept", accept})
	}
	ids := []string{"D-7", "D-1", "D-3"}
	list := into[[]decision](t, ask(ids, ""))
	for i, d := range list {
		if d.Debtor != ids[i] {
			t.Errorf("answer %d is for %s, want %s", i, d.Debtor, ids[i])
		}
	}
	if len(list) != 3 || list[2].Action != "hold" {
		t.Errorf("answers %+v", list)
	}
	if got := ask([]string{}, "").body; string(got) != "[]\n" {
		t.Errorf("for nobody: %q", got)
	}

	overdue := into[[]decision](t, ask("all_overdue", "application/json"))
	if len(overdue) != 11 || slices.ContainsFunc(overdue, func(d decision) bool { return d.Debtor == "D-3" }) {
		t.Errorf("%d are overdue, want all but D-3", len(overdue))
	}
	lines := bytes.Split(bytes.TrimSpace(ask("all_overdue", "application/x-ndjson").body), []byte("\n"))
	stream := ask("all_overdue", "application/vnd.apache.arrow.stream")
	records, err := ipc.NewReader(bytes.NewReader(stream.body))
	if err != nil {
		t.Fatal(err)
	}
	defer records.Release()
	var cells []string
	for records.Next() {
		b := records.RecordBatch()
		for i := range int(b.NumRows()) {
			cells = append(cells, b.Column(int(b.NumCols()-1)).(*array.String).Value(i))
		}
	}
	if len(lines) != len(overdue) || len(cells) != len(overdue) {
		t.Fatalf("%d lines, %d rows, want %d", len(lines), len(cells), len(overdue))
	}
	for i := range lines {
		if string(lines[i]) != cells[i] {
			t.Errorf("line %s, row %s", lines[i], cells[i])
		}
		if d := (decision{}); json.Unmarshal(lines[i], &d) != nil || d.ID != overdue[i].ID {
			t.Errorf("line %d is %s, want decision %s", i, lines[i], overdue[i].ID)
		}
	}
}

func TestReview(t *testing.T) {
	s := start(t)
	s.book(12)
	clerk := bearer(s.key(acme, "review"))
	var contacts []string
	for _, d := range into[[]decision](t, s.must(200, "POST", "/v1/recommendations/batch", object{"creditor_id": acme, "debtor_ids": "all_overdue", "as_of": morning})) {
		if d.Action == "contact" {
			contacts = append(contacts, d.ID)
			if !d.Approval {
				t.Errorf("%s needs no approval, the creditor's autonomy is approve", d.ID)
			}
		}
	}
	if len(contacts) < 4 {
		t.Fatalf("%d contacts, want 4 to review", len(contacts))
	}
	tests := []struct {
		verdict, status string
		body            any
	}{
		{"approve", "approved", nil},
		{"reject", "rejected", object{"note": "de beurs"}},
		{"override", "overridden", object{"channel": "phone", "send_at": morning.Add(4 * time.Hour), "note": nil}},
	}
	for i, tt := range tests {
		path := "/v1/decisions/" + contacts[i]
		d := into[decision](t, s.must(200, "POST", path+"/"+tt.verdict, tt.body, clerk))
		if d.Status != tt.status || len(d.Reviews) != 1 || d.Reviews[0].Verdict != tt.verdict || !strings.HasPrefix(d.Reviews[0].Actor, "key_") {
			t.Errorf("%s: %+v", tt.verdict, d)
		}
		got := s.must(200, "GET", path+"?creditor_id="+acme, nil)
		if l := into[decision](t, got); l.Status != tt.status {
			t.Errorf("%s is logged as %s", tt.verdict, got.body)
		}
		other := tests[(i+1)%3]
		s.must(409, "POST", path+"/"+other.verdict, other.body, clerk)
	}
	override := "/v1/decisions/" + contacts[3] + "/override"
	s.must(422, "POST", override, object{}, clerk)
	s.must(422, "POST", override, object{"channel": "fax"}, clerk)
	s.must(422, "POST", override, object{"send_at": days(-9)}, clerk)
	s.must(404, "GET", "/v1/decisions/"+contacts[0]+"?creditor_id=other", nil, clerk)
}

// Erasure leaves nothing of a debtor: not in the answers, not in a table, not
// in what was learnt, not after a restart.
func TestErase(t *testing.T) {
	s := start(t)
	s.book(3)
	const gone = "D/1 é" // an id may hold anything that can be shown
	var events []object
	for _, e := range history(2) {
		if e["debtor_id"] == "D-1" {
			e["debtor_id"] = gone
			data := e["data"].(object)
			for _, name := range []string{"invoice_id", "payment_id", "contact_id"} {
				if v, ok := data[name]; ok {
					data[name] = v.(string) + "-gone"
				}
			}
			delete(data, "invoice_ids")
			events = append(events, e)
		}
	}
	events = append(events, event("case.opened", gone, days(-3), object{"case_id": "k-gone", "kind": "promise", "expires_on": "2026-03-01"}),
		event("rating.changed", gone, days(-3), object{"provider": "gone", "score": 3}))
	s.must(200, "POST", "/v1/events", events)
	s.must(200, "POST", "/v1/learn", object{"creditor_id": acme, "as_of": morning.Add(time.Hour)})
	d := into[decision](t, s.must(200, "POST", "/v1/recommendations", question(gone)))
	s.must(200, "GET", debtorPath(gone, acme), nil)
	kept := s.must(200, "GET", debtorPath("D-0", acme)+"&as_of="+days(1).UTC().Format(time.RFC3339), nil)

	s.must(204, "DELETE", debtorPath(gone, acme), nil)
	check := func(s *server) {
		t.Helper()
		s.must(404, "GET", debtorPath(gone, acme), nil)
		s.must(404, "POST", "/v1/recommendations", question(gone))
		s.must(404, "GET", "/v1/decisions/"+d.ID, nil)
		after := s.must(200, "GET", debtorPath("D-0", acme)+"&as_of="+days(1).UTC().Format(time.RFC3339), nil)
		if a, b := into[object](t, kept), into[object](t, after); !reflect.DeepEqual(a["timeline"], b["timeline"]) {
			t.Errorf("another debtor's timeline changed")
		}
	}
	check(s)
	for _, table := range tables(t, s) {
		var n int
		if err := s.store.DB().QueryRowContext(t.Context(), fmt.Sprintf("SELECT count(*) FROM %q t WHERE CAST(t AS VARCHAR) LIKE '%%gone%%' OR CAST(t AS VARCHAR) LIKE '%%%s%%'", table, gone)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n != 0 {
			t.Errorf("table %s still holds %d rows of the debtor", table, n)
		}
	}
	var states, naming int
	if err := s.store.DB().QueryRowContext(t.Context(), "SELECT count(*), count(*) FILTER (CAST(state AS VARCHAR) LIKE '%D/1%') FROM learned_states").Scan(&states, &naming); err != nil {
		t.Fatal(err)
	}
	if states != 1 || naming != 0 {
		t.Errorf("%d learnt states, %d name the debtor, want 1 and 0", states, naming)
	}
	s.stop()
	r := open(t, s.path)
	r.admin = s.admin
	check(r)
}

func tables(t *testing.T, s *server) (list []string) {
	t.Helper()
	rows, err := s.store.DB().QueryContext(t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_catalog = current_database()")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// A stop lets the requests under way finish, and takes no new ones.
func TestGracefulStop(t *testing.T) {
	s := start(t)
	s.book(300)
	body, err := json.Marshal(object{"creditor_id": acme, "debtor_ids": "all_overdue", "as_of": morning})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url+"/v1/recommendations/batch", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.admin)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	go s.stop() // while the stream runs
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(into[[]decision](t, answer{body: text})); got != 300 {
		t.Errorf("%d decisions of 300", got)
	}
	s.stop()
	if _, err := http.Get(s.url + "/healthz"); err == nil { //nolint:bodyclose // there is none
		t.Error("the server still answers")
	}
}

// A key is told once, works at once, and ends at once.
func TestKeys(t *testing.T) {
	s := start(t)
	s.must(200, "PUT", "/v1/creditors/acme", object{})
	made := into[struct {
		Key, ID  string
		Creditor string `json:"creditor_id"`
		Scopes   []string
	}](t, s.must(201, "POST", "/v1/keys", object{"creditor_id": acme, "scopes": []string{"admin", "review"}}))
	mine := bearer(made.Key)
	if made.Creditor != acme || len(made.Scopes) != 2 {
		t.Errorf("made %+v", made)
	}
	child := into[struct{ ID, Key string }](t, s.must(201, "POST", "/v1/keys", object{}, mine))
	type page struct {
		Keys []struct{ ID string }
		Next string `json:"next_cursor"`
	}
	first := into[page](t, s.must(200, "GET", "/v1/keys?limit=1", nil, mine))
	rest := into[page](t, s.must(200, "GET", "/v1/keys?cursor="+first.Next, nil, mine))
	if len(first.Keys) != 1 || len(rest.Keys) != 1 || first.Keys[0].ID != made.ID || rest.Keys[0].ID != child.ID || rest.Next != "" {
		t.Errorf("pages %+v and %+v, want the two keys of the creditor", first, rest)
	}
	s.must(200, "GET", "/v1/creditors/acme", nil, bearer(child.Key))
	s.must(204, "DELETE", "/v1/keys/"+child.ID, nil, mine)
	s.must(401, "GET", "/v1/creditors/acme", nil, bearer(child.Key))
}

// The pages of the server itself need no key.
func TestOpenPages(t *testing.T) {
	s := start(t)
	nobody := with{"Authorization", ""}
	s.must(200, "GET", "/healthz", nil, nobody)
	s.must(200, "GET", "/readyz", nil, nobody)
	if got := s.must(200, "GET", "/openapi.yaml", nil, nobody); !bytes.Equal(got.body, api.Spec) {
		t.Error("/openapi.yaml is not the document")
	}
	docs := s.must(200, "GET", "/docs", nil, nobody)
	if csp := docs.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	for _, want := range []string{"/v1/recommendations/batch", `id="Decision"`, "paid_7d_without"} {
		if !bytes.Contains(docs.body, []byte(want)) {
			t.Errorf("/docs lacks %q", want)
		}
	}
	for _, outside := range []string{"src=", `href="http`, `href="//`, "url(", "@import"} {
		if bytes.Contains(docs.body, []byte(outside)) {
			t.Errorf("/docs holds %q", outside)
		}
	}
	metrics := string(s.must(200, "GET", "/metrics", nil, nobody).body)
	if !strings.Contains(metrics, `rappel_http_request_seconds_count{method="GET",route="/docs",status="200"} 1`) {
		t.Errorf("/metrics: %s", metrics)
	}
}
