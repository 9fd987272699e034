package store

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"rappel/datasets/ledger"
)

func TestCreditors(t *testing.T) {
	s := fresh(t)
	want := ledger.Creditor{
		ID: "acme", Name: "Acme", Country: "BE", Timezone: "Europe/Brussels", Currency: "EUR", Autonomy: "approve",
		ApprovalAbove: 250_001, ControlShare: 0.05, PolicyPack: "be-b2b", Settings: []byte(`{"value":{"loss_rate":0.014}}`),
	}
	for range 2 { // the second replaces the first
		if err := s.PutCreditor(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Creditor(t.Context(), "acme"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := s.Creditor(t.Context(), "nobody"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if got, err := s.Creditors(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func decision(id, debtor string, minute int) ledger.Decision {
	at := clock().Add(time.Duration(minute) * time.Minute)
	return ledger.Decision{
		Creditor: "acme", ID: id, Debtor: debtor, DecidedAt: at, Arm: "treatment", Action: "contact",
		Channel: ledger.Phone, SendAt: at.Add(time.Hour), Tone: ledger.Formal, Propensity: 0.25, ModelID: "m", Status: "proposed",
		IdempotencyKey: "idem-" + id, Answer: []byte(`{"x":1}`), Candidates: []byte{1, 2}, Vector: []float64{0.5, -2}, Baseline: 0.75,
	}
}

func TestDecisions(t *testing.T) {
	s := fresh(t)
	first, second := decision("d1", "D1", 0), decision("d2", "D1", 1)
	second.Action, second.Channel, second.Tone, second.SendAt = "wait", 0, 0, time.Time{}
	rewritten := first
	rewritten.Propensity = 1
	for _, batch := range [][]ledger.Decision{{first, rewritten, second}, {rewritten}} {
		if err := s.LogDecisions(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Decision(t.Context(), "acme", "d1"); err != nil || !reflect.DeepEqual(got, first) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, first)
	}
	if got, err := s.DecisionByIdempotency(t.Context(), "acme", "idem-d2"); err != nil || !reflect.DeepEqual(got, second) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, second)
	}
	if got, err := s.Decisions(t.Context(), ledger.Key{Creditor: "acme", Debtor: "D1"}, 1); err != nil || len(got) != 1 || got[0].ID != "d2" {
		t.Errorf("newest: %+v, %v", got, err)
	}
	if _, err := s.Decision(t.Context(), "bcme", "d1"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("another creditor's decision: %v, want ErrNotFound", err)
	}
	if err := s.SetDecisionStatus(t.Context(), "acme", "d1", "approved"); err != nil {
		t.Error(err)
	}
	if got, err := s.Decision(t.Context(), "acme", "d1"); err != nil || got.Status != "approved" || got.Vector[1] != -2 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.SetDecisionStatus(t.Context(), "acme", "d9", "approved"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestKeys(t *testing.T) {
	s := fresh(t)
	text, key, err := s.CreateKey(t.Context(), "acme", []string{"ingest"})
	if err != nil || len(text) != 46 || !strings.HasPrefix(text, "rk_") {
		t.Fatalf("%q, %+v, %v", text, key, err)
	}
	if got, err := s.LookupKey(t.Context(), text); err != nil || !reflect.DeepEqual(got, key) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, key)
	}
	if _, err := s.LookupKey(t.Context(), text+"x"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, _, err := s.CreateKey(t.Context(), "acme", []string{"everything"}); err == nil {
		t.Error("an unknown scope was taken")
	}
	if _, operator, err := s.CreateKey(t.Context(), "", nil); err != nil || !reflect.DeepEqual(operator.Scopes, Scopes) {
		t.Errorf("%+v, %v", operator, err)
	}
	if got, err := s.ListKeys(t.Context(), "acme"); err != nil || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.RevokeKey(t.Context(), key.ID); err != nil {
		t.Error(err)
	}
	if got, err := s.LookupKey(t.Context(), text); err != nil || got.RevokedAt.IsZero() {
		t.Errorf("%+v, %v, want it revoked", got, err)
	}
	if err := s.RevokeKey(t.Context(), key.ID); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("revoked twice: %v, want ErrNotFound", err)
	}
	var stored int
	if err := s.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM api_keys WHERE contains(hash::VARCHAR, ?)", text[3:]).Scan(&stored); err != nil || stored != 0 {
		t.Errorf("the text of a key is in the file: %d, %v", stored, err)
	}
}

func TestLearnedStates(t *testing.T) {
	s := fresh(t)
	day := func(d int) time.Time { return time.Date(2026, 3, d, 0, 0, 0, 0, time.UTC) }
	put := func(d int, state string) {
		t.Helper()
		if err := s.PutLearned(t.Context(), "acme", ledger.Learned{AsOf: day(d), ModelID: "m", Blob: []byte(state)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(1, "one")
	put(3, "three")
	put(3, "three again")
	for d, want := range map[int]string{1: "one", 2: "one", 3: "three again", 4: "three again"} {
		if got, err := s.LearnedAt(t.Context(), "acme", day(d)); err != nil || string(got.Blob) != want {
			t.Errorf("as of day %d: %q, %v, want %q", d, got.Blob, err, want)
		}
	}
	if _, err := s.LearnedAt(t.Context(), "acme", day(1).Add(-time.Second)); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestModels(t *testing.T) {
	s := fresh(t)
	for _, id := range []string{"a", "b", "a"} {
		if err := s.RegisterModel(t.Context(), id, "/models/"+id); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"a", "b"} {
		if err := s.PromoteModel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Models(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	status := map[string]string{got[0].ID: got[0].Status, got[1].ID: got[1].Status}
	if want := (map[string]string{"a": "retired", "b": "serving"}); !reflect.DeepEqual(status, want) {
		t.Errorf("got %v, want %v", status, want)
	}
	if err := s.PromoteModel(t.Context(), "c"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestEraseLeavesNothing(t *testing.T) {
	s := fresh(t)
	ctx := t.Context()
	if _, err := s.Append(ctx, payments(0, 1001)); err != nil { // D-0 twice
		t.Fatal(err)
	}
	if err := s.LogDecisions(ctx, []ledger.Decision{decision("d1", "D-0", 0), decision("d2", "D-1", 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB().ExecContext(ctx, `INSERT INTO rewards VALUES ('acme', 'd1', NULL, 0.5, true, now()), ('acme', 'd2', NULL, 0.5, true, now())`); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Erase(ctx, ledger.Key{Creditor: "acme", Debtor: "D-0"}); err != nil || got != 6 { // 2 payments, 2 events, decision, reward
		t.Errorf("erased %d, %v, want 6", got, err)
	}
	if got := loadAll(t, s); len(got.Payments) != 999 {
		t.Errorf("%d payments stay, want 999", len(got.Payments))
	}
	if got, err := s.Decisions(ctx, ledger.Key{}, 0); err != nil || len(got) != 1 || got[0].ID != "d2" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := s.Erase(ctx, ledger.Key{Creditor: "bcme", Debtor: "D-1"}); err != nil || got != 0 {
		t.Errorf("another creditor's: erased %d, %v, want 0", got, err)
	}
}

func TestLoadOfOneDebtor(t *testing.T) {
	s := fresh(t)
	if _, err := s.Append(t.Context(), payments(0, 2000)); err != nil {
		t.Fatal(err)
	}
	var got []ledger.Payment
	err := s.Load(t.Context(), ledger.Key{Creditor: "acme", Debtor: "D-7"}, func(r ledger.Rows) error {
		got = append(got, r.Payments...)
		return nil
	})
	want := append(payments(7, 1)[0].Rows.Payments, payments(1007, 1)[0].Rows.Payments...)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	stop := errors.New("enough")
	if err := s.Load(t.Context(), ledger.Key{}, func(ledger.Rows) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of yield", err)
	}
}

func TestReadersSeeCommitsAndDoNotWait(t *testing.T) {
	s := fresh(t)
	if _, err := s.Append(t.Context(), payments(0, 5)); err != nil {
		t.Fatal(err)
	}
	err := s.Arrow(t.Context(), func(a *duckdb.Arrow) error {
		records, err := a.QueryContext(context.Background(), "SELECT payment_id FROM payments")
		if err != nil {
			return err
		}
		defer records.Release()
		// An open result does not hold the writer up.
		if _, err := s.Append(t.Context(), payments(5, 5)); err != nil {
			return err
		}
		n := int64(0)
		for records.Next() {
			n += records.RecordBatch().NumRows()
		}
		if n != 5 {
			t.Errorf("%d rows in a result begun before the second append, want 5", n)
		}
		return records.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}
