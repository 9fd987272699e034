package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzForm posts any text at all to every act of the console, as an administrator
// whose token is right: it is taken, led on or refused, and never fails.
func FuzzForm(f *testing.F) {
	d := newDesk(f, Config{})
	d.owes("acme", "D-1", 500)
	r := d.as("", "admin")
	at, err := url.Parse(d.URL + "/console/")
	if err != nil {
		f.Fatal(err)
	}
	cookies := r.Jar.Cookies(at)
	var acts []string
	for _, route := range d.console.routes() {
		if route.method == http.MethodPost && route.path != "sign-out" {
			acts = append(acts, route.path)
		}
	}
	for i, seed := range []string{
		"name=jan&password=x", "language=fr&theme=dark", "day=2026-03-02", "verdict=snoozed&alert=a&alert=b&until=2026-03-02&note=n",
		"decision=none&verdict=override&channel=phone&send_at=2026-03-05T10:00&zone=Europe/Paris", "id=D-1", "id=D-1&until=2026-04-01&note=n", "id=D-1",
		"id=D-1&note=%00", "do=promote&model=..%2F..", "loss_rate=1e999&capacity_phone=-1&control_share=2&timezone=..", "scope=ingest&scope=all", "key=none",
		"name=a%0ab&role=admin&password=", "name=eva&do=role&role=none",
	} {
		f.Add(byte(i), seed)
	}
	f.Add(byte(0), "%zz=1&;&=&&\xff")
	f.Fuzz(func(t *testing.T, act byte, body string) {
		body = "csrf=" + url.QueryEscape(r.csrf) + "&creditor=acme&" + body
		path := acts[int(act)%len(acts)]
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/console/"+path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			req.AddCookie(c)
		}
		rec := httptest.NewRecorder()
		d.Config.Handler.ServeHTTP(rec, req)
		if rec.Code >= 500 || rec.Code < 200 {
			t.Fatalf("%s: status %d: %s", path, rec.Code, rec.Body)
		}
	})
}
