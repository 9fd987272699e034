package anomaly

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestRun(t *testing.T) {
	for _, c := range []struct {
		share Share
		n     int
		want  float64
	}{
		{Share{1, 1}, 0, 1},
		{Share{1, 1}, 1, 1. / 2},
		{Share{1, 1}, 3, 1. / 4},       // uniform share: 1/(n+1)
		{Share{2, 3}, 2, 12. / 30},     // 3/5 · 4/6
		{Share{1e9, 1e9}, 10, 0x1p-10}, // a share known for sure
	} {
		if got := c.share.Run(c.n); math.Abs(got-c.want) > 1e-6*c.want {
			t.Errorf("%+v.Run(%d) = %v, want %v", c.share, c.n, got, c.want)
		}
	}
}

func TestShareAtLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Share{rapid.Float64Range(0.1, 50).Draw(t, "yes"), rapid.Float64Range(0.1, 50).Draw(t, "no")}
		n := rapid.IntRange(1, 40).Draw(t, "n")
		last := 1.0
		for k := range n + 2 {
			p := s.AtLeast(k, n)
			if p > last+1e-9 || p < 0 {
				t.Fatalf("P(at least %d of %d) = %v, of one fewer %v", k, n, p, last)
			}
			last = p
		}
		if last != 0 {
			t.Errorf("P(more than all) = %v", last)
		}
		// None in n is the complement of at least one.
		if got, want := s.AtLeast(1, n), 1-s.Run(n); math.Abs(got-want) > 1e-8 {
			t.Errorf("P(at least 1 of %d) = %v, want %v", n, got, want)
		}
	})
}

func TestDrop(t *testing.T) {
	if got := Drop(0, 2, 5); math.Abs(got-0.5) > 1e-12 {
		t.Errorf("a rating falls or not with probability %v", got)
	}
	if a, b := Drop(4, 2, 5), Drop(8, 2, 5); b >= a {
		t.Errorf("falling by 8 has probability %v, by 4 %v", b, a)
	}
}
