package console

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/engine"
)

const evil = `<script>alert("x")</script>`

var morning = time.Date(2026, 3, 2, 5, 0, 0, 0, time.UTC)

// desk is the pages over a small book of creditor acme, on a Monday morning.
type desk struct {
	*httptest.Server
	t       testing.TB
	console *console
	engine  *engine.Engine
	store   *store.Store
	now     time.Time
	serial  int
}

func newDesk(tb testing.TB, cfg Config) *desk {
	tb.Helper()
	d := &desk{t: tb, now: morning}
	clock := func() time.Time { return d.now }
	log := slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	var err error
	if d.store, err = store.Open(tb.Context(), filepath.Join(tb.TempDir(), "w.duckdb"), store.Options{Now: clock, Log: log, Threads: 1}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.store.Close() })
	if d.engine, err = engine.New(tb.Context(), d.store, engine.Options{Now: clock, Log: log, Seed: 1}); err != nil {
		tb.Fatal(err)
	}
	if cfg.KeyRevoked == nil {
		cfg.KeyRevoked = func() {}
	}
	var pages http.Handler
	d.console, pages = build(d.engine, cfg, clock, log)
	d.Server = httptest.NewServer(pages)
	tb.Cleanup(d.Close)
	for _, id := range []string{"acme", "other"} {
		c := engine.DefaultCreditor(id)
		c.Autonomy, c.PolicyPack, c.Capacities = engine.Approve, "be-b2b", engine.Capacity{"phone": 10}
		if err := d.engine.PutCreditor(tb.Context(), c, "test"); err != nil {
			tb.Fatal(err)
		}
	}
	return d
}

// tell posts events of a debtor: type, time and data.
func (d *desk) tell(creditor, debtor string, events ...string) {
	d.t.Helper()
	var list []ledger.Event
	for _, text := range events {
		d.serial++
		parts := strings.SplitN(text, " ", 3)
		raw, err := json.Marshal(map[string]any{
			"id": fmt.Sprint("e", d.serial), "type": parts[0], "time": parts[1], "creditor_id": creditor, "debtor_id": debtor, "data": json.RawMessage(parts[2]),
		})
		if err != nil {
			d.t.Fatal(err)
		}
		e, err := ledger.ParseEvent(raw)
		if err != nil {
			d.t.Fatalf("%s: %v", text, err)
		}
		list = append(list, e)
	}
	if _, _, err := d.engine.Ingest(d.t.Context(), list); err != nil {
		d.t.Fatal(err)
	}
}

// owes makes a debtor with one invoice three weeks past due and one that was
// paid nine days late.
func (d *desk) owes(creditor, debtor string, amount int) {
	d.t.Helper()
	id, err := json.Marshal("i-" + debtor)
	if err != nil {
		d.t.Fatal(err)
	}
	d.tell(creditor, debtor,
		`debtor.upserted 2025-09-01T08:00:00Z {"kind":"business","language":"nl","country":"BE","postcode":"9000","sector_code":"56.101","channels":[{"channel":"email","reachable":true,"consent":true},{"channel":"phone","reachable":true,"consent":true}]}`,
		`invoice.issued 2025-11-01T08:00:00Z {"invoice_id":"old`+strconv.Itoa(d.serial)+`","issued_at":"2025-11-01","due_on":"2025-12-01","amount":100,"currency":"EUR"}`,
		`payment.received 2025-12-10T08:00:00Z {"payment_id":"p`+strconv.Itoa(d.serial)+`","invoice_id":"old`+strconv.Itoa(d.serial)+`","amount":100,"method":"transfer"}`,
		fmt.Sprintf(`invoice.issued 2026-01-10T08:00:00Z {"invoice_id":%s,"issued_at":"2026-01-10","due_on":"2026-02-09","amount":%d,"currency":"EUR"}`, id, amount),
	)
}

