package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"rappel/datasets/ledger"
)

// drawn is one candidate in the log of a decision: the exact distribution.
type drawn struct {
	Wait    bool      `json:"wait,omitempty"`
	Channel string    `json:"channel,omitempty"`
	Tone    string    `json:"tone,omitempty"`
	Value   float64   `json:"value"`
	Prob    float64   `json:"p"`
	Slots   []drawnAt `json:"slots,omitempty"`
}

type drawnAt struct {
	At   int64   `json:"at"` // unix seconds
	Prob float64 `json:"p"`  // given the candidate
}

const (
	// drawnVersion begins the log of candidates. What begins with '[' is JSON,
	// as it was written at first.
	drawnVersion = 1
	// drawnWait, drawnShared and drawnOwn say what a candidate is: to wait, a
	// contact with the slots of the candidate before it, or with its own.
	drawnWait, drawnShared, drawnOwn = 0, 1, 2
)

// ErrCandidates reports a log of candidates that cannot be read.
var ErrCandidates = errors.New("candidates cannot be read")

// appendDrawn adds the candidates with all their probabilities to dst, not as JSON:
// a book's decisions of one morning are mostly these.
//
//	log       = version count candidate…
//	candidate = what value p [channel tone [count slot…]]
//	slot      = seconds since the slot before, p
//
// Integers are varints, floats eight bytes, little-endian.
func appendDrawn(dst []byte, cands []candidate) []byte {
	float := func(x float64) { dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x)) }
	dst = append(dst, drawnVersion)
	dst = binary.AppendUvarint(dst, uint64(len(cands)))
	var before []option
	for i := range cands {
		c := &cands[i]
		what := byte(drawnOwn)
		switch {
		case c.wait:
			what = drawnWait
		case i > 0 && slices.EqualFunc(before, c.slots, func(a, b option) bool { return a.at == b.at && a.prob == b.prob }):
			what = drawnShared
		}
		dst = append(dst, what)
		float(c.mean)
		float(c.prob)
		if c.wait {
			continue
		}
		dst = append(dst, byte(c.channel), byte(c.tone))
		if what == drawnOwn {
			dst = binary.AppendUvarint(dst, uint64(len(c.slots)))
			at := int64(0)
			for _, o := range c.slots {
				dst = binary.AppendVarint(dst, o.at-at)
				float(o.prob)
				at = o.at
			}
		}
		before = c.slots
	}
	return dst
}

// readDrawn reads what appendDrawn wrote.
func readDrawn(text []byte) (log []drawn, err error) {
	if len(text) > 0 && text[0] == '[' {
		return log, json.Unmarshal(text, &log)
	}
	r := drawnReader{text: text}
	if r.byte() != drawnVersion {
		return nil, ErrCandidates
	}
	var before []drawnAt
	for n := r.count(17); n > 0 && !r.bad; n-- {
		what := r.byte()
		x := drawn{Wait: what == drawnWait, Value: r.float(), Prob: r.float()}
		if !x.Wait {
			c, t := r.byte(), r.byte()
			if what > drawnOwn || c >= ledger.Channels || t >= ledger.Tones {
				return nil, ErrCandidates
			}
			x.Channel, x.Tone = ledger.Channel(c).String(), ledger.Tone(t).String()
			if what == drawnOwn {
				before = make([]drawnAt, r.count(9))
				at := int64(0)
				for k := range before {
					at += r.varint()
					before[k] = drawnAt{at, r.float()}
				}
			}
			x.Slots = before
		}
		log = append(log, x)
	}
	if r.bad || len(r.text) > 0 {
		return nil, ErrCandidates
	}
	return log, nil
}

// drawnReader reads from the front of text. Once it is bad all else is zero.
type drawnReader struct {
	text []byte
	bad  bool
}

func (r *drawnReader) next(n int) []byte {
	if r.bad = r.bad || n <= 0 || n > len(r.text); r.bad {
		return make([]byte, 8)
	}
	x := r.text[:n]
	r.text = r.text[n:]
	return x
}

func (r *drawnReader) byte() byte { return r.next(1)[0] }
func (r *drawnReader) float() float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(r.next(8)))
}

func (r *drawnReader) varint() int64 {
	x, n := binary.Varint(r.text)
	r.next(n)
	return x
}

// count reads how many follow, of so many bytes at least.
func (r *drawnReader) count(size int) int {
	x, n := binary.Uvarint(r.text)
	if r.next(n); r.bad || x > uint64(len(r.text)/size) {
		r.bad = true
		return 0
	}
	return int(x)
}
