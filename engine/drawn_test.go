package engine

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"rappel/datasets/ledger"
)

// drawnOf is what a log must say of candidates.
func drawnOf(cands []candidate) []drawn {
	log := make([]drawn, 0, len(cands))
	for i := range cands {
		c := &cands[i]
		x := drawn{Wait: c.wait, Value: c.mean, Prob: c.prob}
		if !c.wait {
			x.Channel, x.Tone, x.Slots = c.channel.String(), c.tone.String(), []drawnAt{}
			for _, o := range c.slots {
				x.Slots = append(x.Slots, drawnAt{o.at, o.prob})
			}
		}
		log = append(log, x)
	}
	return log
}

// Every float and every hour of the log is what was drawn from, to the bit; as
// is what was written as JSON.
func TestCandidatesAreReadAsWritten(t *testing.T) {
	slots := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) option {
		return option{at: rapid.Int64().Draw(r, "at"), prob: rapid.Float64().Draw(r, "p")}
	}), 1, 5)
	contact := rapid.Custom(func(r *rapid.T) candidate {
		return candidate{
			channel: ledger.Channel(rapid.IntRange(0, ledger.Channels-1).Draw(r, "channel")),
			tone:    ledger.Tone(rapid.IntRange(0, ledger.Tones-1).Draw(r, "tone")),
			slots:   slots.Draw(r, "slots"), mean: rapid.Float64().Draw(r, "value"), prob: rapid.Float64().Draw(r, "p"),
		}
	})
	rapid.Check(t, func(r *rapid.T) {
		var cands []candidate
		for range rapid.IntRange(1, 12).Draw(r, "n") {
			c := contact.Draw(r, "contact")
			switch {
			case rapid.Bool().Draw(r, "wait"):
				c = candidate{wait: true, mean: c.mean, prob: c.prob}
			case len(cands) > 0 && !cands[len(cands)-1].wait && rapid.Bool().Draw(r, "shared"):
				c.slots = cands[len(cands)-1].slots
			}
			cands = append(cands, c)
		}
		want := drawnOf(cands)
		text := appendDrawn(nil, cands)
		if got, err := readDrawn(text); err != nil || !reflect.DeepEqual(got, want) {
			r.Fatalf("%+v, %v, want %+v", got, err, want)
		}
		for n := range len(text) {
			if _, err := readDrawn(text[:n]); !errors.Is(err, ErrCandidates) {
				r.Fatalf("the first %d of %d bytes: %v", n, len(text), err)
			}
		}
		old, err := json.Marshal(want)
		if err != nil {
			r.Fatal(err)
		}
		if got, err := readDrawn(old); err != nil || !reflect.DeepEqual(got, want) {
			r.Fatalf("from JSON %+v, %v, want %+v", got, err, want)
		}
	})
}

// Tones of a channel that share their hours are written with one list of them.
func TestCandidatesShareTheirHours(t *testing.T) {
	hours := make([]option, 13)
	for i := range hours {
		hours[i] = option{at: 1773817200 + int64(i)*3600, prob: 1.0 / 13}
	}
	alone := appendDrawn(nil, []candidate{{slots: hours}})
	both := appendDrawn(nil, []candidate{{slots: hours}, {tone: ledger.Formal, slots: hours}})
	if more := len(both) - len(alone); more != 19 {
		t.Errorf("a second tone takes %d bytes, want 19: what, value, p, channel and tone", more)
	}
}

func FuzzCandidates(f *testing.F) {
	f.Add(appendDrawn(nil, []candidate{{slots: []option{{at: 7, prob: 0.5}}, prob: 0.25}, {wait: true, prob: 0.75}}))
	f.Add([]byte(`[{"wait":true,"p":1}]`))
	f.Add([]byte{drawnVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(_ *testing.T, text []byte) {
		if log, err := readDrawn(text); err == nil {
			chances(log)
		}
	})
}
