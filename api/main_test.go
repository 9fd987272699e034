package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"rappel/api"
	"rappel/datasets/store"
	"rappel/engine"
)

// server is a real server on a real port over a real file.
type server struct {
	*api.Server
	t      testing.TB
	path   string
	store  *store.Store
	engine *engine.Engine
	url    string
	admin  string // an operator's key
	stop   func()
}

// option changes how a test's server is set up.
type option func(*api.Config)

// start opens a server over a new file.
func start(tb testing.TB, opts ...option) *server {
	tb.Helper()
	s := open(tb, filepath.Join(tb.TempDir(), "w.duckdb"), opts...)
	s.admin = s.key("")
	return s
}

// open opens a server over a file; stop ends it, and the end of the test does.
func open(tb testing.TB, path string, opts ...option) *server {
	tb.Helper()
	return openAt(tb, path, time.Now, opts...)
}

// openAt does so by another clock.
func openAt(tb testing.TB, path string, now func() time.Time, opts ...option) *server {
	tb.Helper()
	log := slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	st, err := store.Open(tb.Context(), path, store.Options{Now: now, Log: log, Threads: 1})
	if err != nil {
		tb.Fatal(err)
	}
	e, err := engine.New(tb.Context(), st, engine.Options{Now: now, Log: log, Seed: 1})
	if err != nil {
		tb.Fatal(err)
	}
	cfg := api.DefaultConfig()
	cfg.LearnEvery, cfg.RatePerKey = 0, 0
	for _, o := range opts {
		o(&cfg)
	}
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{Server: api.New(e, cfg, now, log), t: tb, path: path, store: st, engine: e, url: "http://" + l.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("serve: %v", err)
		}
		if err := st.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	tb.Cleanup(s.stop)
	return s
}

// key makes a key of a creditor (all: empty) with scopes (none: all).
func (s *server) key(creditor string, scopes ...string) string {
	s.t.Helper()
	text, _, err := s.store.CreateKey(context.Background(), creditor, scopes)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// answer is what a server answered.
type answer struct {
	*http.Response
	body []byte
}

// with is a header of a request.
type with struct{ name, value string }

// call asks the server, as the operator where no Authorization is given. The
// body is sent as it is if it is a string or bytes, else as JSON. Every
// exchange is checked against the OpenAPI document, and every one that changes
// something must be in the audit log.
func (s *server) call(method, path string, body any, headers ...with) answer {
	s.t.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	case []byte:
		text = b
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			s.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.admin)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		if h.value == "" {
			req.Header.Del(h.name)
			continue
		}
		req.Header.Set(h.name, h.value)
	}
	acts := s.acts()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	a := answer{Response: resp}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	if method != http.MethodGet && a.StatusCode < 300 && !slices.Contains(logged, req.URL.Path) && s.acts() == acts {
		s.t.Errorf("%s %s left no line in the audit log", method, path)
	}
	if err := conforms(req, text, a); err != nil {
		s.t.Errorf("%s %s: %v\nanswer %d: %s", method, path, err, a.StatusCode, clip(a.body))
	}
	return a
}

// logged are the routes whose doing is a log of its own: the events and the
// decisions, each with its key and time.
var logged = []string{"/v1/events", "/v1/recommendations", "/v1/recommendations/batch"}

// acts counts the lines of the audit log.
func (s *server) acts() (n int) {
	s.t.Helper()
	if err := s.store.DB().QueryRowContext(context.Background(), "SELECT count(*) FROM audit_log").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// must asks and wants a status.
func (s *server) must(status int, method, path string, body any, headers ...with) answer {
	s.t.Helper()
	a := s.call(method, path, body, headers...)
	if a.StatusCode != status {
		s.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.StatusCode, status, clip(a.body))
	}
	return a
}

// into decodes the answer.
func into[T any](tb testing.TB, a answer) (v T) {
	tb.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		tb.Fatalf("%v: %s", err, clip(a.body))
	}
	return v
}

