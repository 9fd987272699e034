package api_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rappel/api"
	"rappel/engine"
)

// Every error has its status, its code and, where a field is at fault, its
// pointer. All are problem+json: call checks that.
func TestErrors(t *testing.T) {
	s := start(t)
	s.book(1)
	s.must(200, "PUT", "/v1/creditors/other", object{})
	theirs := event("debtor.upserted", "X-1", days(-9), object{"kind": "consumer"})
	theirs["creditor_id"] = "other"
	s.must(200, "POST", "/v1/events", []object{theirs})
	mine := s.key(acme)
	reader := s.key(acme, "recommend")
	revoked := s.key(acme)
	s.must(204, "DELETE", "/v1/keys/"+keyID(s, revoked), nil)

	tests := []struct {
		name, method, path string
		body               any
		headers            []with
		status             int
		code               string
		pointers           string // of errors, in order, separated by blanks
	}{
		{"no route", "GET", "/v2", nil, nil, 404, "not_found", ""},
		{"no such method", "GET", "/v1/events", nil, nil, 405, "method_not_allowed", ""},
		{"no key", "POST", "/v1/recommendations", question("D-0"), []with{{"Authorization", ""}}, 401, "no_key", ""},
		{"another scheme", "POST", "/v1/recommendations", question("D-0"), []with{{"Authorization", "Basic cms6"}}, 401, "no_key", ""},
		{"unknown key", "POST", "/v1/recommendations", question("D-0"), []with{bearer("rk_0")}, 401, "bad_key", ""},
		{"revoked key", "POST", "/v1/recommendations", question("D-0"), []with{bearer(revoked)}, 401, "bad_key", ""},
		{"missing scope", "POST", "/v1/events", "[]", []with{bearer(reader)}, 403, "missing_scope", ""},
		{"model by a creditor's key", "POST", "/v1/models/rollback", nil, []with{bearer(mine)}, 403, "operators_only", ""},

		{"body of another type", "POST", "/v1/recommendations", "a=b", []with{{"Content-Type", "application/x-www-form-urlencoded"}}, 415, "unsupported_media_type", ""},
		{"events of another type", "POST", "/v1/events", "a", []with{{"Content-Type", "text/csv"}}, 415, "unsupported_media_type", ""},
		{"compressed body", "POST", "/v1/events", "a", []with{{"Content-Encoding", "gzip"}}, 415, "unsupported_media_type", ""},
		{"malformed body", "POST", "/v1/recommendations", `{"creditor_id": `, nil, 400, "bad_json", ""},
		{"two values", "POST", "/v1/recommendations", `{} {}`, nil, 400, "bad_json", ""},
		{"empty body", "POST", "/v1/recommendations", "", nil, 400, "bad_json", ""},
		{"malformed events", "POST", "/v1/events", `[{"id"`, nil, 400, "unreadable_body", ""},
		{"events that are no list", "POST", "/v1/events", `{}`, nil, 400, "unreadable_body", ""},
		{"malformed lines", "POST", "/v1/events", "a\nb", []with{{"Content-Type", "application/x-ndjson"}}, 400, "unreadable_body", ""},
		{"10,001 events", "POST", "/v1/events", "[" + strings.Repeat("{},", 10_000) + "{}]", nil, 413, "too_many_events", ""},

		{"not an object", "POST", "/v1/recommendations", `[]`, nil, 422, "wrong_type", ""},
		{"null", "POST", "/v1/recommendations", `null`, nil, 422, "wrong_type", ""},
		{"wrong type", "POST", "/v1/recommendations", question("D-0", object{"horizon_days": "seven"}), nil, 422, "wrong_type", "/horizon_days"},
		{"fraction of a day", "POST", "/v1/recommendations", question("D-0", object{"horizon_days": 6.5}), nil, 422, "wrong_type", "/horizon_days"},
		{"wrong type in a list", "POST", "/v1/recommendations", question("D-0", object{"channels": []any{"sms", 4}}), nil, 422, "wrong_type", "/channels/1"},
		{"time without zone", "POST", "/v1/recommendations", question("D-0", object{"as_of": "2026-03-02T06:00:00"}), nil, 422, "wrong_type", "/as_of"},
		{"unknown field", "POST", "/v1/recommendations", question("D-0", object{"debtor": 1}), nil, 422, "unknown_field", "/debtor"},
		{"field in capitals", "POST", "/v1/recommendations", question("D-0", object{"Language": "nl"}), nil, 422, "unknown_field", "/Language"},
		{"all faults at once", "POST", "/v1/recommendations", object{"creditor_id": acme, "debtor_id": "D-0", "horizon_days": 29, "alternatives": -1, "channels": []string{"fax"}, "language": "de"}, nil, 422, "invalid_field", "/alternatives /channels/0 /horizon_days /language"},
		{"nothing said", "POST", "/v1/recommendations", `{}`, nil, 422, "invalid_field", "/creditor_id"},
		{"no debtor", "POST", "/v1/recommendations", object{"creditor_id": acme}, nil, 422, "invalid_field", "/debtor_id"},
		{"year 0", "POST", "/v1/recommendations", question("D-0", object{"as_of": "0000-03-02T06:00:00Z"}), nil, 422, "invalid_field", "/as_of"},
		{"year 1", "POST", "/v1/recommendations", question("D-0", object{"as_of": "0001-01-01T00:00:00Z"}), nil, 422, "wrong_type", "/as_of"},
		{"an hour of one digit", "POST", "/v1/recommendations", question("D-0", object{"as_of": "2200-12-31T3:59:59-12:00"}), nil, 422, "wrong_type", "/as_of"},
		{"a comma before the fraction", "POST", "/v1/learn", object{"creditor_id": acme, "as_of": "2026-01-01T00:00:00,5Z"}, nil, 422, "wrong_type", "/as_of"},
		{"debtor as of an hour of one digit", "GET", debtorPath("D-0", acme) + "&as_of=2026-01-01T0:00:00Z", nil, nil, 422, "invalid_field", "/as_of"},
		{"learn as of year 0", "POST", "/v1/learn", object{"creditor_id": acme, "as_of": "0000-01-01T00:00:00Z"}, nil, 422, "invalid_field", "/as_of"},
		{"debtor as of year 0", "GET", debtorPath("D-0", acme) + "&as_of=0000-01-01T00:00:00Z", nil, nil, 422, "invalid_field", "/as_of"},
		{"debtor as of no time", "GET", debtorPath("D-0", acme) + "&as_of=now", nil, nil, 422, "invalid_field", "/as_of"},
		{"debtors of a wrong type", "POST", "/v1/recommendations/batch", object{"creditor_id": acme, "debtor_ids": "all"}, nil, 422, "wrong_type", "/debtor_ids"},
		{"no debtors", "POST", "/v1/recommendations/batch", object{"creditor_id": acme}, nil, 422, "invalid_field", "/debtor_ids"},
		{"a list for one", "POST", "/v1/recommendations", object{"creditor_id": acme, "debtor_ids": []string{"D-0"}}, nil, 422, "unknown_field", "/debtor_ids"},
		{"idempotency key of 201", "POST", "/v1/recommendations", question("D-0"), []with{{"Idempotency-Key", strings.Repeat("k", 201)}}, 400, "bad_idempotency_key", ""},

		{"creditor of wrong values", "PUT", "/v1/creditors/acme", object{
			"timezone": "Mars/Base", "policy_pack": "none", "autonomy": "full", "control_share": 2, "approval_above": -1, "value": object{"cost": object{"fax": 1, "sms": -1}},
		}, nil, 422, "invalid_field", "/approval_above /autonomy /control_share /policy_pack /timezone /value/cost/fax /value/cost/sms"},
		{"creditor with an unknown field within", "PUT", "/v1/creditors/acme", object{"value": object{"lossrate": 1}}, nil, 422, "unknown_field", "/value/lossrate"},
		{"creditor of wrong types", "PUT", "/v1/creditors/acme", object{"capacities": object{"phone": 1.5}, "ladder": []any{1}}, nil, 422, "wrong_type", "/capacities/phone /ladder/0"},
		{"creditor of another id", "PUT", "/v1/creditors/acme", object{"id": "b"}, nil, 422, "invalid_field", "/id"},
		{"creditor with a long name", "PUT", "/v1/creditors/acme", object{"name": strings.Repeat("n", 257)}, nil, 422, "invalid_field", "/name"},
		{"unknown creditor", "GET", "/v1/creditors/none", nil, nil, 404, "not_found", ""},
		{"creditor of another", "GET", "/v1/creditors/other", nil, []with{bearer(mine)}, 404, "not_found", ""},
		{"creditor made by another", "PUT", "/v1/creditors/third", object{}, []with{bearer(mine)}, 404, "not_found", ""},

		{"unknown debtor", "POST", "/v1/recommendations", question("D-9"), nil, 404, "not_found", ""},
		{"unknown debtor in a batch", "POST", "/v1/recommendations/batch", object{"creditor_id": acme, "debtor_ids": []string{"D-0", "D-9"}}, nil, 404, "not_found", ""},
		{"debtor not known yet", "POST", "/v1/recommendations", question("D-0", object{"as_of": days(-400)}), nil, 404, "not_found", ""},
		{"debtor of another creditor", "POST", "/v1/recommendations", object{"creditor_id": "other", "debtor_id": "X-1"}, []with{bearer(mine)}, 404, "not_found", ""},
		{"debtor under the wrong creditor", "POST", "/v1/recommendations", question("X-1"), nil, 404, "not_found", ""},
		{"batch of another creditor", "POST", "/v1/recommendations/batch", object{"creditor_id": "other", "debtor_ids": "all_overdue"}, []with{bearer(mine)}, 404, "not_found", ""},
		{"learning of another creditor", "POST", "/v1/learn", object{"creditor_id": "other"}, []with{bearer(mine)}, 404, "not_found", ""},
		{"profile of another's debtor", "GET", debtorPath("X-1", "other"), nil, []with{bearer(mine)}, 404, "not_found", ""},
		{"erasure of another's debtor", "DELETE", debtorPath("X-1", "other"), nil, []with{bearer(mine)}, 404, "not_found", ""},
		{"profile without creditor", "GET", "/v1/debtors/D-0", nil, nil, 422, "invalid_field", "/creditor_id"},
		{"unknown profile", "GET", debtorPath("D-9", acme), nil, nil, 404, "not_found", ""},
		{"decision of no text", "GET", "/v1/decisions/%ff", nil, nil, 404, "not_found", ""},
		{"creditor of no text", "GET", "/v1/debtors/D-0?creditor_id=%ff", nil, nil, 422, "invalid_field", "/creditor_id"},
		{"unknown erasure", "DELETE", debtorPath("D-9", acme), nil, nil, 404, "not_found", ""},
		{"unknown decision", "GET", "/v1/decisions/none", nil, nil, 404, "not_found", ""},
		{"approval of an unknown decision", "POST", "/v1/decisions/none/approve", nil, nil, 404, "not_found", ""},
		{"another verdict", "POST", "/v1/decisions/none/accept", nil, nil, 404, "not_found", ""},
		{"long note", "POST", "/v1/decisions/none/reject", object{"note": strings.Repeat("n", 2001)}, nil, 422, "invalid_field", "/note"},
		{"approval with a channel", "POST", "/v1/decisions/none/approve", object{"channel": "sms"}, nil, 422, "invalid_field", "/channel"},

		{"artefact that is none", "POST", "/v1/models", object{"path": t.TempDir()}, nil, 422, "bad_artefact", ""},
		{"artefact without path", "POST", "/v1/models", object{}, nil, 422, "invalid_field", "/path"},
		{"promotion of an unknown model", "POST", "/v1/models/none/promote", nil, nil, 404, "not_found", ""},
		{"rollback to nothing", "POST", "/v1/models/rollback", nil, nil, 409, "no_previous_model", ""},
		{"page of nothing", "GET", "/v1/models?limit=0", nil, nil, 422, "invalid_field", "/limit"},
		{"page after nothing", "GET", "/v1/models?cursor=x", nil, nil, 422, "invalid_field", "/cursor"},

		{"key of another creditor", "POST", "/v1/keys", object{"creditor_id": "other"}, []with{bearer(mine)}, 404, "not_found", ""},
		{"key of an unknown creditor", "POST", "/v1/keys", object{"creditor_id": "none"}, nil, 404, "not_found", ""},
		{"key of more scopes than one's own", "POST", "/v1/keys", object{"scopes": []string{"train"}}, []with{bearer(s.key(acme, "admin"))}, 422, "invalid_field", "/scopes"},
		{"unknown scope", "POST", "/v1/keys", object{"scopes": []string{"all"}}, nil, 422, "invalid_field", "/scopes"},
		{"revocation of another's key", "DELETE", "/v1/keys/" + keyID(s, s.admin), nil, []with{bearer(mine)}, 404, "not_found", ""},
		{"revocation of a revoked key", "DELETE", "/v1/keys/" + keyID(s, revoked), nil, nil, 404, "not_found", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			a := s.call(tt.method, tt.path, tt.body, tt.headers...)
			p := into[problem](t, a)
			if a.StatusCode != tt.status || p.Status != tt.status || p.Code != tt.code {
				t.Errorf("status %d, code %q, want %d, %q: %s", a.StatusCode, p.Code, tt.status, tt.code, a.body)
			}
			if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type %q", got)
			}
			var pointers []string
			for _, e := range p.Errors {
				pointers = append(pointers, e.Pointer)
			}
			if got := strings.TrimSpace(strings.Join(pointers, " ")); got != tt.pointers {
				t.Errorf("pointers %q, want %q: %s", got, tt.pointers, a.body)
			}
			if strings.HasPrefix(tt.name, "unknown debtor") && !strings.Contains(string(a.body), "D-9") {
				t.Errorf("does not say which debtor: %s", a.body)
			}
			for _, internal := range []string{"store:", "ledger:", "engine:", "models:", "sql:", s.path, ".go:"} {
				if bytes.Contains(a.body, []byte(internal)) {
					t.Errorf("the answer tells %q: %s", internal, a.body)
				}
			}
		})
	}
}

