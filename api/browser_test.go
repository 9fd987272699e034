package api_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"rappel/engine"
)

// axe is axe-core, by make vendor-console.
//
//go:embed testdata/axe.min.js
var axe string

// browser is a real Chromium, headless, with a fresh profile. It fails the test
// for whatever a page logs as an error, for a breach of the policy of the page,
// and for any request to another host.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu     sync.Mutex
	faults []string
}

func openBrowser(t *testing.T, base, language string) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("no Chromium: apt-get install chromium, or make test, which does")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("accept-lang", language), chromedp.UserDataDir(t.TempDir()),
	}
	allocated, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocated)
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(tab, 4*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, base: base}
	chromedp.ListenTarget(ctx, b.listen)
	b.run(network.Enable(), cdplog.Enable(), runtime.Enable())
	b.screen(1280, 900, "light")
	return b
}

func (b *browser) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

func (b *browser) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			for _, a := range e.Args {
				b.fault("console: %s", a.Value)
			}
		}
	case *runtime.EventExceptionThrown:
		b.fault("exception: %s", e.ExceptionDetails.Error())
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.LevelError || e.Entry.Source == cdplog.SourceSecurity {
			b.fault("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if to := e.Request.URL; !strings.HasPrefix(to, b.base+"/") && !strings.HasPrefix(to, "data:") {
			b.fault("asked another host for %s", to)
		}
	}
}

// settled fails the test for what went wrong since.
func (b *browser) settled(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Errorf("%s: %s", where, f)
	}
	b.faults = nil
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// screen sets the size of the screen and the reader's taste of colours.
func (b *browser) screen(width, height int64, scheme string) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(width, height),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}))
}

// open opens a page and waits until its figures are drawn.
func (b *browser) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.base+path), chromedp.WaitReady("main"))
	b.drawn()
}

// drawn waits until each figure of the page has been drawn, and none is blank.
func (b *browser) drawn() {
	b.t.Helper()
	const blank = `(() => {
		if (document.querySelector(".loading")) return "a figure is still being computed";
		for (const box of document.querySelectorAll(".chart")) {
			const canvas = box.querySelector("canvas");
			if (!canvas) return "a figure without canvas";
			const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
			let inked = 0;
			for (let i = 3; i < pixels.length; i += 4) if (pixels[i]) inked++;
			if (inked < 500) return box.getAttribute("aria-label") + ": only " + inked + " pixels";
		}
		return "";
	})()`
	var why string
	for range 100 {
		b.run(chromedp.Evaluate(blank, &why))
		if why == "" {
			return
		}
		b.run(chromedp.Sleep(100 * time.Millisecond))
	}
	b.t.Errorf("not drawn: %s", why)
}

func (b *browser) text(selector string) (s string) {
	b.t.Helper()
	b.run(chromedp.Text(selector, &s, chromedp.ByQuery))
	return s
}

func (b *browser) count(selector string) (n int) {
	b.t.Helper()
	b.run(chromedp.Evaluate(fmt.Sprintf("document.querySelectorAll(%q).length", selector), &n))
	return n
}

// press clicks and waits for the page that follows.
func (b *browser) press(selector string) {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(selector, chromedp.ByQuery)); err != nil {
		b.t.Fatalf("press %s: %v", selector, err)
	}
	b.drawn()
}