func (d *desk) recommend(creditor, debtor string) *engine.Decision {
	d.t.Helper()
	r, err := d.engine.Recommend(d.t.Context(), engine.Request{Creditor: creditor, Debtor: debtor, Alternatives: 3, Language: "nl"})
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// reader is a browser without scripts.
type reader struct {
	*http.Client
	d        *desk
	language string
	csrf     string
}

func (d *desk) stranger() *reader {
	d.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return &reader{Client: &http.Client{Jar: jar}, d: d, language: "nl-BE,nl;q=0.9,en;q=0.5"}
}

// as is a reader who has signed in, without the time that a password takes.
func (d *desk) as(creditor, role string) *reader {
	d.t.Helper()
	name := role + "." + creditor
	if _, err := d.engine.CreateUser(d.t.Context(), engine.User{Name: name, Creditor: creditor, Role: role}, "", "test"); err != nil {
		d.t.Fatal(err)
	}
	token, err := d.engine.SignInVouched(d.t.Context(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	session, err := d.engine.Session(d.t.Context(), token)
	if err != nil {
		d.t.Fatal(err)
	}
	r := d.stranger()
	at, err := url.Parse(d.URL + "/console/")
	if err != nil {
		d.t.Fatal(err)
	}
	r.Jar.SetCookies(at, []*http.Cookie{{Name: sessionCookie, Value: token, Path: "/console/"}})
	r.csrf = session.CSRF
	return r
}

// ask gets a page, or posts a form where one is given, and follows
// redirections.
func (r *reader) ask(path string, form url.Values, headers ...string) (status int, page, at string) {
	r.d.t.Helper()
	method, body := "GET", io.Reader(http.NoBody)
	if form != nil {
		method, body = "POST", strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(r.d.t.Context(), method, r.d.URL+path, body)
	if err != nil {
		r.d.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", r.language)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.Do(req)
	if err != nil {
		r.d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.d.t.Fatal(err)
	}
	csp := resp.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
		r.d.t.Errorf("%s: Content-Security-Policy %q", path, csp)
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "html") {
		for _, forbidden := range []string{" style=", " onclick=", "http://", "https://", evil, "ZgotmplZ"} {
			if strings.Contains(string(text), forbidden) {
				r.d.t.Errorf("%s holds %q", path, forbidden)
			}
		}
	}
	return resp.StatusCode, string(text), resp.Request.URL.Path
}

// get asks for a page that must be there.
func (r *reader) get(path string) string {
	r.d.t.Helper()
	status, page, _ := r.ask(path, nil)
	if status != 200 {
		r.d.t.Fatalf("%s: status %d", path, status)
	}
	return page
}

// send posts a form with its token, which must be taken.
func (r *reader) send(path string, pairs ...string) string {
	r.d.t.Helper()
	status, page, _ := r.ask(path, r.form(pairs...))
	if status != 200 {
		r.d.t.Fatalf("POST %s %v: status %d: %s", path, pairs, status, page)
	}
	return page
}

func (r *reader) form(pairs ...string) url.Values {
	form := url.Values{"csrf": {r.csrf}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form
}

func wants(t *testing.T, what, page string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(page, want) {
			t.Errorf("%s lacks %q", what, want)
		}
	}
}

func TestSignIn(t *testing.T) {
	d := newDesk(t, Config{})
	if _, err := d.engine.CreateUser(t.Context(), engine.User{Name: "jan", Creditor: "acme", Role: "controller"}, "correct horse", "test"); err != nil {
		t.Fatal(err)
	}
	r := d.stranger()
	_, page, at := r.ask("/console/", nil)
	if at != "/console/sign-in" {
		t.Fatalf("a stranger is led to %s", at)
	}
	wants(t, "the page", page, "Aanmelden", "Wachtwoord")
	token := regexp.MustCompile(`name="csrf" value="([^"]+)"`)
	form := func(name, password string) url.Values {
		_, page, _ := r.ask("/console/sign-in", nil)
		return url.Values{"csrf": {token.FindStringSubmatch(page)[1]}, "name": {name}, "password": {password}}
	}
	for what, f := range map[string]url.Values{"wrong password": form("jan", "wrong"), "unknown": form("eva", "correct horse"), "empty": form("", "")} {
		f.Set("csrf", form("", "").Get("csrf")) // the last page's
		if status, page, _ := r.ask("/console/sign-in", f); status != 403 || !strings.Contains(page, "Naam of wachtwoord klopt niet") {
			t.Errorf("%s: status %d: %s", what, status, page)
		}
	}
	good := form("Jan", "correct horse")
	if status, _, _ := r.ask("/console/sign-in", good, "Sec-Fetch-Site", "cross-site"); status != 403 {
		t.Errorf("a form of another site: status %d", status)
	}
	r.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := r.PostForm(d.URL+"/console/sign-in", good)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	i := slices.IndexFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Name == sessionCookie })
	if i < 0 {
		t.Fatalf("status %d, no session", resp.StatusCode)
	}
	if c := resp.Cookies()[i]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/console/" || len(c.Value) < 40 {
		t.Errorf("cookie %+v", c)
	}
	r.CheckRedirect = nil
	page = r.get("/console/")
	wants(t, "the first page", page, "Vandaag", "jan", "maandag 2 maart 2026")
	r.csrf = token.FindStringSubmatch(page)[1]

	d.now = d.now.Add(engine.SessionLife)
	if _, _, at := r.ask("/console/", nil); at != "/console/sign-in" {
		t.Error("the session goes on after its time")
	}
	d.now = morning
	r.get("/console/")
	r.send("/console/sign-out")
	if _, _, at := r.ask("/console/", nil); at != "/console/sign-in" {
		t.Error("the session goes on after signing out")
	}
	acts, err := d.engine.Acts(t.Context(), "acme", math.MaxInt64, 10)
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, a := range acts {
		did = append(did, a.Actor+" "+a.Action)
	}
	for _, want := range []string{"user:jan sign in", "user:jan sign out", "test create user"} {
		if !slices.Contains(did, want) {
			t.Errorf("the audit log lacks %q: %v", want, did)
		}
	}
}

// Every form that changes something is refused without its token, with that of
// another session, and to those who have not signed in.
func TestFormsNeedTheirToken(t *testing.T) {
	d := newDesk(t, Config{})
	d.owes("acme", "D-1", 900)
	r, other := d.as("", "admin"), d.as("acme", "admin")
	before, err := d.engine.Acts(t.Context(), "acme", math.MaxInt64, 1000)
	if err != nil {
		t.Fatal(err)
	}
	posts := 0
	for _, route := range d.console.routes() {
		if route.method != "POST" {
			if route.method != "GET" {
				t.Errorf("%s %s: neither read nor write", route.method, route.path)
			}
			continue
		}
		posts++
		path := "/console/" + route.path
		full := func() url.Values {
			return url.Values{
				"name": {"jan"}, "password": {"correct horse"}, "id": {"D-1"}, "reason": {"x"}, "until": {"2026-12-31"}, "text": {"x"}, "do": {"rollback"},
				"autonomy": {"auto"}, "scope": {"review"}, "role": {"admin"}, "creditor": {"acme"}, "verdict": {"approve"}, "language": {"fr"}, "day": {"2026-01-01"},
			}
		}
		for what, csrf := range map[string][]string{"no": nil, "an empty": {""}, "another's": {other.csrf}} {
			f := full()
			if csrf != nil {
				f["csrf"] = csrf
			}
			if status, _, _ := r.ask(path, f); status != 403 {
				t.Errorf("POST %s with %s token: status %d, want 403", path, what, status)
			}
		}
		f := full()
		f.Set("csrf", r.csrf)
		status, _, at := d.stranger().ask(path, f)
		if status != 403 && at != "/console/sign-in" {
			t.Errorf("POST %s of a stranger: status %d at %s", path, status, at)
		}
	}
	if posts < 15 {
		t.Errorf("%d forms, expected more", posts)
	}
	after, err := d.engine.Acts(t.Context(), "acme", math.MaxInt64, 1000)
	if err != nil || len(after) != len(before) {
		t.Errorf("a refused form did something: %v, %v", after, err)
	}
}

// Each role may do what it is for, and no more.
func TestRoles(t *testing.T) {
	d := newDesk(t, Config{})
	for _, role := range engine.Roles {
		for _, creditor := range []string{"acme", ""} {
			r := d.as(creditor, role)
			for _, route := range d.console.routes() {
				if route.path == "sign-out" || strings.HasPrefix(route.path, "oidc") || route.path == "sign-in" {
					continue
				}
				path := "/console/" + strings.TrimSuffix(route.path, "{$}")
				form := r.form()
				if route.method == "GET" {
					form = nil
				}
				status, _, _ := r.ask(path, form)
				may := slices.Contains(rights[role], route.right) && (route.right != model || creditor == "")
				if refused := status == 403; refused == may {
					t.Errorf("%s of %q: %s %s: status %d, may %v", role, creditor, route.method, path, status, may)
				}
			}
		}
	}
}

func TestPages(t *testing.T) {
	d := newDesk(t, Config{})
	for i := range 60 {
		d.owes("acme", fmt.Sprintf("D-%02d", i), 1000+i)
	}
	first := d.recommend("acme", "D-59")
	if !first.RequiresApproval {
		t.Fatalf("%+v", first)
	}
	r := d.as("acme", "controller")

	page := r.get("/console/")
	wants(t, "today", page, "Wacht op goedkeuring", `href="/console/debtor?id=D-59"`, "Goedkeuren", "Gebruikte capaciteit", " / 10", "€\u00a061.770")
	page = r.get("/console/debtors")
	if n := strings.Count(page, `scope="row"`); n != perPage {
		t.Errorf("%d debtors on a page", n)
	}
	wants(t, "the list", page, "1 tot 50 van 60", "page=2", "€\u00a01.059,00", "bedrijf")
	if page = r.get("/console/debtors?page=2"); strings.Count(page, `scope="row"`) != 10 {
		t.Error("the last page has not 10 debtors")
	}
	if page = r.get("/console/debtors?q=d-1"); strings.Count(page, `scope="row"`) != 10 {
		t.Error("those of d-1 are not 10")
	}
	if _, _, at := r.ask("/console/debtors?q=D-07", nil); at != "/console/debtor" {
		t.Errorf("a whole id leads to %s", at)
	}

	page = r.get("/console/debtor?id=D-59")
	wants(t, "the debtor", page, "Wanneer deze debiteur kijkt", "Reactie per kanaal", "Nog onbetaald", "Dagen te laat, per factuur", "Tijdlijn", "wacht op goedkeuring",
		"Waarom", "In de plaats", "Factuur", "Betaling", "Ander tijdstip of kanaal", "Blokkeren")
	if n := strings.Count(page, `type="application/json"`); n != 4 {
		t.Errorf("%d figures", n)
	}
	for _, block := range regexp.MustCompile(`(?s)<script type="application/json">(.*?)</script>`).FindAllStringSubmatch(page, -1) {
		if !json.Valid([]byte(block[1])) {
			t.Errorf("a figure is not JSON: %.200s", block[1])
		}
	}
	for _, path := range []string{"reports", "models", "settings", "alerts", "figure?figure=forecast", "figure?figure=backtest", "figure?figure=uplift"} {
		r.get("/console/" + path)
	}
	for language, want := range map[string]string{"fr": "Débiteurs", "en-GB": "Debtors", "de": "Debtors"} {
		r.language = language
		wants(t, language, r.get("/console/"), want)
	}
	r.send("/console/taste", "language", "fr", "theme", "dark", "back", "/console/debtors")
	wants(t, "by taste", r.get("/console/"), `<html lang="fr" data-theme="dark">`)
}

// A person approves, changes, holds and notes; the timeline tells it, with who
// and why.
func TestActs(t *testing.T) {
	d := newDesk(t, Config{})
	for _, id := range []string{"D-1", "D-2", "D-3"} {
		d.owes("acme", id, 900)
	}
	one, two, three := d.recommend("acme", "D-1"), d.recommend("acme", "D-2"), d.recommend("acme", "D-3")
	r := d.as("acme", "controller")
	page := r.send("/console/decision", "decision", one.ID, "verdict", "approve", "back", "/console/debtor?id=D-1")
	wants(t, "after approval", page, "Goedgekeurd", "user:controller.acme", "gepland")
	page = r.send("/console/decision", "decision", two.ID, "verdict", "override", "channel", "phone", "send_at", "2026-03-03T10:30", "zone", "Europe/Brussels",
		"note", "asked "+evil, "back", "/console/debtor?id=D-2")
	wants(t, "after an override", page, "Door een mens gewijzigd", "di 3 mrt 10:30", "asked &lt;script&gt;")
	got, err := d.engine.Decision(t.Context(), "acme", two.ID)
	if err != nil || got.Status != "overridden" || len(got.Reviews) != 1 || got.Reviews[0].Channel != "phone" ||
		!got.Reviews[0].SendAt.Equal(time.Date(2026, 3, 3, 9, 30, 0, 0, time.UTC)) || got.Reviews[0].Actor != "user:controller.acme" {
		t.Errorf("%+v, %v", got, err)
	}
	page = r.send("/console/decision", "decision", three.ID, "verdict", "reject", "back", "/console/debtor?id=D-3")
	wants(t, "after a rejection", page, "niet verstuurd: afgewezen")
	wants(t, "today", r.get("/console/"), "Niets wacht op jou")

	page = r.send("/console/note", "id", "D-1", "text", "called "+evil, "back", "/console/debtor?id=D-1")
	wants(t, "after a note", page, "Genoteerd.", "called &lt;script&gt;")
	d.now = d.now.Add(time.Minute)
	page = r.send("/console/hold", "id", "D-1", "reason", "new director", "until", "2026-03-20", "back", "/console/debtor?id=D-1")
	wants(t, "after a hold", page, "door ons geblokkeerd", "new director", "Blokkering opheffen")
	if next := d.recommend("acme", "D-1"); next.Action != engine.ActionHold || next.HoldReason != engine.HoldCreditor {
		t.Errorf("decided %+v in spite of the hold", next)
	}
	d.now = d.now.Add(time.Minute)
	page = r.send("/console/release", "id", "D-1", "back", "/console/debtor?id=D-1")
	wants(t, "after the release", page, "De blokkering is opgeheven", "te contacteren", "door een mens opgeheven")
	r.send("/console/recommend", "id", "D-1", "back", "/console/debtor?id=D-1")
	wants(t, "asked anew", r.get("/console/debtor?id=D-1&only=decision"), "niet verstuurd: een andere beslissing volgde", "Niet verstuurd: geblokkeerd")

	for what, form := range map[string]url.Values{
		"a decision twice": r.form("decision", three.ID, "verdict", "approve"),
		"a past day":       r.form("id", "D-1", "reason", "x", "until", "2026-01-01"),
		"no reason":        r.form("id", "D-1", "until", "2026-12-31"),
		"no such verdict":  r.form("decision", one.ID, "verdict", "burn"),
	} {
		path := "/console/hold"
		if form.Has("decision") {
			path = "/console/decision"
		}
		if status, _, _ := r.ask(path, form); status != 409 && status != 422 {
			t.Errorf("%s: status %d", what, status)
		}
	}
	r.ask("/console/note", r.form("id", "D-1", "text", "x", "back", "https://evil.example/"))
	if _, _, at := r.ask("/console/note", r.form("id", "D-1", "text", "x", "back", "//evil.example/")); at != "/console/" {
		t.Errorf("a form leads to %s", at)
	}
}

// What is another's does not exist.
func TestAnothersIsNotFound(t *testing.T) {
	d := newDesk(t, Config{})
	d.owes("acme", "D-1", 900)
	d.owes("other", "X-1", 900)
	theirs := d.recommend("other", "X-1")
	if _, key, err := d.store.CreateKey(t.Context(), "other", nil); err != nil {
		t.Fatal(err)
	} else if _, err := d.engine.CreateUser(t.Context(), engine.User{Name: "theirs", Creditor: "other", Role: "controller"}, "", "test"); err != nil {
		t.Fatal(err)
	} else {
		r := d.as("acme", "admin")
		for _, path := range []string{
			"debtor?id=X-1", "debtor?creditor=other&id=X-1", "?creditor=other", "debtors?creditor=other", "reports?creditor=other", "settings?creditor=other",
			"figure.csv?creditor=other&figure=dso", "figure.csv?figure=late&id=X-1", "figure?figure=none", "debtor?id=none", "none",
		} {
			if status, _, _ := r.ask("/console/"+path, nil); status != 404 {
				t.Errorf("GET %s: status %d, want 404", path, status)
			}
		}
		for path, form := range map[string]url.Values{
			"decision": r.form("decision", theirs.ID, "verdict", "approve"), "recommend": r.form("id", "X-1"), "note": r.form("id", "X-1", "text", "x"),
			"hold": r.form("id", "X-1", "reason", "x", "until", "2026-12-31"), "key/revoke": r.form("key", key.ID),
			"user/change": r.form("name", "theirs", "do", "disable"), "settings": r.form("creditor", "other", "autonomy", "auto"),
			"alerts": r.form("alert", "none", "verdict", "confirmed"),
		} {
			if status, _, _ := r.ask("/console/"+path, form); status != 404 {
				t.Errorf("POST %s: status %d, want 404", path, status)
			}
		}
		wants(t, "an operator", d.as("", "controller").get("/console/debtor?creditor=other&id=X-1"), "X-1")
	}
}

// Ids and texts of events and people are shown as text, wherever they stand.
func TestInjection(t *testing.T) {
	d := newDesk(t, Config{})
	d.owes("acme", evil, 900)
	d.owes("acme", `=HYPERLINK("x")`, 800)
	d.recommend("acme", evil)
	r := d.as("acme", "controller")
	for _, path := range []string{"", "debtors", "debtor?id=" + url.QueryEscape(evil), "debtors?q=" + url.QueryEscape(evil+"x"), "alerts?debtor=" + url.QueryEscape(evil)} {
		wants(t, path, r.get("/console/"+path), "&lt;script&gt;") // and ask refuses the plain one
	}
	r.get("/console/?done=" + url.QueryEscape(evil) + "&undo=" + url.QueryEscape(evil))
	status, text, _ := r.ask("/console/figure.csv?figure=late&id="+url.QueryEscape(`=HYPERLINK("x")`), nil)
	if status != 200 {
		t.Fatal(status)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 3 || rows[2][1] != `i-=HYPERLINK("x")` || rows[2][2] != "21" {
		t.Errorf("%q, %v", rows, err)
	}
	rec := httptest.NewRecorder()
	if err := (&figure{Head: []string{"x"}, Rows: [][]cell{{{Text: "=1+1", raw: "=1+1"}}}}).writeCSV(rec); err != nil || rec.Body.String() != "x\n'=1+1\n" {
		t.Errorf("%q, %v", rec.Body, err)
	}
}

func TestSettings(t *testing.T) {
	d := newDesk(t, Config{})
	r := d.as("acme", "admin")
	page := r.send("/console/settings", "autonomy", "auto", "approval_above", "2500.5", "control_share", "12.5", "capacity_phone", "", "capacity_letter", "40",
		"loss_rate", "1.5", "back", "/console/settings")
	wants(t, "settings", page, "Instellingen bewaard", "user:admin.acme", "/autonomy", "/capacities/phone", "/capacities/letter", "/value/loss_rate")
	c, err := d.engine.Creditor("acme")
	if err != nil || c.Autonomy != "auto" || c.ApprovalAbove != 2500.5 || c.ControlShare != 0.125 || c.Value.LossRate != 0.015 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, bounded := c.Capacities["phone"]; bounded || c.Capacities["letter"] != 40 {
		t.Errorf("capacities %v", c.Capacities)
	}
	wants(t, "the pack", page, "be-b2b", "Zekerheid")
	for _, bad := range [][]string{{"autonomy", "never"}, {"control_share", "x"}, {"policy_pack", "none"}, {"capacity_phone", "-1"}, {"loss_rate", "NaN"}} {
		if status, _, _ := r.ask("/console/settings", r.form(bad...)); status != 422 {
			t.Errorf("%v: status %d", bad, status)
		}
	}

	page = r.send("/console/key", "scope", "ingest", "scope", "recommend")
	key := regexp.MustCompile(`rk_[0-9A-Za-z]{43}`).FindString(page)
	if k, err := d.engine.Key(t.Context(), key); err != nil || k.Creditor != "acme" || len(k.Scopes) != 2 {
		t.Errorf("%+v, %v", k, err)
	} else {
		wants(t, "settings", r.get("/console/settings"), k.ID)
		r.send("/console/key/revoke", "key", k.ID, "back", "/console/settings")
		if _, err := d.engine.Key(t.Context(), key); err == nil {
			t.Error("the key still holds")
		}
	}

	r.send("/console/user", "name", "jan", "role", "controller", "password", "correct horse", "back", "/console/settings")
	if _, err := d.engine.SignIn(t.Context(), "jan", "correct horse"); err != nil {
		t.Error(err)
	}
	r.send("/console/user/change", "name", "jan", "do", "role", "role", "manager")
	r.send("/console/user/change", "name", "jan", "do", "disable")
	if users, err := d.engine.Users(t.Context(), "acme"); err != nil || users[1].Role != "manager" || users[1].DisabledAt.IsZero() {
		t.Errorf("%+v, %v", users, err)
	}
	r.send("/console/user/change", "name", "jan", "do", "enable")
	r.send("/console/user/change", "name", "jan", "do", "password", "password", "another horse")
	if _, err := d.engine.SignIn(t.Context(), "jan", "another horse"); err != nil {
		t.Error(err)
	}
	if status, _, _ := r.ask("/console/user/change", r.form("name", "admin.acme", "do", "role", "role", "controller")); status != 409 {
		t.Errorf("an admin's own role: status %d", status)
	}
	for _, bad := range [][]string{{"name", "jan", "role", "controller", "password", "correct horse"}, {"name", "<b>", "role", "admin", "password", "correct horse"}, {"name", "els", "role", "admin", "password", "short"}} {
		if status, _, _ := r.ask("/console/user", r.form(bad...)); status != 409 && status != 422 {
			t.Errorf("%v: status %d", bad, status)
		}
	}
	wants(t, "the audit log", r.get("/console/settings"), "create key", "revoke key", "create user", "change user")
}

// A reader may look from another moment; what came after plays no part.
func TestLookFrom(t *testing.T) {
	d := newDesk(t, Config{})
	d.owes("acme", "D-1", 900)
	r := d.as("acme", "controller")
	wants(t, "now", r.get("/console/debtors"), "D-1")
	page := r.send("/console/clock", "day", "2026-02-01", "back", "/console/debtors")
	wants(t, "in February", page, "Je kijkt vanaf", "Niemand heeft achterstand")
	wants(t, "now again", r.send("/console/clock", "day", "", "back", "/console/debtors"), "D-1")
	if status, _, _ := r.ask("/console/clock", r.form("day", "x")); status != 422 {
		t.Errorf("a day that is none: status %d", status)
	}
}

// Every text of the pages is said in every language, and every word of the
// wire that a page names.
func TestWords(t *testing.T) {
	keys := map[string]string{}
	in := func(file, pattern, source string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(source, -1) {
			keys[strings.ReplaceAll(m[1], `\"`, `"`)] = file
		}
	}
	names, err := filepath.Glob("pages/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		in(name, `\.T "([^"]*)"`, read(t, name))
		in(name, `\.N [^ ]+ "([^"]*)"`, read(t, name))
	}
	if names, err = filepath.Glob("*.go"); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			in(name, `\.T\("((?:[^"\\]|\\.)*)"[,)]`, read(t, name))
			in(name, `\.N\([^"]*, "((?:[^"\\]|\\.)*)"[,)]`, read(t, name))
			in(name, `\.back\("((?:[^"\\]|\\.)+)"[,)]`, read(t, name))
		}
	}
	for key, file := range keys {
		_, a := words[key]
		if _, b := codes[key]; !a && !b {
			t.Errorf("%s: %q is not said in Dutch and French", file, key)
		}
	}
	for key, w := range words {
		for i, s := range w {
			if s == "" || strings.Count(s, "%s") != strings.Count(key, "%s") {
				t.Errorf("%q in %s: %q", key, languages[i+1], s)
			}
		}
	}
	for key, w := range ones {
		_, a := words[key]
		if _, b := codes[key]; !a && !b {
			t.Errorf("%q is said for one and not for many", key)
		}
		for i, s := range w {
			if s == "" || strings.Count(s, "%s") != strings.Count(key, "%s") {
				t.Errorf("one of %q in %s: %q", key, languages[i], s)
			}
		}
	}
	for _, status := range []string{"sent", "waiting", "planned", "rejected", "superseded", "expired"} {
		if french.Fate(status) == "fate "+status {
			t.Errorf("the fate %q has no words", status)
		}
	}
	for _, kind := range alertKinds {
		if dutch.AlertKind(kind) == "alert "+kind {
			t.Errorf("the kind %q has no words", kind)
		}
	}
}