// A single bad event is refused with its place, its code and a detail, and
// takes no other with it.
func TestBadEvents(t *testing.T) {
	s := start(t)
	s.book(1)
	set := func(e object, path string, v any) object {
		in := e
		if name, ok := strings.CutPrefix(path, "data."); ok {
			in, path = e["data"].(object), name
		}
		if v == nil {
			delete(in, path)
		} else {
			in[path] = v
		}
		return e
	}
	invoice := func() object { return invoiceEvent("D-0", "i-new", days(-3), days(20), 10) }
	tests := []struct {
		name, code, detail string
		event              any
	}{
		{"not an object", "wrong_type", "object", 7},
		{"unknown type", "unknown_type", "invoice.sent", set(invoice(), "type", "invoice.sent")},
		{"no id", "missing_field", "id", set(invoice(), "id", nil)},
		{"no debtor", "missing_field", "debtor_id", set(invoice(), "debtor_id", nil)},
		{"unknown field", "unknown_field", "importance", set(invoice(), "importance", 1)},
		{"unknown field of the data", "unknown_field", "data.vat", set(invoice(), "data.vat", 21)},
		{"wrong type", "wrong_type", "data.amount", set(invoice(), "data.amount", true)},
		{"date of year 0", "bad_time", "data.due_on", set(invoice(), "data.due_on", "0000-01-01")},
		{"time of year 0", "bad_time", "time", set(invoice(), "time", "0000-01-01T00:00:00Z")},
		{"no such day", "bad_time", "data.due_on", set(invoice(), "data.due_on", "2026-02-30")},
		{"negative amount", "bad_value", "data.amount", set(invoice(), "data.amount", -1)},
		{"half a cent", "bad_value", "data.amount", set(invoice(), "data.amount", 1.005)},
		{"no currency", "bad_value", "data.currency", set(invoice(), "data.currency", "euro")},
		{"unknown channel", "bad_value", "data.channel", event("contact.sent", "D-0", days(-1), object{"contact_id": "c", "channel": "fax"})},
		{"unknown creditor", "unknown_creditor", "none", set(invoice(), "creditor_id", "none")},
	}
	body := []any{}
	for _, tt := range tests {
		body = append(body, tt.event)
	}
	good := []object{invoice(), event("invoice.cancelled", "D-0", days(-2), object{"invoice_id": "i-new"})}
	body = slices.Insert(body, 0, any(good[0]))
	body = append(body, good[1])
	a := s.must(200, "POST", "/v1/events", body)
	got := into[struct {
		Accepted, Duplicates int
		Rejected             []struct {
			Index            int
			ID, Code, Detail string
		}
	}](t, a)
	if got.Accepted != 2 || got.Duplicates != 0 || len(got.Rejected) != len(tests) {
		t.Fatalf("accepted %d, duplicates %d, rejected %d, want 2, 0, %d", got.Accepted, got.Duplicates, len(got.Rejected), len(tests))
	}
	for i, tt := range tests {
		if r := got.Rejected[i]; r.Index != i+1 || r.Code != tt.code || !strings.Contains(r.Detail, tt.detail) {
			t.Errorf("%s: %+v, want index %d, code %s, a detail with %q", tt.name, r, i+1, tt.code, tt.detail)
		}
	}
}