// accessible runs axe on the page and fails for what is serious or critical.
func (b *browser) accessible(where string) {
	b.t.Helper()
	const check = `axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
		.then((r) => JSON.stringify(r.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
		.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + n.any.map((a) => a.message).join(" ")).join(" | "))))`
	var list string
	b.run(chromedp.Evaluate(axe+";0", nil), chromedp.Evaluate(check, &list, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var violations []string
	if err := json.Unmarshal([]byte(list), &violations); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range violations {
		b.t.Errorf("%s: %s", where, v)
	}
}

// narrow fails the test where a page is wider than the screen.
func (b *browser) narrow(where string) {
	b.t.Helper()
	var over string
	b.run(chromedp.Evaluate(`(() => {
		if (document.documentElement.scrollWidth <= innerWidth) return "";
		for (const e of document.querySelectorAll("main *")) {
			if (!e.closest(".wide") && e.getBoundingClientRect().right > innerWidth + 1) return e.outerHTML.slice(0, 200);
		}
		return "?";
	})()`, &over))
	if over != "" {
		b.t.Errorf("%s: wider than the screen: %s", where, over)
	}
}

// slipped is what makes the morning's alert: a debtor who promised and did not
// pay.
func slipped(debtor string) []object {
	return []object{
		event("case.opened", debtor, days(-12), object{"case_id": "promise-" + debtor, "kind": "promise", "expires_on": days(-5).Format(time.DateOnly)}),
	}
}

// The morning of a controller, in Dutch, in a real browser: from signing in to
// a verdict on the first alert, an approval and an override, at a desk and on a
// phone, in light and in dark.
func TestMorningOfAController(t *testing.T) {
	started := time.Now()
	now := func() time.Time { return morning.Add(time.Hour + time.Since(started)) }
	s := openAt(t, filepath.Join(t.TempDir(), "w.duckdb"), now)
	s.admin = s.key("")
	s.must(200, "PUT", "/v1/creditors/"+acme, object{"name": "Acme", "policy_pack": "be-b2b", "autonomy": "approve", "capacities": object{"phone": 20}})
	s.must(200, "POST", "/v1/events", history(24))
	s.must(200, "POST", "/v1/events", append(slipped("D-3"), slipped("D-5")...))
	s.must(200, "POST", "/v1/learn", object{"creditor_id": acme, "as_of": morning})
	s.must(200, "POST", "/v1/recommendations/batch", object{"creditor_id": acme, "debtor_ids": "all_overdue", "as_of": morning, "language": "nl"})
	const password = "een lang wachtwoord"
	for name, role := range map[string]string{"jan": "controller", "eva": "admin"} {
		if _, err := s.engine.CreateUser(t.Context(), engine.User{Name: name, Creditor: acme, Role: role}, password, "test"); err != nil {
			t.Fatal(err)
		}
	}

	b := openBrowser(t, s.url, "nl-BE,nl")
	signIn := func(name string) {
		t.Helper()
		b.run(chromedp.Navigate(s.url+"/console/sign-in"), chromedp.WaitReady("[name=password]"))
		b.run(chromedp.SendKeys("[name=name]", name, chromedp.ByQuery), chromedp.SendKeys("[name=password]", password, chromedp.ByQuery))
		b.press("main form button")
	}
	b.open("/console/sign-in")
	b.accessible("sign-in")
	signIn("jan")
	if got := b.text("h1"); got != "Vandaag" {
		t.Fatalf("after signing in: %q", got)
	}

	// The first alert, and its debtor.
	if b.count(".alert") == 0 {
		t.Fatal("no alert this morning")
	}
	debtor := b.text(".alert h3 a")
	told := b.text(".alert")
	for _, want := range []string{"op het spel", "Sinds", "Verwacht", "Gezien", "Waarschijnlijke oorzaak", "€"} {
		if !strings.Contains(told, want) {
			t.Errorf("the alert lacks %q: %s", want, told)
		}
	}
	b.press(".alert h3 a")
	if got := b.text("h1"); got != debtor {
		t.Errorf("the alert leads to %q, want %s", got, debtor)
	}
	if n := b.count(".chart:has(canvas)"); n != 4 {
		t.Errorf("%d figures are drawn, want 4", n)
	}
	b.press(".alert + form [value=confirmed], .alert [value=confirmed]")
	alerts := into[struct {
		Alerts []struct {
			Debtor  string `json:"debtor_id"`
			History []struct{ By, Verdict string }
		}
	}](t, s.must(200, "GET", "/v1/alerts?creditor_id=acme&status=confirmed", nil))
	if len(alerts.Alerts) != 1 || alerts.Alerts[0].Debtor != debtor || alerts.Alerts[0].History[len(alerts.Alerts[0].History)-1].By != "user:jan" {
		t.Errorf("confirmed by the API: %+v", alerts.Alerts)
	}

	// One action approved, another changed.
	b.open("/console/")
	approved := b.text("#approvals li:nth-child(1) strong")
	changed := b.text("#approvals li:nth-child(2) strong")
	b.press("#approvals li:nth-child(1) [value=approve]")
	b.open("/console/debtor?id=" + url.QueryEscape(changed))
	b.run(chromedp.Click("#other summary", chromedp.ByQuery), chromedp.WaitVisible("#other [name=channel]", chromedp.ByQuery))
	b.run(chromedp.SetValue("#other [name=channel]", "phone", chromedp.ByQuery), chromedp.SetValue("#other [name=send_at]", "2026-03-03T10:30", chromedp.ByQuery),
		chromedp.SendKeys("#other [name=note]", "liever bellen", chromedp.ByQuery))
	b.press("#other [value=override]")
	if story := b.text("#timeline"); !strings.Contains(story, "Door een mens gewijzigd") || !strings.Contains(story, "liever bellen") ||
		!strings.Contains(story, "di 3 mrt 10:30") || !strings.Contains(story, "user:jan") {
		t.Errorf("the timeline of %s: %s", changed, story)
	}
	b.open("/console/debtor?id=" + url.QueryEscape(approved))
	if story := b.text("#timeline"); !strings.Contains(story, "Goedgekeurd") {
		t.Errorf("the timeline of %s: %s", approved, story)
	}
	for debtor, want := range map[string]string{approved: "approved", changed: "overridden"} {
		profile := into[struct {
			Timeline []struct{ Kind, ID string }
		}](t, s.must(200, "GET", debtorPath(debtor, acme), nil))
		i := slices.IndexFunc(profile.Timeline, func(h struct{ Kind, ID string }) bool { return h.Kind == "decision.contact" })
		if i < 0 {
			t.Fatalf("%s has no decision", debtor)
		}
		if d := into[decision](t, s.must(200, "GET", "/v1/decisions/"+profile.Timeline[i].ID, nil)); d.Status != want || len(d.Reviews) != 1 || d.Reviews[0].Actor != "user:jan" {
			t.Errorf("the decision of %s by the API: %+v", debtor, d)
		}
	}
	b.settled("the morning")

	// Along a list by keys alone.
	b.open("/console/debtors")
	b.run(chromedp.KeyEvent("j"), chromedp.KeyEvent("j"))
	var at string
	b.run(chromedp.Evaluate("document.activeElement.textContent", &at))
	if second := b.text("tbody tr:nth-child(2) th a"); at != second {
		t.Errorf("two keys lead to %q, want %q", at, second)
	}

	// Every page: for everyone, at any width, in any light.
	signIn("eva")
	pages := []string{"", "debtors", "debtor?id=" + url.QueryEscape(debtor), "alerts?status=", "reports", "models", "settings"}
	for _, scheme := range []string{"light", "dark"} {
		b.screen(1280, 900, scheme)
		for _, path := range pages {
			b.open("/console/" + path)
			b.accessible(scheme + " /console/" + path)
			b.settled(scheme + " /console/" + path)
		}
	}
	b.screen(390, 844, "light")
	for _, path := range pages {
		b.open("/console/" + path)
		b.narrow("on a phone /console/" + path)
		b.accessible("on a phone /console/" + path)
		b.settled("on a phone /console/" + path)
	}
}
