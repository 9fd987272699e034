package api_test

import (
	"slices"
	"testing"
)

// The audit log pages from the newest line on and shows nobody another
// creditor's lines.
func TestAudit(t *testing.T) {
	s := start(t)
	s.book(1)
	s.must(200, "PUT", "/v1/creditors/acme", object{"control_share": 0.1})
	s.must(200, "PUT", "/v1/creditors/other", object{})
	s.must(200, "PUT", "/v1/creditors/acme", object{"control_share": 0.2})
	mine := bearer(s.key(acme, "admin"))
	type act struct {
		Line                  int
		Actor, Action, Object string
		Creditor              string `json:"creditor_id"`
	}
	type page struct {
		Acts []act
		Next string `json:"next_cursor"`
	}
	all := into[page](t, s.must(200, "GET", "/v1/audit", nil, mine))
	about := 0
	for i, a := range all.Acts {
		if a.Creditor != "" && a.Creditor != acme || a.Actor == "" || a.Action == "" || i > 0 && a.Line >= all.Acts[i-1].Line {
			t.Errorf("line %d: %+v", i, a)
		}
		if a.Creditor == acme {
			about++
		}
	}
	if about < 2 || all.Next != "" {
		t.Fatalf("%d lines about %s, next %q", about, acme, all.Next)
	}
	var paged []act
	for next := "/v1/audit?limit=1"; next != ""; {
		p := into[page](t, s.must(200, "GET", next, nil, mine))
		paged = append(paged, p.Acts...)
		if next = ""; p.Next != "" {
			next = "/v1/audit?limit=1&cursor=" + p.Next
		}
	}
	if !slices.Equal(paged, all.Acts) {
		t.Errorf("page by page %+v, at once %+v", paged, all.Acts)
	}
	if p := into[page](t, s.must(200, "GET", "/v1/audit?creditor_id=other", nil)); !slices.ContainsFunc(p.Acts, func(a act) bool { return a.Creditor == "other" }) {
		t.Errorf("an operator sees %+v of other", p.Acts)
	}
	s.must(404, "GET", "/v1/audit?creditor_id=other", nil, mine)
	s.must(422, "GET", "/v1/audit?cursor=x", nil, mine)
	s.must(422, "GET", "/v1/audit?limit=0", nil, mine)
	s.must(403, "GET", "/v1/audit", nil, bearer(s.key(acme, "recommend")))
}