// A body beyond 8 MiB is refused whether its length is told or not, and the
// client hears it.
func TestLargeBody(t *testing.T) {
	s := start(t)
	large := bytes.Repeat([]byte(" "), 9<<20)
	for name, body := range map[string]io.Reader{"told": bytes.NewReader(large), "chunked": io.MultiReader(bytes.NewReader(large))} {
		for _, path := range []string{"/v1/events", "/v1/recommendations", "/v1/creditors/acme"} {
			method := http.MethodPost
			if path == "/v1/creditors/acme" {
				method = http.MethodPut
			}
			if seek, ok := body.(io.Seeker); ok {
				if _, err := seek.Seek(0, io.SeekStart); err != nil {
					t.Fatal(err)
				}
			} else {
				body = io.MultiReader(bytes.NewReader(large))
			}
			req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+s.admin)
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatalf("%s, %s: %v", path, name, err)
			}
			answer, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != http.StatusRequestEntityTooLarge || !bytes.Contains(answer, []byte(`"body_too_large"`)) {
				t.Errorf("%s, %s: %d %s, want 413 body_too_large", path, name, resp.StatusCode, answer)
			}
		}
	}
	exact := append(bytes.Repeat([]byte(" "), 8<<20-2), "[]"...)
	s.must(200, "POST", "/v1/events", exact)
}

