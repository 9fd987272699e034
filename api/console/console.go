// Package console serves the pages for people: what changed, what waits for
// them, the whole story of one debtor, how it all went, and the settings. The
// pages are made here, ask nothing of any other host, and work without scripts;
// with them the figures are drawn.
package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rappel/datasets/ledger"
	"rappel/engine"
)

//go:embed pages/*.html static/*.js static/*.css static/*.svg
var files embed.FS

// policy lets a page load its own scripts, styles and pieces, post to itself,
// and nothing more.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// perPage is how many lines one page of a list has.
const perPage = 50

// Config are the settings of the console.
type Config struct {
	OIDC OIDC // who vouches for users instead of passwords; zero: nobody
	// KeyRevoked is called when a key has been revoked here.
	KeyRevoked func()
}

type console struct {
	engine *engine.Engine
	now    func() time.Time
	log    *slog.Logger
	oidc   *provider // nil: passwords
	forget func()    // keys that are remembered elsewhere
	pages  map[string]*template.Template
	assets map[string]asset
	slow   slow
}

// right is what a role may do.
type right string

const (
	anyone   right = ""         // who has not signed in, too
	see      right = "see"      // read the pages
	review   right = "review"   // decide on alerts and proposals, hold, note
	model    right = "model"    // promote and roll back; of all creditors only
	settings right = "settings" // change a creditor's settings
	access   right = "access"   // users and keys
)

// rights are those of each role.
var rights = map[string][]right{
	"controller": {see, review},
	"analyst":    {see, model},
	"manager":    {see, review, settings},
	"admin":      {see, review, settings, model, access},
}

// route is one page or one act.
type route struct {
	method, path string
	right        right
	serve        func(*visit) error
}

// routes are all there are; the paths follow /console/.
func (c *console) routes() []route {
	return []route{
		{"GET", "sign-in", anyone, c.signInPage},
		{"POST", "sign-in", anyone, c.signIn},
		{"GET", "oidc", anyone, c.oidcStart},
		{"GET", "oidc/callback", anyone, c.oidcBack},
		{"POST", "sign-out", see, c.signOut},
		{"POST", "taste", see, c.taste},
		{"POST", "clock", see, c.clock},

		{"GET", "{$}", see, c.today},
		{"GET", "debtors", see, c.debtors},
		{"GET", "debtor", see, c.debtor},
		{"GET", "alerts", see, c.alerts},
		{"GET", "reports", see, c.reports},
		{"GET", "models", see, c.models},
		{"GET", "settings", see, c.settings},
		{"GET", "figure", see, c.figurePiece},
		{"GET", "figure.csv", see, c.figureCSV},

		{"POST", "alerts", review, c.judge},
		{"POST", "decision", review, c.decide},
		{"POST", "recommend", review, c.recommend},
		{"POST", "hold", review, c.hold},
		{"POST", "release", review, c.release},
		{"POST", "note", review, c.note},
		{"POST", "model", model, c.changeModel},
		{"POST", "settings", settings, c.changeSettings},
		{"POST", "key", access, c.createKey},
		{"POST", "key/revoke", access, c.revokeKey},
		{"POST", "user", access, c.createUser},
		{"POST", "user/change", access, c.changeUser},
	}
}

// pageNames are the templates within the frame.
var pageNames = []string{"signin", "today", "debtors", "debtor", "alerts", "reports", "models", "settings", "fault", "piece", "key"}

// New returns the pages, which live under /console/. The clock stands in where
// a reader looks from no other moment.
func New(e *engine.Engine, cfg Config, now func() time.Time, log *slog.Logger) http.Handler {
	_, pages := build(e, cfg, now, log)
	return pages
}

func build(e *engine.Engine, cfg Config, now func() time.Time, log *slog.Logger) (*console, http.Handler) {
	c := &console{engine: e, now: now, log: log, forget: cfg.KeyRevoked, pages: map[string]*template.Template{}, assets: map[string]asset{}}
	if cfg.OIDC.Issuer != "" {
		c.oidc = newProvider(cfg.OIDC)
	}
	for _, name := range pageNames {
		t := template.New("frame.html").Funcs(template.FuncMap{
			"asset": c.assetPath, "list": func(parts ...any) []any { return parts },
		})
		c.pages[name] = template.Must(t.ParseFS(files, "pages/frame.html", "pages/part.html", "pages/"+name+".html"))
	}
	mux := http.NewServeMux()
	names, err := fs.Glob(files, "static/*")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		c.addAsset(mux, name)
	}
	for _, r := range c.routes() {
		mux.HandleFunc(r.method+" /console/"+r.path, c.handler(r))
	}
	mux.HandleFunc("/console/", func(w http.ResponseWriter, r *http.Request) {
		c.fault(r.Context(), c.newVisit(w, r), ledger.ErrNotFound)
	})
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		guarded.ServeHTTP(w, r)
	})
}

