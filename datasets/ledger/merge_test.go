package ledger

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Generators over few values, so that rows often agree in some columns.
func moments(zero bool) *rapid.Generator[time.Time] {
	choices := []time.Time{time.Unix(1e9, 0).UTC(), time.Unix(2e9, 0).UTC(), time.Unix(3e9, 0).UTC()}
	if zero {
		choices = append(choices, time.Time{})
	}
	return rapid.SampledFrom(choices)
}

var words = rapid.SampledFrom([]string{"", "a", "b", "ab"})

// law checks that merge is idempotent, commutative and associative.
func law[T any](t *testing.T, name string, gen func(*rapid.T) T, merge func(a, b T) T) {
	t.Helper()
	t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
		a, b, c := gen(t), gen(t), gen(t)
		if got := merge(a, a); !reflect.DeepEqual(got, a) {
			t.Errorf("a∨a = %+v, want %+v", got, a)
		}
		if x, y := merge(a, b), merge(b, a); !reflect.DeepEqual(x, y) {
			t.Errorf("a∨b = %+v, b∨a = %+v", x, y)
		}
		if x, y := merge(merge(a, b), c), merge(a, merge(b, c)); !reflect.DeepEqual(x, y) {
			t.Errorf("(a∨b)∨c = %+v, a∨(b∨c) = %+v", x, y)
		}
	}))
}

func TestMergeLaws(t *testing.T) {
	law(t, "invoice", func(t *rapid.T) Invoice {
		v := Invoice{ID: "i", Debtor: words.Draw(t, "debtor"), CancelledAt: moments(true).Draw(t, "cancelled")}
		if rapid.Bool().Draw(t, "issued") {
			v.ObservedAt, v.IssuedAt = moments(false).Draw(t, "observed"), moments(false).Draw(t, "issued")
			v.DueOn, v.Cents, v.Currency = Day(rapid.IntRange(1, 3).Draw(t, "due")), rapid.Int64Range(0, 2).Draw(t, "cents"), "EUR"
		}
		return v
	}, Invoice.Merge)
	law(t, "payment", func(t *rapid.T) Payment {
		return Payment{
			ID: "p", PaidAt: moments(false).Draw(t, "paid"), Invoice: words.Draw(t, "invoice"), Debtor: words.Draw(t, "debtor"),
			Cents: rapid.Int64Range(0, 2).Draw(t, "cents"), Method: words.Draw(t, "method"),
		}
	}, Payment.Merge)
	law(t, "contact", func(t *rapid.T) Contact {
		return Contact{
			ID: "c", SentAt: moments(false).Draw(t, "sent"), Channel: Channel(rapid.IntRange(0, 4).Draw(t, "channel")),
			Tone: Tone(rapid.IntRange(0, 2).Draw(t, "tone")), Decision: words.Draw(t, "decision"),
			Invoices: rapid.SliceOfN(words, 1, 2).Draw(t, "invoices"),
		}
	}, Contact.Merge)
	law(t, "engagement", func(t *rapid.T) Engagement {
		g := Engagement{
			EventID: "e", OccurredAt: moments(false).Draw(t, "at"), Kind: words.Draw(t, "kind"), Contact: words.Draw(t, "contact"),
			HasChannel: rapid.Bool().Draw(t, "has"), Machine: rapid.Bool().Draw(t, "machine"),
		}
		if g.HasChannel {
			g.Channel = Channel(rapid.IntRange(0, 4).Draw(t, "channel"))
		}
		return g
	}, Engagement.Merge)
	law(t, "case", func(t *rapid.T) Case {
		return Case{
			ID: "k", OpenedAt: moments(true).Draw(t, "opened"), Kind: words.Draw(t, "kind"), Invoice: words.Draw(t, "invoice"),
			ExpiresOn: Day(rapid.IntRange(0, 2).Draw(t, "expires")), ClosedAt: moments(true).Draw(t, "closed"), Outcome: words.Draw(t, "outcome"),
		}
	}, Case.Merge)
	law(t, "debtor", func(t *rapid.T) Debtor {
		return Debtor{ID: "d", Kind: Consumer, Language: words.Draw(t, "language"), Sector: words.Draw(t, "sector"), CreatedAt: moments(false).Draw(t, "created")}
	}, Debtor.Merge)
	law(t, "reach", reachRow, Reach.Merge)
	law(t, "rating", func(t *rapid.T) Rating {
		return Rating{Provider: "x", Score: float64(rapid.IntRange(0, 3).Draw(t, "score"))}
	}, Rating.Merge)
}

func reachRow(t *rapid.T) Reach {
	r := Reach{Debtor: "d", Unknown: Facet(rapid.IntRange(0, 7).Draw(t, "unknown"))}
	r.Reachable = r.Unknown&FacetReachable == 0 && rapid.Bool().Draw(t, "reachable")
	r.Consent = r.Unknown&FacetConsent == 0 && rapid.Bool().Draw(t, "consent")
	r.OptedOut = r.Unknown&FacetOptedOut == 0 && rapid.Bool().Draw(t, "opted out")
	return r
}

func TestReachAfterCarriesForward(t *testing.T) {
	nothing := Reach{Unknown: FacetReachable | FacetConsent | FacetOptedOut}
	told := Reach{Reachable: true, Consent: true, Unknown: FacetOptedOut}
	out := Reach{OptedOut: true, Unknown: FacetReachable | FacetConsent}
	in := Reach{Unknown: FacetReachable | FacetConsent}

	got := out.After(told.After(nothing))
	if want := (Reach{Reachable: true, Consent: true, OptedOut: true}); got != want {
		t.Errorf("told, out: %+v, want %+v", got, want)
	}
	if got, want := in.After(got), (Reach{Reachable: true, Consent: true}); got != want {
		t.Errorf("told, out, in: %+v, want %+v", got, want)
	}
	// A debtor told anew stays opted out: that takes an opt-in.
	if got := told.After(got); !got.OptedOut {
		t.Errorf("told, out, told: %+v, want opted out", got)
	}
}
