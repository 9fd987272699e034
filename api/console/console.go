// Package console serves the pages for people: who is overdue, what to do next
// with each, and what is known of one debtor. It reads only, asks nothing of
// any other host, and runs no script.
package console

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// Engine is what the pages ask.
type Engine interface {
	Key(ctx context.Context, text string) (engine.Key, error)
	Creditors() []string
	Creditor(id string) (engine.Creditor, error)
	Worklist(ctx context.Context, creditor string, asOf time.Time, from, n int) ([]engine.Owing, int, error)
	Debtor(ctx context.Context, key ledger.Key, asOf time.Time) (*engine.Profile, error)
}

//go:embed pages/*.html console.css
var files embed.FS

// policy lets a page load its own style sheet and post to itself, no more.
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// perPage is how many debtors one page lists.
const perPage = 50

type console struct {
	engine   Engine
	now      func() time.Time
	log      *slog.Logger
	sessions *sessions
	pages    map[string]*template.Template
}

// New returns the pages, which live under /console/. The clock ends sessions
// and stands in where a page names no moment.
func New(e Engine, now func() time.Time, log *slog.Logger) http.Handler {
	c := &console{engine: e, now: now, log: log, sessions: &sessions{now: now, byToken: map[string]session{}}, pages: map[string]*template.Template{}}
	for _, name := range []string{"signin", "worklist", "debtor", "fault"} {
		c.pages[name] = template.Must(template.New("frame.html").ParseFS(files, "pages/frame.html", "pages/"+name+".html"))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console/console.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "console.css") })
	mux.HandleFunc("GET /console/sign-in", c.signInPage)
	mux.HandleFunc("POST /console/sign-in", c.signIn)
	mux.HandleFunc("POST /console/sign-out", c.signOut)
	mux.HandleFunc("GET /console/{$}", c.signedIn(c.worklist))
	mux.HandleFunc("GET /console/debtor", c.signedIn(c.debtor))
	mux.HandleFunc("/console/", func(w http.ResponseWriter, r *http.Request) { c.fault(w, r, ledger.ErrNotFound) })
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		guarded.ServeHTTP(w, r)
	})
}

// view is what every page shows; Body is its own.
type view struct {
	Language  string
	SignedIn  bool
	Creditor  string
	Creditors []string
	AsOf      string
	Body      any

	tongue tongue
}

// T returns a text in the reader's language.
func (v view) T(key string) string { return say(v.tongue, key) }

// Money writes an amount as the reader's language does.
func (v view) Money(x float64) string { return money(v.tongue, x) }

// Percent writes a share.
func (v view) Percent(x float64) string { return strconv.Itoa(int(x*100+0.5)) + " %" }

// When writes a moment in its own zone.
func (v view) When(t time.Time) string { return t.Format("2006-01-02 15:04") }

func (c *console) view(r *http.Request) view {
	t := tongueOf(r.Header.Get("Accept-Language"))
	return view{Language: languages[t], tongue: t}
}

