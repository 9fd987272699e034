package api_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
)

// refused asks in process with any body at all.
func refused(f *testing.F, method, path string, kinds []string, seeds ...string) {
	f.Helper()
	s := start(f)
	s.book(2)
	for _, seed := range append(seeds, "", "null", "{}", "[]", `"`, "[[[[", "{\"a\":", "\x00", "\xff\xfe", `{"creditor_id":1e999}`, `{"":[]}`, `[{"id":"\ud800"}]`) {
		f.Add(byte(0), []byte(seed))
		f.Add(byte(1), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		req := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+s.admin)
		req.Header.Set("Content-Type", kinds[int(kind)%len(kinds)])
		s.answers(t, req, body)
	})
}

// answers demands what holds of every answer: no panic, no 5xx, and each refusal as
// the document has it.
func (s *server) answers(t *testing.T, req *http.Request, body []byte) {
	t.Helper()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	resp := rec.Result()
	defer resp.Body.Close()
	if resp.StatusCode >= 500 {
		t.Fatalf("status %d: %s", resp.StatusCode, rec.Body)
	}
	if resp.StatusCode >= 300 && resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("status %d of type %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if err := conforms(req, body, answer{resp, rec.Body.Bytes()}); err != nil {
		t.Fatal(err)
	}
}

var onlyJSON = []string{"application/json"}

func FuzzEvents(f *testing.F) {
	refused(f, "POST", "/v1/events", []string{"application/json", "application/x-ndjson"},
		`[{"id":"e","type":"contact.opened","time":"2026-03-03T15:12:09+01:00","creditor_id":"acme","debtor_id":"D-1","data":{"channel":"sms"}}]`,
		`[{"id":"f","type":"invoice.issued","time":"2026-03-03T15:12:09Z","creditor_id":"acme","debtor_id":"D-1","data":{"invoice_id":"i","due_on":"2026-04-01","amount":"12.50","currency":"EUR"}}]`,
		`[{"id":"g","type":"debtor.upserted","time":"2026-03-03T15:12:09Z","creditor_id":"acme","debtor_id":"D-2","data":{"kind":"consumer","timezone":"Europe/Paris","channels":[{"channel":"sms","consent":null}]}}]`,
		`[{"id":"h","type":"case.opened","time":"2026-03-03T15:12:09Z","creditor_id":"acme","debtor_id":"D-2","data":{"case_id":"c","kind":"dispute","expires_on":"0000-01-01"}}]`)
}

func FuzzRecommend(f *testing.F) {
	refused(f, "POST", "/v1/recommendations", onlyJSON,
		`{"creditor_id":"acme","debtor_id":"D-0","as_of":"2026-03-02T06:00:00+01:00","horizon_days":7,"channels":["email"],"alternatives":3,"language":"nl"}`,
		`{"creditor_id":"acme","debtor_id":"D-1","as_of":"2200-12-31T23:59:59-12:00","channels":[]}`)
}

func FuzzBatch(f *testing.F) {
	refused(f, "POST", "/v1/recommendations/batch", onlyJSON,
		`{"creditor_id":"acme","debtor_ids":"all_overdue","as_of":"2026-03-02T06:00:00+01:00"}`,
		`{"creditor_id":"acme","debtor_ids":["D-0","D-0"],"as_of":"1970-01-01T00:00:00Z"}`)
}

func FuzzCreditor(f *testing.F) {
	refused(f, "PUT", "/v1/creditors/new", onlyJSON,
		`{"name":"N","country":"NL","timezone":"Europe/Amsterdam","autonomy":"approve","control_share":0.1,"policy_pack":"nl-b2b","capacities":{"phone":3},"value":{"cost":{"sms":0.1}},"ladder":[{"day":1,"channel":"sms","tone":"formal"}]}`,
		`{"approval_above":1e308,"control_share":-0.0,"cadence":{"gap_days":9223372036854775807}}`)
}

func FuzzReview(f *testing.F) {
	refused(f, "POST", "/v1/decisions/none/override", onlyJSON, `{"channel":"phone","send_at":"2026-03-05T10:00:00+01:00","note":"n"}`)
}

func FuzzLearn(f *testing.F) {
	refused(f, "POST", "/v1/learn", onlyJSON, `{"creditor_id":"acme","as_of":"2026-03-01T06:00:00+01:00"}`, `{"creditor_id":"none"}`)
}

func FuzzModel(f *testing.F) {
	refused(f, "POST", "/v1/models", onlyJSON, `{"path":"../../etc"}`, `{"path":"\u0000"}`)
}

func FuzzKey(f *testing.F) {
	refused(f, "POST", "/v1/keys", onlyJSON, `{"creditor_id":"acme","scopes":["ingest","ingest"]}`)
}

func FuzzPlan(f *testing.F) {
	refused(f, "POST", "/v1/plans", onlyJSON,
		`{"creditor_id":"acme","date":"2026-03-02","capacity":{"phone":3,"letter":0},"budget_eur":250}`,
		`{"creditor_id":"acme","date":"0000-01-01","capacity":{"pigeon":-1},"budget_eur":-1}`)
}

func FuzzVerdict(f *testing.F) {
	refused(f, "POST", "/v1/alerts/none/verdict", onlyJSON,
		`{"verdict":"snoozed","until":"2026-04-01T06:00:00+01:00","note":"n"}`, `{"verdict":"confirmed"}`)
}

func FuzzWebhook(f *testing.F) {
	refused(f, "POST", "/v1/webhooks", onlyJSON,
		`{"creditor_id":"acme","url":"https://hooks.example/rappel","types":["alert.opened"],"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}`,
		`{"creditor_id":"acme","url":"http://[::1]:namedport/\u0000","types":["x",""],"secret":"whsec_"}`)
}

// FuzzQuery asks what takes a query with any query at all.
func FuzzQuery(f *testing.F) {
	s := start(f)
	s.book(2)
	paths := []string{
		"/v1/debtors/D-0", "/v1/decisions/none", "/v1/plans/none", "/v1/reports/uplift", "/v1/forecast", "/v1/alerts", "/v1/alerts/none",
		"/v1/webhooks", "/v1/webhooks/none/messages", "/v1/models", "/v1/models/none/shadow", "/v1/audit", "/v1/keys", "/v1/jobs/none",
	}
	for i := range paths {
		f.Add(byte(i), "creditor_id=acme&as_of=2026-03-02T06:00:00%2B01:00&limit=10&cursor=x&weeks=8&language=nl&status=open")
		f.Add(byte(i), "creditor_id=acme&cursor=MC41IGE&current=true&debtor_id=D-0&from=2026-01-01&to=0000-01-01&fee_share=NaN&weeks=-1&limit=1e9")
		f.Add(byte(i), "creditor_id=%00&as_of=%ff;limit")
		for _, name := range []string{"as_of", "from", "to", "limit", "cursor", "weeks", "backtest", "fee_share", "current", "debtor_id", "kind", "status", "state", "language"} {
			f.Add(byte(i), "creditor_id=acme&"+name+"=")
		}
	}
	f.Fuzz(func(t *testing.T, path byte, query string) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, paths[int(path)%len(paths)], nil)
		req.URL.RawQuery = query
		req.Header.Set("Authorization", "Bearer "+s.admin)
		s.answers(t, req, nil)
	})
}