// TestPlurals: one is one in each language, and nothing takes the singular in
// French alone.
func TestPlurals(t *testing.T) {
	for _, tt := range []struct {
		t    tongue
		x    float64
		unit string
		want string
	}{
		{english, 1, "promises", "1 promise"},
		{english, 2, "promises", "2 promises"},
		{english, 0, "promises", "0 promises"},
		{english, 1.5, "days", "1.5 days"},
		{english, 1.02, "days", "1.0 day"},
		{dutch, 1, "invoices", "1 factuur"},
		{dutch, 0, "invoices", "0 facturen"},
		{dutch, 12, "contacts", "12 contacten"},
		{french, 0, "days", "0 jour"},
		{french, 1.5, "days", "1,5 jour"},
		{french, 2, "days", "2 jours"},
	} {
		if got := tt.t.Amount(tt.x, tt.unit); got != tt.want {
			t.Errorf("%s: %q, want %q", languages[tt.t], got, tt.want)
		}
	}
	for _, tt := range []struct {
		t    tongue
		n    int
		want string
	}{{english, 1, "1 day late"}, {english, 2, "2 days late"}, {dutch, 1, "1 dag te laat"}, {dutch, 0, "0 dagen te laat"}, {french, 0, "0 jour de retard"}, {french, 2, "2 jours de retard"}} {
		if got := tt.t.N(tt.n, "%s days late", tt.t.Count(tt.n)); got != tt.want {
			t.Errorf("%s: %q, want %q", languages[tt.t], got, tt.want)
		}
	}
}