// Each key has its own rate. The server's clock stands still here, so the
// burst is all there is.
func TestRate(t *testing.T) {
	s := start(t, func(c *api.Config) { c.RatePerKey, c.Burst = 0.5, 3 })
	other := s.key("")
	for range 3 {
		s.must(200, "GET", "/v1/models", nil)
	}
	a := s.must(429, "GET", "/v1/models", nil)
	if got := a.Header.Get("Retry-After"); got != "2" && got != "1" {
		t.Errorf("Retry-After %q, want at most 2 s at one request in 2 s", got)
	}
	if p := into[problem](t, a); p.Code != "rate_limited" {
		t.Errorf("code %q", p.Code)
	}
	s.must(200, "GET", "/v1/models", nil, bearer(other))
}

// While the write queue is full, what must be written is answered 503 at once
// and reads go on.
func TestBusy(t *testing.T) {
	s := start(t)
	s.book(1)
	held, release := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.store.Write(context.Background(), func(*sql.Tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	defer close(release)
	defer cancel()
	full := make(chan struct{}, 1)
	for range 2000 { // more than the queue is long
		go func() {
			if err := s.store.Write(ctx, func(*sql.Tx) error { return nil }); errors.Is(err, engine.ErrBusy) {
				select {
				case full <- struct{}{}:
				default:
				}
			}
		}()
	}
	<-full
	for _, a := range []answer{
		s.must(503, "POST", "/v1/recommendations", question("D-0")),
		s.must(503, "POST", "/v1/events", history(1)),
	} {
		if p := into[problem](t, a); p.Code != "busy" || a.Header.Get("Retry-After") != "1" {
			t.Errorf("code %q, Retry-After %q, want busy and 1", p.Code, a.Header.Get("Retry-After"))
		}
	}
	s.must(200, "GET", debtorPath("D-0", acme), nil)
}

// The id of a request is taken where it can be logged as it is, else made.
func TestRequestID(t *testing.T) {
	s := start(t)
	if got := s.must(200, "GET", "/healthz", nil, with{"X-Request-Id", "abc-1"}).Header.Get("X-Request-Id"); got != "abc-1" {
		t.Errorf("answered %q, want the one sent", got)
	}
	for _, sent := range []string{"", "a b", strings.Repeat("x", 101)} {
		got := s.must(404, "GET", "/none", nil, with{"X-Request-Id", sent}).Header.Get("X-Request-Id")
		if len(got) != 26 || got == sent {
			t.Errorf("sent %q, answered %q, want a new ULID", sent, got)
		}
	}
}

// keyID is the name under which a key is listed.
func keyID(s *server, text string) string {
	s.t.Helper()
	k, err := s.store.LookupKey(s.t.Context(), text)
	if err != nil {
		s.t.Fatal(err)
	}
	return k.ID
}