// show writes a page, whole or not at all.
func (c *console) show(w http.ResponseWriter, r *http.Request, status int, page string, v view) {
	var out bytes.Buffer
	if err := c.pages[page].Execute(&out, v); err != nil {
		c.log.LogAttrs(r.Context(), slog.LevelError, "console page", slog.String("page", page), slog.Any("error", err))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", v.Language)
	w.WriteHeader(status)
	_, _ = out.WriteTo(w)
}

// fault shows an error as a page, without its text.
func (c *console) fault(w http.ResponseWriter, r *http.Request, err error) {
	v := c.view(r)
	if errors.Is(err, ledger.ErrNotFound) {
		v.Body = "not found"
		c.show(w, r, http.StatusNotFound, "fault", v)
		return
	}
	c.log.LogAttrs(r.Context(), slog.LevelError, "console", slog.String("path", r.URL.Path), slog.Any("error", err))
	v.Body = "went wrong"
	c.show(w, r, http.StatusInternalServerError, "fault", v)
}

// visit is a request of someone who has signed in.
type visit struct {
	view view
	asOf time.Time
}

// signedIn finds who asks, of which creditor and as of when.
func (c *console) signedIn(page func(http.ResponseWriter, *http.Request, visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := c.who(r)
		if !ok {
			http.Redirect(w, r, "/console/sign-in", http.StatusSeeOther)
			return
		}
		visit, err := c.visit(r, key)
		if err == nil {
			err = page(w, r, visit)
		}
		if err != nil {
			c.fault(w, r, err)
		}
	}
}

func (c *console) visit(r *http.Request, key engine.Key) (visit, error) {
	v := visit{view: c.view(r), asOf: c.now()}
	v.view.SignedIn = true
	v.view.Creditors = c.engine.Creditors()
	if key.Creditor != "" {
		v.view.Creditors = []string{key.Creditor}
	}
	q := r.URL.Query()
	if v.view.Creditor = q.Get("creditor"); v.view.Creditor == "" && len(v.view.Creditors) > 0 {
		v.view.Creditor = v.view.Creditors[0]
	}
	if v.view.Creditor != "" && !slices.Contains(v.view.Creditors, v.view.Creditor) {
		return v, ledger.ErrNotFound
	}
	if day := q.Get("as_of"); day != "" {
		t, err := c.morning(v.view.Creditor, day)
		if err != nil {
			return v, ledger.ErrNotFound
		}
		v.asOf, v.view.AsOf = t, day
	}
	return v, nil
}

// morning is eight o'clock of a day where the creditor is.
func (c *console) morning(creditor, day string) (time.Time, error) {
	settings, err := c.engine.Creditor(creditor)
	if err != nil {
		return time.Time{}, err
	}
	loc, err := time.LoadLocation(settings.Timezone)
	if err != nil {
		return time.Time{}, err
	}
	return time.ParseInLocation("2006-01-02 15:04", day+" 08:00", loc)
}

type worklist struct {
	Debtors    []engine.Owing
	Total      int
	First      int // place of the first on this page, from 1
	Prev, Next int // pages, from 1; 0: none
}

// worklist shows the overdue debtors of a creditor, the largest claim first.
func (c *console) worklist(w http.ResponseWriter, r *http.Request, v visit) error {
	body := worklist{}
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || page < 1 || page > 1_000_000 {
		page = 1
	}
	if v.view.Creditor != "" {
		from := (page - 1) * perPage
		if body.Debtors, body.Total, err = c.engine.Worklist(r.Context(), v.view.Creditor, v.asOf, from, perPage); err != nil {
			return err
		}
		body.First = from + 1
		body.Prev = page - 1
		if from+perPage < body.Total {
			body.Next = page + 1
		}
	}
	v.view.Body = body
	c.show(w, r, http.StatusOK, "worklist", v.view)
	return nil
}

// debtorPage is what is known of one debtor, with its figures drawn.
type debtorPage struct {
	*engine.Profile
	Hours    []cell
	Days     []string
	Curve    string // points of the survival curve
	MaxShown bool   // the timeline is cut
}

// timelineShown is how much of a timeline one page shows.
const timelineShown = 200

// debtor shows one debtor.
func (c *console) debtor(w http.ResponseWriter, r *http.Request, v visit) error {
	key := ledger.Key{Creditor: v.view.Creditor, Debtor: r.URL.Query().Get("id")}
	p, err := c.engine.Debtor(r.Context(), key, v.asOf)
	if err != nil {
		return err
	}
	body := debtorPage{Profile: p, Hours: heat(v.view.tongue, p.OpenTimes.Availability), Days: weekdays[v.view.tongue][:], Curve: curve(p.Survival)}
	if len(p.Timeline) > timelineShown {
		p.Timeline, body.MaxShown = p.Timeline[:timelineShown], true
	}
	v.view.Body = body
	c.show(w, r, http.StatusOK, "debtor", v.view)
	return nil
}