func TestFormats(t *testing.T) {
	at := time.Date(2026, 3, 1, 14, 5, 0, 0, time.UTC)
	for _, c := range []struct {
		got  func(t tongue) string
		want [3]string // English, Dutch, French
	}{
		{func(t tongue) string { return t.money("EUR", 1234567.5, 2) }, [3]string{"€1,234,567.50", "€\u00a01.234.567,50", "1\u00a0234\u00a0567,50\u00a0€"}},
		{func(t tongue) string { return t.money("EUR", -0.5, 2) }, [3]string{"−€0.50", "−€\u00a00,50", "−0,50\u00a0€"}},
		{func(t tongue) string { return t.money("CHF", 12, 0) }, [3]string{"CHF\u00a012", "CHF\u00a012", "12\u00a0CHF"}},
		{func(t tongue) string { return t.Percent(0.0734) }, [3]string{"7.3%", "7,3\u00a0%", "7,3\u00a0%"}},
		{func(t tongue) string { return t.Percent(0.5) }, [3]string{"50%", "50\u00a0%", "50\u00a0%"}},
		{func(t tongue) string { return t.Date(at) }, [3]string{"1 Mar 2026", "1 mrt 2026", "1er mars 2026"}},
		{func(t tongue) string { return t.LongDate(at) }, [3]string{"Sunday 1 March 2026", "zondag 1 maart 2026", "dimanche 1er mars 2026"}},
		{func(t tongue) string { return t.When(at) }, [3]string{"Sun 1 Mar 2026 14:05", "zo 1 mrt 2026 14:05", "dim. 1er mars 2026 14:05"}},
		{func(t tongue) string { return t.Days(2.5) }, [3]string{"2.5", "2,5", "2,5"}},
	} {
		for i, want := range c.want {
			if got := c.got(tongue(i)); got != want {
				t.Errorf("%s: %q, want %q", languages[i], got, want)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
