package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"rappel/datasets/ledger"
	"rappel/datasets/world"
)

// year is how many weeks are played.
const year = 52

// line is the wire between a world and a server. It keeps what is answered each
// morning, lets the server learn on Mondays only, and kills and starts it again
// on some days, right after it took the events of the evening before.
type line struct {
	t         *testing.T
	db        string
	s         *served
	killOn    map[int]bool
	mornings  int
	answers   [][]byte
	contacts  int
	transport http.Transport
}

func (l *line) start(key string) {
	l.t.Helper()
	l.s = serveProcess(l.t, l.db, key, "--learn-every", "0", "--rate", "0")
}

// RoundTrip carries one request.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	switch r.URL.Path {
	case "/v1/learn":
		l.mornings++
		if l.killOn[l.mornings] {
			l.s.kill()
			l.transport.CloseIdleConnections()
			l.start(l.s.key) //nolint:contextcheck // the server outlives the request
		}
		if l.mornings%7 != 1 {
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		}
	}
	at, err := url.Parse(l.s.url)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Host = at.Host
	resp, err := l.transport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/batch") {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	l.answers = append(l.answers, body)
	l.contacts += bytes.Count(body, []byte(`"action":"contact"`))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// play plays the year over TCP and returns the answers of every morning.
func play(t *testing.T, killOn ...int) *line {
	t.Helper()
	start, err := ledger.ParseDay("2025-01-06")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, db: filepath.Join(t.TempDir(), "w.duckdb"), killOn: map[int]bool{}}
	for _, day := range killOn {
		l.killOn[day] = true
	}
	key := createKey(t, l.db)
	l.start(key)
	w := world.New(world.Default(), 24, 7, start)
	r := world.NewRemote(w.Spec(), "http://rappel", key)
	r.Client = &http.Client{Transport: l}
	if _, err := world.Play(t.Context(), w, r, 7*year); err != nil {
		t.Fatal(err)
	}
	l.s.kill()
	return l
}

// A year of a synthetic creditor over TCP, with a learning a week, asked each
// morning for all that are overdue: a server that is killed in the middle of it,
// in the middle of a week and twice in two days, answers byte for byte what one
// answers that is left alone.
func TestKilledInTheYear(t *testing.T) {
	const middle = 7*year/2 + 3
	var want, got *line
	t.Run("play", func(t *testing.T) {
		t.Run("left alone", func(t *testing.T) {
			t.Parallel()
			want = play(t)
		})
		t.Run("killed", func(t *testing.T) {
			t.Parallel()
			got = play(t, middle, middle+40, middle+41)
		})
	})
	if want == nil || got == nil {
		t.FailNow()
	}
	if len(want.answers) != 7*year || want.contacts < 10*24 {
		t.Errorf("%d mornings and %d contacts: little was tested", len(want.answers), want.contacts)
	}
	for day := range want.answers {
		if !bytes.Equal(got.answers[day], want.answers[day]) {
			t.Fatalf("morning %d, server killed on %d:\n%s\nleft alone:\n%s", day+1, middle, got.answers[day], want.answers[day])
		}
	}
}