// asset is a static file, plain and compressed.
type asset struct {
	kind          string
	plain, zipped []byte
	version       string
}

func (c *console) addAsset(mux *http.ServeMux, name string) {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(b)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(b) // to memory
	_ = z.Close()
	a := asset{plain: b, zipped: zipped.Bytes(), version: hex.EncodeToString(sum[:6])}
	switch {
	case strings.HasSuffix(name, ".css"):
		a.kind = "text/css; charset=utf-8"
	case strings.HasSuffix(name, ".svg"):
		a.kind = "image/svg+xml"
	default:
		a.kind = "text/javascript; charset=utf-8"
	}
	name = strings.TrimPrefix(name, "static/")
	c.assets[name] = a
	mux.HandleFunc("GET /console/static/"+name, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", a.kind)
		h.Set("Vary", "Accept-Encoding")
		if r.URL.Query().Get("v") == a.version {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		body := a.plain
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = a.zipped
		}
		_, _ = w.Write(body)
	})
}

// assetPath is where a static file of this version is found.
func (c *console) assetPath(name string) string {
	return "/console/static/" + name + "?v=" + c.assets[name].version
}

// visit is one request, and what every page shows. Body is the page's own.
type visit struct {
	tongue
	Language  string
	Theme     string
	Nav       string // the page that is open
	Title     string
	User      *engine.Session // nil: not signed in
	CSRF      string
	Creditor  string
	Currency  string
	Creditors []string
	Looking   bool // from another moment than now
	Done      string
	Undo      []string // alerts whose verdict can be taken back
	Here      string   // this page, to come back to
	Body      any

	w       http.ResponseWriter
	r       *http.Request
	token   string
	asOf    time.Time // zero: now
	moment  time.Time
	loc     *time.Location
	console *console
}

func (c *console) newVisit(w http.ResponseWriter, r *http.Request) *visit {
	t := tongueOf(r.Header.Get("Accept-Language"))
	return &visit{tongue: t, Language: languages[t], w: w, r: r, console: c, loc: time.UTC, moment: c.now()}
}

// May tells whether the reader may do something.
func (v *visit) May(what string) bool { return v.may(right(what)) }

func (v *visit) may(what right) bool {
	if what == anyone {
		return true
	}
	if v.User == nil || what == model && v.User.Creditor != "" {
		return false // a model serves all creditors
	}
	return slices.Contains(rights[v.User.Role], what)
}

// actor is how the books name the reader.
func (v *visit) actor() string { return engine.ActorOf(v.User.Name) }

// Link is the address of a page of this creditor, with pairs of parameters.
func (v *visit) Link(page string, pairs ...any) string {
	q := url.Values{}
	if v.Creditor != "" && (v.User == nil || v.User.Creditor == "") {
		q.Set("creditor", v.Creditor)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if s := fmt.Sprint(pairs[i+1]); s != "" {
			q.Set(fmt.Sprint(pairs[i]), s)
		}
	}
	if len(q) == 0 {
		return "/console/" + page
	}
	return "/console/" + page + "?" + q.Encode()
}

// Debtor is the address of a debtor's page.
func (v *visit) Debtor(id string) string { return v.Link("debtor", "id", id) }

// CSV is the address of a figure as a table.
func (v *visit) CSV(f *figure) string { return v.Link("figure.csv", "figure", f.ID, "id", f.debtor) }

// handler finds who asks, and serves what that person may see or do.
func (c *console) handler(r route) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		v := c.newVisit(w, req)
		if req.Method == http.MethodPost {
			req.Body = http.MaxBytesReader(w, req.Body, maxForm)
			if err := req.ParseForm(); err != nil {
				c.fault(req.Context(), v, errForm)
				return
			}
		}
		v.enter(req.Context())
		err := c.admit(v, r)
		if err == nil {
			err = r.serve(v)
		}
		if err != nil {
			c.fault(req.Context(), v, err)
		}
	}
}

// Errors of a request that its page words.
var (
	errForm    = errors.New("console: a form without its token, or one that cannot be read")
	errRight   = errors.New("console: the role may not do that")
	errAgain   = errors.New("console: sign in first")
	errNoField = errors.New("console: a field is missing or cannot be used")
)

