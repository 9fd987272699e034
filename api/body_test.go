package api_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"rappel/api"
)

// Every route that takes a body refuses what is no body of its own, each fault
// with its error: malformed, of a wrong type, with an unknown field, a date of
// year 0, a negative number, 9 MiB, and of a debtor that there is not, or that is
// another creditor's. The table is whole: a route of the document that it lacks
// fails.
func TestBadBodies(t *testing.T) {
	s := start(t)
	s.book(1)
	s.must(200, "PUT", "/v1/creditors/other", object{})
	theirs := event("debtor.upserted", "X-1", days(-9), object{"kind": "consumer"})
	theirs["creditor_id"] = "other"
	s.must(200, "POST", "/v1/events", []object{theirs})
	decision := into[struct {
		ID string `json:"decision_id"`
	}](t, s.must(200, "POST", "/v1/recommendations", object{"creditor_id": "other", "debtor_id": "X-1"})).ID
	mine := bearer(s.key(acme))

	type fault struct {
		field string // "" where the route has no such field
		value any
	}
	const year0 = "0000-01-01T00:00:00Z"
	invoice := object{"invoice_id": "i", "due_on": "2026-04-01", "amount": 1, "currency": "EUR"}
	but := func(base object, field string, value any) object {
		out := maps.Clone(base)
		out[field] = value
		return out
	}
	tests := []struct {
		method, path string // as the document has it
		at           string // the path asked for
		base         object
		wrongType    fault
		date, amount fault
		// of a debtor, or what belongs to one, that there is not, and that is
		// another's: a path, or else a field of the body; operators marks routes that
		// no creditor's key may use
		unknown, foreign     fault
		unknownAt, foreignAt string
		operators            bool
	}{
		{
			method: "PUT", path: "/v1/creditors/{id}", at: "/v1/creditors/acme", base: object{},
			wrongType: fault{"name", 7}, amount: fault{"approval_above", -1}, foreignAt: "/v1/creditors/other",
		},
		{
			method: "POST", path: "/v1/learn", at: "/v1/learn", base: object{"creditor_id": acme},
			wrongType: fault{"creditor_id", 7}, date: fault{"as_of", year0}, unknown: fault{"creditor_id", "none"}, foreign: fault{"creditor_id", "other"},
		},
		{
			method: "POST", path: "/v1/recommendations", at: "/v1/recommendations", base: question("D-0"),
			wrongType: fault{"horizon_days", "7"}, date: fault{"as_of", year0}, amount: fault{"alternatives", -1},
			unknown: fault{"debtor_id", "D-9"}, foreign: fault{"debtor_id", "X-1"},
		},
		{
			method: "POST", path: "/v1/recommendations/batch", at: "/v1/recommendations/batch", base: object{"creditor_id": acme, "debtor_ids": []string{"D-0"}},
			wrongType: fault{"debtor_ids", 7}, date: fault{"as_of", year0}, amount: fault{"horizon_days", -1},
			unknown: fault{"debtor_ids", []string{"D-0", "D-9"}}, foreign: fault{"debtor_ids", []string{"D-0", "X-1"}},
		},
		{
			method: "POST", path: "/v1/plans", at: "/v1/plans", base: object{"creditor_id": acme},
			wrongType: fault{"capacity", "all"}, date: fault{"date", "0000-01-01"}, amount: fault{"budget_eur", -1},
			unknown: fault{"creditor_id", "none"}, foreign: fault{"creditor_id", "other"},
		},
		{
			method: "POST", path: "/v1/decisions/{id}/approve", at: "/v1/decisions/" + decision + "/approve", base: object{},
			wrongType: fault{"note", 7}, date: fault{"send_at", year0}, unknownAt: "/v1/decisions/none/approve", foreignAt: "/v1/decisions/" + decision + "/approve",
		},
		{
			method: "POST", path: "/v1/decisions/{id}/reject", at: "/v1/decisions/" + decision + "/reject", base: object{},
			wrongType: fault{"note", 7}, date: fault{"send_at", year0}, unknownAt: "/v1/decisions/none/reject", foreignAt: "/v1/decisions/" + decision + "/reject",
		},
		{
			method: "POST", path: "/v1/decisions/{id}/override", at: "/v1/decisions/" + decision + "/override", base: object{"channel": "phone"},
			wrongType: fault{"channel", 7}, date: fault{"send_at", year0}, unknownAt: "/v1/decisions/none/override", foreignAt: "/v1/decisions/" + decision + "/override",
		},
		{
			method: "POST", path: "/v1/alerts/{id}/verdict", at: "/v1/alerts/none/verdict", base: object{"verdict": "confirmed"},
			wrongType: fault{"verdict", 7}, date: fault{"until", year0}, unknownAt: "/v1/alerts/none/verdict",
		},
		{
			method: "POST", path: "/v1/webhooks", at: "/v1/webhooks", base: object{"creditor_id": acme, "url": "https://hooks.example/", "types": []string{"alert.opened"}},
			wrongType: fault{"types", 7}, unknown: fault{"creditor_id", "none"}, foreign: fault{"creditor_id", "other"},
		},
		{method: "POST", path: "/v1/models", at: "/v1/models", base: object{"path": "none"}, wrongType: fault{"path", 7}, operators: true},
		{
			method: "POST", path: "/v1/keys", at: "/v1/keys", base: object{"creditor_id": acme},
			wrongType: fault{"scopes", 7}, unknown: fault{"creditor_id", "none"}, foreign: fault{"creditor_id", "other"},
		},
	}
	large := bytes.Repeat([]byte(" "), 9<<20)
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			s.t = t
			refused := func(what string, status int, code, pointer, path string, body any, as ...with) {
				t.Helper()
				a := s.call(tt.method, path, body, as...)
				p := into[problem](t, a)
				if a.StatusCode != status || p.Code != code {
					t.Errorf("%s: %d %s, want %d %s: %s", what, a.StatusCode, p.Code, status, code, a.body)
				}
				if pointer != "" && (len(p.Errors) != 1 || !strings.HasPrefix(p.Errors[0].Pointer, pointer)) {
					t.Errorf("%s: errors %+v, want one of %s", what, p.Errors, pointer)
				}
			}
			refused("malformed", 400, "bad_json", "", tt.at, `{"creditor_id": `)
			refused("wrong type", 422, "wrong_type", "/"+tt.wrongType.field, tt.at, but(tt.base, tt.wrongType.field, tt.wrongType.value))
			refused("unknown field", 422, "unknown_field", "/importance", tt.at, but(tt.base, "importance", 1))
			refused("9 MiB", 413, "body_too_large", "", tt.at, large)
			if tt.date.field != "" {
				refused("year 0", 422, "invalid_field", "/"+tt.date.field, tt.at, but(tt.base, tt.date.field, tt.date.value))
			}
			if tt.amount.field != "" {
				refused("negative", 422, "invalid_field", "/"+tt.amount.field, tt.at, but(tt.base, tt.amount.field, tt.amount.value))
			}
			if tt.unknown.field != "" {
				refused("unknown", 404, "not_found", "", tt.at, but(tt.base, tt.unknown.field, tt.unknown.value))
			}
			if tt.foreign.field != "" {
				refused("another's", 404, "not_found", "", tt.at, but(tt.base, tt.foreign.field, tt.foreign.value), mine)
			}
			if tt.unknownAt != "" {
				refused("unknown", 404, "not_found", "", tt.unknownAt, tt.base)
			}
			if tt.foreignAt != "" {
				refused("another's", 404, "not_found", "", tt.foreignAt, tt.base, mine)
			}
			if tt.operators {
				refused("a creditor's key", 403, "operators_only", "", tt.at, tt.base, mine)
			}
		})
	}

	// Of a batch of events only an unreadable body is refused whole.
	events := func(t *testing.T, path string, value any, as ...with) string {
		s.t = t
		e := event("invoice.issued", "D-0", days(-1), maps.Clone(invoice))
		if name, within := strings.CutPrefix(path, "data."); within {
			e["data"].(object)[name] = value
		} else {
			e[path] = value
		}
		r := into[receipt](t, s.must(200, "POST", "/v1/events", []object{e}, as...))
		if r.Accepted != 0 || len(r.Rejected) != 1 {
			t.Fatalf("%s = %v: %+v, want one rejected", path, value, r)
		}
		return r.Rejected[0].Code
	}
	t.Run("POST /v1/events", func(t *testing.T) {
		s.t = t
		for body, want := range map[string]string{`[{"id"`: "unreadable_body", `{}`: "unreadable_body"} {
			if p := into[problem](t, s.must(400, "POST", "/v1/events", body)); p.Code != want {
				t.Errorf("%s: %s, want %s", body, p.Code, want)
			}
		}
		if p := into[problem](t, s.must(413, "POST", "/v1/events", large)); p.Code != "body_too_large" {
			t.Errorf("9 MiB: %s", p.Code)
		}
		for _, e := range []struct {
			path  string
			value any
			want  string
			as    []with
		}{
			{"data.amount", true, "wrong_type", nil},
			{"data.vat", 21, "unknown_field", nil},
			{"time", year0, "bad_time", nil},
			{"data.due_on", "0000-01-01", "bad_time", nil},
			{"data.amount", -1, "bad_value", nil},
			{"creditor_id", "none", "unknown_creditor", nil},
			{"creditor_id", "other", "unknown_creditor", []with{mine}},
		} {
			if got := events(t, e.path, e.value, e.as...); got != e.want {
				t.Errorf("%s = %v: %s, want %s", e.path, e.value, got, e.want)
			}
		}
	})

	var missing []string
	document, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			covered := path == "/v1/events"
			for _, tt := range tests {
				covered = covered || tt.method == method && tt.path == path
			}
			if op.RequestBody != nil && !covered {
				missing = append(missing, method+" "+path)
			}
		}
	}
	if slices.Sort(missing); missing != nil {
		t.Errorf("of these bodies nothing is tested: %s", strings.Join(missing, ", "))
	}
}
