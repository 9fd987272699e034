package api_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// reader is a browser without scripts.
type reader struct {
	*http.Client
	s        *server
	language string
}

func (s *server) reader(language string) *reader {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &reader{&http.Client{Jar: jar}, s, language}
}

// visit asks for a page, or posts a form to it, and follows redirections.
func (r *reader) visit(path string, form url.Values, headers ...with) (status int, page string, at string) {
	r.s.t.Helper()
	method, body := "GET", io.Reader(http.NoBody)
	if form != nil {
		method, body = "POST", strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(r.s.t.Context(), method, r.s.url+path, body)
	if err != nil {
		r.s.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", r.language)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range headers {
		req.Header.Set(h.name, h.value)
	}
	resp, err := r.Do(req)
	if err != nil {
		r.s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.s.t.Fatal(err)
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'") {
		r.s.t.Errorf("%s: Content-Security-Policy %q", path, csp)
	}
	for _, forbidden := range []string{"<script", "style=", "http://", "https://"} {
		if strings.Contains(string(text), forbidden) {
			r.s.t.Errorf("%s holds %q", path, forbidden)
		}
	}
	return resp.StatusCode, string(text), resp.Request.URL.Path
}

func TestConsole(t *testing.T) {
	s := start(t)
	s.book(60)
	s.must(200, "POST", "/v1/recommendations/batch", object{"creditor_id": acme, "debtor_ids": "all_overdue", "as_of": morning})
	s.must(200, "PUT", "/v1/creditors/other", object{})
	evil := debtorEvent(`<script>alert("x")</script>`, days(-9))
	bill := invoiceEvent(`<script>alert("x")</script>`, "i-evil", days(-40), days(-9), 90000)
	s.must(200, "POST", "/v1/events", []object{evil, bill})
	key := s.key(acme, "review")

	r := s.reader("nl-BE,nl;q=0.9,en;q=0.5")
	if _, page, at := r.visit("/console", nil); at != "/console/sign-in" || !strings.Contains(page, "Aanmelden") {
		t.Errorf("a stranger is led to %s: %s", at, page)
	}
	for name, bad := range map[string]string{"unknown": "rk_0", "empty": "", "without review": s.key(acme, "recommend")} {
		if status, page, _ := r.visit("/console/sign-in", url.Values{"key": {bad}}); status != 403 || !strings.Contains(page, `role="alert"`) {
			t.Errorf("%s key: status %d", name, status)
		}
	}
	if status, _, _ := r.visit("/console/sign-in", url.Values{"key": {key}}, with{"Sec-Fetch-Site", "cross-site"}); status != 403 {
		t.Errorf("a form of another site: status %d, want 403", status)
	}
	status, page, at := r.visit("/console/sign-in", url.Values{"key": {key}})
	if status != 200 || at != "/console/" || !strings.Contains(page, "Debiteuren met achterstand (61)") {
		t.Fatalf("signed in: status %d at %s: %s", status, at, page)
	}

	_, page, _ = r.visit("/console/?creditor=acme&as_of=2026-03-02", nil)
	for _, want := range []string{"90.000,00", "&lt;script&gt;", "Volgende pagina", "goedkeuring nodig", "/console/debtor?creditor=acme&amp;id=D-59"} {
		if !strings.Contains(page, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	if rows := strings.Count(page, `scope="row"`); rows != 50 {
		t.Errorf("%d debtors on a page, want 50", rows)
	}
	_, page, _ = r.visit("/console/?creditor=acme&as_of=2026-03-02&page=2", nil)
	if rows := strings.Count(page, `scope="row"`); rows != 11 || !strings.Contains(page, "Vorige pagina") {
		t.Errorf("%d debtors on the last page, want 11", rows)
	}

	_, page, _ = r.visit("/console/debtor?creditor=acme&id=D-7&as_of=2026-03-02", nil)
	if hours := strings.Count(page, "<rect "); hours != 168 {
		t.Errorf("the heat map has %d hours", hours)
	}
	for _, want := range []string{"<polyline points=\"0,0 ", "Tijdlijn", "payment.received", "contact.sent", "decision.", "5"} {
		if !strings.Contains(page, want) {
			t.Errorf("the debtor's page lacks %q", want)
		}
	}
	_, page, _ = r.visit("/console/debtor?creditor=acme&id="+url.QueryEscape(`<script>alert("x")</script>`), nil)
	if !strings.Contains(page, "&lt;script&gt;") {
		t.Error("the name of a debtor is not shown as text")
	}
	for _, path := range []string{"/console/debtor?creditor=other&id=X", "/console/?creditor=other", "/console/debtor?creditor=acme&id=none", "/console/none", "/console/?as_of=x"} {
		if status, _, _ := r.visit(path, nil); status != 404 {
			t.Errorf("%s: status %d, want 404", path, status)
		}
	}

	for language, want := range map[string]string{"fr": "Débiteurs en retard", "en-GB": "Overdue debtors", "de": "Overdue debtors"} {
		r.language = language
		if _, page, _ := r.visit("/console/", nil); !strings.Contains(page, want) {
			t.Errorf("%s: the page lacks %q", language, want)
		}
	}

	r.visit("/console/sign-out", url.Values{})
	if _, _, at := r.visit("/console/", nil); at != "/console/sign-in" {
		t.Error("the session goes on after signing out")
	}
	r.visit("/console/sign-in", url.Values{"key": {key}})
	s.must(204, "DELETE", "/v1/keys/"+keyID(s, key), nil)
	if _, _, at := r.visit("/console/", nil); at != "/console/sign-in" {
		t.Error("the session goes on after its key was revoked")
	}
}

// The cookie of a session is kept from scripts and from other sites.
func TestConsoleCookie(t *testing.T) {
	s := start(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm(s.url+"/console/sign-in", url.Values{"key": {s.admin}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cookies := resp.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Path != "/console/" ||
		strings.Contains(cookies[0].Value, s.admin) {
		t.Errorf("cookies %v", cookies)
	}
}