// problem is an answer of RFC 9457.
type problem struct {
	Type, Title, Detail, Code string
	Status                    int
	Errors                    []struct{ Pointer, Detail string }
}

func bearer(key string) with { return with{"Authorization", "Bearer " + key} }

func clip(b []byte) string {
	if len(b) > 2000 {
		return string(b[:2000]) + "…"
	}
	return string(b)
}

// spec is the document, made strict: an answer may hold nothing that it does
// not name. Clients are not held to that, so the published one is open.
var spec = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	doc.Servers = nil // any
	seen := map[*openapi3.Schema]bool{}
	for _, s := range doc.Components.Schemas {
		strict(s, seen)
	}
	for _, r := range doc.Components.Responses {
		for _, m := range r.Value.Content {
			strict(m.Schema, seen)
		}
	}
	return legacy.NewRouter(doc)
})

// strict forbids members that a schema does not name, all the way down.
func strict(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	if len(s.Properties) > 0 && s.AdditionalProperties.Schema == nil {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, p := range s.Properties {
		strict(p, seen)
	}
	strict(s.Items, seen)
	strict(s.AdditionalProperties.Schema, seen)
	for _, list := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf, s.AllOf} {
		for _, x := range list {
			strict(x, seen)
		}
	}
}

// conforms checks an exchange against the document: every answer must be as it
// says, and so must every request that was not refused.
func conforms(req *http.Request, body []byte, a answer) error {
	router, err := spec()
	if err != nil {
		return fmt.Errorf("openapi.yaml: %w", err)
	}
	if !strings.HasPrefix(req.URL.Path, "/v1/") && a.StatusCode == http.StatusNotFound || a.StatusCode == http.StatusMethodNotAllowed {
		return nil // no route of the document
	}
	plain := *req // a slash within an id is not one between the parts of a path
	plain.URL = &url.URL{Path: strings.ReplaceAll(req.URL.EscapedPath(), "%2F", "_")}
	route, params, err := router.FindRoute(&plain)
	if err != nil {
		if a.StatusCode == http.StatusNotFound {
			return nil
		}
		return fmt.Errorf("the document knows no such route: %w", err)
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	// A stream of no lines holds no event; the validator wants at least one.
	blank := len(bytes.TrimSpace(body)) == 0 && req.Header.Get("Content-Type") == "application/x-ndjson"
	if a.StatusCode < 300 && !blank && !bytes.Contains(a.body, []byte(`"rejected":[{`)) {
		req.Body, req.GetBody = io.NopCloser(bytes.NewReader(withoutNulls(body))), nil
		if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
			return fmt.Errorf("the request was taken, the document refuses it: %w", err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: a.StatusCode, Header: a.Header, Options: options}
	return openapi3filter.ValidateResponse(req.Context(), out.SetBodyBytes(a.body))
}

// withoutNulls drops the members that are null, which count as left out.
func withoutNulls(body []byte) []byte {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return body
	}
	var drop func(v any)
	drop = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				if drop(x); x == nil {
					delete(v, k)
				}
			}
		case []any:
			for _, x := range v {
				drop(x)
			}
		}
	}
	drop(v)
	b, _ := json.Marshal(v) // was JSON
	return b
}

func init() {
	lines := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
		var first any // of one line, for which the schema stands
		err := json.NewDecoder(body).Decode(&first)
		return first, err
	}
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", lines)
	openapi3filter.RegisterBodyDecoder("application/vnd.apache.arrow.stream", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)
}

// Each route of the server is in the document, and the reverse.
func TestRoutesAreTheDocuments(t *testing.T) {
	router, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for path, item := range router.Paths.Map() {
		for method := range item.Operations() {
			want = append(want, method+" "+path)
		}
	}
	var got []string
	for _, r := range start(t).Routes() {
		if strings.HasPrefix(r, "GET /console") || strings.HasPrefix(r, "POST /console") {
			continue // pages for people
		}
		got = append(got, r)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("routes\n%s\nwant those of the document\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