// admit checks the reader's role, the token of a form, and the creditor.
func (c *console) admit(v *visit, r route) error {
	if v.User == nil && r.right != anyone {
		return errAgain
	}
	if r.method == http.MethodPost && !v.genuine(r) {
		return errForm
	}
	if !v.may(r.right) {
		return errRight
	}
	if v.User == nil {
		return nil
	}
	return v.choose()
}

// choose finds of which creditor the request speaks, and as of when. Another's
// does not exist for the reader.
func (v *visit) choose() error {
	e := v.console.engine
	v.Creditors = e.Creditors()
	if v.User.Creditor != "" {
		v.Creditors = []string{v.User.Creditor}
	}
	v.Creditor = v.r.FormValue("creditor")
	if v.Creditor == "" && len(v.Creditors) > 0 {
		v.Creditor = v.Creditors[0]
	}
	if !slices.Contains(v.Creditors, v.Creditor) {
		if v.Creditor == "" {
			return nil // there is none yet
		}
		v.Creditor = ""
		return ledger.ErrNotFound
	}
	settings, err := e.Creditor(v.Creditor)
	if err != nil {
		v.Creditor = ""
		return err
	}
	v.Currency = settings.Currency
	if v.loc, err = time.LoadLocation(settings.Timezone); err != nil {
		return err
	}
	if v.asOf = v.User.AsOf; !v.asOf.IsZero() {
		v.moment, v.Looking = v.asOf, true
	}
	return nil
}

// show writes a page, whole or not at all.
func (v *visit) show(status int, page, title string, body any) error {
	v.Title, v.Body, v.Nav = title, body, page
	v.Here = v.r.URL.RequestURI()
	if v.r.Method == http.MethodPost {
		v.Here = "/console/"
	}
	v.Done = v.r.URL.Query().Get("done")
	if undo := v.r.URL.Query().Get("undo"); undo != "" {
		v.Undo = strings.Split(undo, ",")
	}
	name := "frame.html"
	if page == "piece" {
		name = "piece"
	}
	var out bytes.Buffer
	if err := v.console.pages[page].ExecuteTemplate(&out, name, v); err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Language", v.Language)
	v.w.WriteHeader(status)
	_, _ = out.WriteTo(v.w)
	return nil
}

// fault shows an error as a page, without its text.
func (c *console) fault(ctx context.Context, v *visit, err error) {
	status, text := http.StatusInternalServerError, "Something went wrong; the log says what."
	var field *engine.FieldError
	var fields engine.FieldErrors
	switch {
	case ctx.Err() != nil:
		return // nobody waits for the answer any more
	case errors.Is(err, errAgain):
		http.Redirect(v.w, v.r, "/console/sign-in", http.StatusSeeOther)
		return
	case errors.Is(err, ledger.ErrNotFound):
		status, text = http.StatusNotFound, "There is no such page."
	case errors.Is(err, errForm):
		status, text = http.StatusForbidden, "This form is out of date. Go back, load the page again, and send it once more."
	case errors.Is(err, errRight):
		status, text = http.StatusForbidden, "Your role may not do that."
	case errors.Is(err, ledger.ErrConflict), errors.Is(err, engine.ErrNoPrevious):
		status, text = http.StatusConflict, "That does not fit what is there already; perhaps someone was faster."
	case errors.As(err, &field), errors.As(err, &fields), errors.Is(err, errNoField),
		errors.Is(err, engine.ErrPassword), errors.Is(err, engine.ErrName), errors.Is(err, engine.ErrRole):
		status, text = http.StatusUnprocessableEntity, "A field is missing or cannot be used."
	case errors.Is(err, engine.ErrBusy):
		status, text = http.StatusServiceUnavailable, "Too much at once. Try again in a moment."
	default:
		c.log.LogAttrs(ctx, slog.LevelError, "console", slog.String("path", v.r.URL.Path), slog.Any("error", err))
	}
	body := struct{ Text, Detail string }{Text: text}
	if field != nil {
		body.Detail = field.Pointer
	} else if len(fields) > 0 {
		body.Detail = fields[0].Pointer
	}
	if err := v.show(status, "fault", "Rappel", body); err != nil {
		c.log.LogAttrs(ctx, slog.LevelError, "console", slog.Any("error", err))
		http.Error(v.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}

// back leads to the page that a form came from, with what was done.
func (v *visit) back(done string, pairs ...string) error {
	to := v.r.PostFormValue("back")
	u, err := url.Parse(to)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(to, "/console/") {
		u = &url.URL{Path: "/console/"}
	}
	q := u.Query()
	q.Del("undo")
	q.Set("done", done)
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	u.RawQuery = q.Encode()
	http.Redirect(v.w, v.r, u.String(), http.StatusSeeOther)
	return nil
}
