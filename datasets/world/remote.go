package world

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rappel/datasets/ledger"
)

// ErrServer is wrapped where the server answers what it should not.
var ErrServer = errors.New("world: server")

// Remote is a policy that is asked over HTTP, as any creditor's software would:
// each evening it posts what happened, each morning it lets the server learn
// and asks for every overdue debtor. It carries out what is to be sent that day
// and asks again on the next for what is meant for later.
type Remote struct {
	// Title is what reports call it.
	Title string
	// URL is the server's address and Key a key that may do all for the creditor.
	URL, Key string
	// Creditor is the id under which the creditor is made.
	Creditor string
	// Client is used for all requests; http.DefaultClient if nil.
	Client *http.Client
	// Signals, if not nil, tells the server before each morning what has become
	// known of weather and sectors in [from, to): a job beside the API.
	Signals func(ctx context.Context, from, to time.Time) error
	// Done, if not nil, is called when the policy has played.
	Done func() error

	spec *Spec
	told time.Time // up to where Signals was asked
}

// NewRemote returns the policy behind a server for a creditor of the spec.
func NewRemote(spec *Spec, address, key string) *Remote {
	return &Remote{Title: "rappel", URL: strings.TrimRight(address, "/"), Key: key, Creditor: spec.Creditor.ID, spec: spec}
}

// Name returns the title.
func (r *Remote) Name() string { return r.Title }

// Close releases what the policy was given.
func (r *Remote) Close() error {
	if r.Done == nil {
		return nil
	}
	return r.Done()
}

// eventsPerPost keeps a body well under the 10,000 events and 8 MiB of the
// contract.
const eventsPerPost = 5000

// Observe posts events; before day 0 it makes the creditor first.
func (r *Remote) Observe(ctx context.Context, m Morning, events []Event) error {
	if m.Day < 0 {
		if err := r.open(ctx); err != nil {
			return err
		}
	}
	for len(events) > 0 {
		n := min(len(events), eventsPerPost)
		if err := r.post(ctx, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// Act lets the server learn up to the morning, asks for all that are overdue
// and returns the contacts that are to be sent today.
func (r *Remote) Act(ctx context.Context, m Morning) ([]Action, error) {
	if r.Signals != nil {
		if r.told.IsZero() {
			r.told = m.Now.AddDate(0, -3, 0)
		}
		if err := r.Signals(ctx, r.told, m.Now); err != nil {
			return nil, fmt.Errorf("signals: %w", err)
		}
		r.told = m.Now
	}
	asOf := m.Now.Format(time.RFC3339)
	body, err := r.call(ctx, http.MethodPost, "/v1/learn", "application/json", map[string]any{"creditor_id": r.Creditor, "as_of": asOf})
	if err != nil {
		return nil, err
	}
	if err := drain(body); err != nil {
		return nil, err
	}
	var callable []string
	for _, a := range m.Book.Accounts {
		if cents, _ := a.Claim(m.Date, reminded); cents > 0 {
			callable = append(callable, a.ID)
		}
	}
	if len(callable) == 0 {
		return nil, nil
	}
	body, err = r.call(ctx, http.MethodPost, "/v1/recommendations/batch", "application/x-ndjson",
		map[string]any{"creditor_id": r.Creditor, "debtor_ids": callable, "as_of": asOf})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	end := (m.Date + 1).In(m.Now.Location())
	var out []Action
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var answer struct {
			Decision string    `json:"decision_id"`
			Debtor   string    `json:"debtor_id"`
			Action   string    `json:"action"`
			Channel  string    `json:"channel"`
			Tone     string    `json:"tone"`
			Offer    string    `json:"offer"`
			SendAt   time.Time `json:"send_at"`
			Approval bool      `json:"requires_approval"`
		}
		if err := json.Unmarshal(lines.Bytes(), &answer); err != nil {
			return nil, fmt.Errorf("%w: recommendation %.200q: %w", ErrServer, lines.Bytes(), err)
		}
		if answer.Action != "contact" || answer.Approval || answer.SendAt.Before(m.Now) || !answer.SendAt.Before(end) {
			continue
		}
		c, known := ledger.ParseChannel(answer.Channel)
		tone, toned := ledger.ParseTone(answer.Tone)
		if !known || !toned || m.Book.Account(answer.Debtor) == nil {
			return nil, fmt.Errorf("%w: recommendation %.200q", ErrServer, lines.Bytes())
		}
		out = append(out, Action{
			Debtor: answer.Debtor, Decision: answer.Decision, Channel: c, Tone: tone, Offer: answer.Offer, SendAt: answer.SendAt.UTC(),
		})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: recommendations: %w", ErrServer, err)
	}
	return out, nil
}

// open makes the creditor with the values of the world file.
func (r *Remote) open(ctx context.Context) error {
	c := &r.spec.Creditor
	cost := make(map[string]float64, ledger.Channels)
	for _, name := range ledger.ChannelNames {
		cost[name] = r.spec.Channels[name].Cost
	}
	body, err := r.call(ctx, http.MethodPut, "/v1/creditors/"+url.PathEscape(r.Creditor), "application/json", map[string]any{
		"name": c.Name, "country": c.Country, "timezone": c.Timezone, "currency": c.Currency, "autonomy": "auto",
		"control_share": 0, "policy_pack": "open",
		"value": map[string]any{"loss_rate": c.LossRate, "capital_rate": c.CapitalRate, "cost": cost},
	})
	if err != nil {
		return err
	}
	return drain(body)
}

// post sends events; every one of them must be accepted.
func (r *Remote) post(ctx context.Context, events []Event) error {
	renamed := make([]Event, len(events))
	for i := range events {
		renamed[i] = events[i]
		renamed[i].Creditor = r.Creditor
	}
	body, err := r.call(ctx, http.MethodPost, "/v1/events", "application/json", renamed)
	if err != nil {
		return err
	}
	defer body.Close()
	var answer struct {
		Accepted   int               `json:"accepted"`
		Duplicates int               `json:"duplicates"`
		Rejected   []json.RawMessage `json:"rejected"`
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return fmt.Errorf("%w: events: %w", ErrServer, err)
	}
	if len(answer.Rejected) > 0 || answer.Accepted+answer.Duplicates != len(events) {
		return fmt.Errorf("%w: %d of %d events accepted, first refusal %.300s", ErrServer, answer.Accepted, len(events), first(answer.Rejected))
	}
	return nil
}

func first(refusals []json.RawMessage) json.RawMessage {
	if len(refusals) == 0 {
		return nil
	}
	return refusals[0]
}

// call sends a request and returns the body of a good answer. Where the server
// is busy it waits as told and tries again.
func (r *Remote) call(ctx context.Context, method, path, accept string, payload any) (io.ReadCloser, error) {
	raw, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	client := r.Client
	if client == nil {
		client = http.DefaultClient
	}
	for try := 0; ; try++ {
		req, err := http.NewRequestWithContext(ctx, method, r.URL+path, bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", accept)
		req.Header.Set("Authorization", "Bearer "+r.Key)
		resp, err := client.Do(req)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if resp.StatusCode < 300 {
			return resp.Body, nil
		}
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 2000))
		resp.Body.Close()
		busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
		if !busy || try == retries {
			return nil, fmt.Errorf("%w: %s %s: %s: %s", ErrServer, method, path, resp.Status, text)
		}
		pause := time.Second
		if s, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil {
			pause = min(s, time.Minute)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// retries is how often a busy server is asked again.
const retries = 20

func drain(body io.ReadCloser) error {
	defer body.Close()
	_, err := io.Copy(io.Discard, body)
	return err
}
