package timing

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

func TestPosteriorIsPriorWithoutData(t *testing.T) {
	m, err := Fit(Rows{}, DefaultOptions(3))
	if err != nil {
		t.Fatal(err)
	}
	shape := Daytime()
	for _, profile := range []int{-1, 0, 2, 99} {
		var got [Hours]float64
		m.Posterior(&got, nil, nil, profile)
		for h, v := range got {
			if want := shape[h] / 30; math.Abs(v-want) > 1e-12 { // rounding of a few products
				t.Fatalf("profile %d, hour %d: hazard %g, want %g", profile, h, v, want)
			}
		}
	}
}

func TestPosteriorAndNoticedWithinDoNotAllocate(t *testing.T) {
	m := Prior(DefaultOptions(1))
	m.Groups = make([]float64, 4*Hours)
	for i := range m.Groups {
		m.Groups[i] = 1 + 0.1*float64(i%5)
	}
	m.GroupShares = []float64{.25, .25, .25, .25, .25, .25, .25, .25}
	var counts, exposure [Hours]float32
	counts[9], exposure[9], exposure[10] = 2, 5, 3
	var avail [Hours]float64
	slots := []int32{0, 9, 34, 167}
	dst := make([]float64, len(slots))
	speed := DefaultSpeed()
	if n := testing.AllocsPerRun(100, func() {
		m.Posterior(&avail, &counts, &exposure, 0)
		NoticedWithin(dst, &avail, speed, slots, 24)
	}); n != 0 {
		t.Errorf("allocates %v times per run", n)
	}
}

func TestFitRefuses(t *testing.T) {
	with := func(change func(*Rows)) Rows {
		r := Rows{Counts: make([]float32, 2*Hours), Exposure: make([]float32, 2*Hours), Profile: make([]int32, 2)}
		change(&r)
		return r
	}
	for _, c := range []struct {
		rows Rows
		want error
	}{
		{with(func(r *Rows) { r.Counts[Hours+7] = -1 }), ErrNegative},
		{with(func(r *Rows) { r.Exposure[Hours+7] = float32(math.NaN()) }), ErrNotFinite},
		{with(func(r *Rows) { r.Counts[Hours+7] = float32(math.Inf(1)) }), ErrNotFinite},
		{with(func(r *Rows) { r.Profile[1] = 5 }), ErrProfile},
	} {
		_, err := Fit(c.rows, DefaultOptions(5))
		var at *RowError
		if !errors.Is(err, c.want) || !errors.As(err, &at) || at.Row != 1 {
			t.Errorf("%v, want %v at row 1", err, c.want)
		}
	}
}

func TestFitIsTheSameWhateverTheMachine(t *testing.T) {
	rows, _ := population(3, 60, 10)
	opt := DefaultOptions(4)
	first, err := Fit(rows, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	again, err := Fit(rows, opt)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first.Curves, again.Curves) || !reflect.DeepEqual(first.Groups, again.Groups) || first.Strength != again.Strength {
		t.Error("two fits of the same rows with the same seed differ")
	}
}

// What comes out is a hazard whatever goes in.
func TestPosteriorIsAHazard(t *testing.T) {
	rows, _ := population(4, 120, 10)
	m, err := Fit(rows, DefaultOptions(4))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		var counts, exposure [Hours]float32
		for range rapid.IntRange(0, 12).Draw(t, "cells") {
			h := rapid.IntRange(0, Hours-1).Draw(t, "hour")
			counts[h] = rapid.Float32Range(0, 1e4).Draw(t, "count")
			exposure[h] = rapid.Float32Range(0, 1e4).Draw(t, "exposure")
		}
		e := &exposure
		if rapid.Bool().Draw(t, "unexposed") {
			e = nil
		}
		var avail [Hours]float64
		m.Posterior(&avail, &counts, e, rapid.IntRange(-1, 9).Draw(t, "profile"))
		for h, v := range avail {
			if !(v > 0) || math.IsInf(v, 0) {
				t.Fatalf("hour %d: hazard %g", h, v)
			}
		}
	})
}

// The level of the posterior is a rate: as many notices are expected over the
// hours exposed as a debtor seen for long shows.
func TestPosteriorKeepsTheLevel(t *testing.T) {
	rows, _ := population(5, 100, 200)
	m, err := Fit(rows, DefaultOptions(4))
	if err != nil {
		t.Fatal(err)
	}
	var avail [Hours]float64
	for d := range rows.Len() {
		counts := (*[Hours]float32)(rows.Counts[d*Hours:])
		exposure := (*[Hours]float32)(rows.Exposure[d*Hours:])
		m.Posterior(&avail, counts, exposure, int(rows.Profile[d]))
		var seen, expected float64
		for h, v := range avail {
			seen += float64(counts[h])
			expected += v * float64(exposure[h])
		}
		if math.Abs(expected-seen) > 0.1*seen { // pooled at a strength of tens among two hundred
			t.Fatalf("debtor %d: %.1f notices expected, %.0f seen", d, expected, seen)
		}
	}
}

// A debtor never seen is expected to look when those like them do.
func TestProfileSpeaksForTheNewcomer(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	hours := []int{8, 13, 21}
	n := 300
	rows := Rows{Counts: make([]float32, n*Hours), Exposure: make([]float32, n*Hours), Profile: make([]int32, n)}
	for d := range n {
		rows.Profile[d] = int32(d % 3)
		sends := make([]int, 12)
		for i := range sends {
			sends[i] = rng.IntN(Hours)
		}
		unread(rng, peaks(hours[d%3]), sends, rows.Counts[d*Hours:(d+1)*Hours], rows.Exposure[d*Hours:(d+1)*Hours])
	}
	m, err := Fit(rows, DefaultOptions(4))
	if err != nil {
		t.Fatal(err)
	}
	var avail, all [Hours]float64
	for p, want := range hours {
		m.Posterior(&avail, nil, nil, p)
		if got := bestHour(&avail); got != want {
			t.Errorf("profile %d: best hour %d, want %d", p, got, want)
		}
	}
	if m.Report.Profile <= m.Report.All {
		t.Errorf("held-out score %.3f by profile, %.3f for all; want better", m.Report.Profile, m.Report.All)
	}
	m.Posterior(&avail, nil, nil, 3)
	m.Posterior(&all, nil, nil, -1)
	if a, b := bestHour(&avail), bestHour(&all); a != b {
		t.Errorf("profile never seen: best hour %d, of all %d", a, b)
	}
}

func TestLaterRowsChooseAndAreLearntFrom(t *testing.T) {
	rows, _ := population(7, 150, 20)
	later, _ := population(8, 150, 20)
	rows.Later, rows.LaterExposure = later.Counts, later.Exposure
	m, err := Fit(rows, DefaultOptions(4))
	if err != nil {
		t.Fatal(err)
	}
	// The later rows are of other people: their own hours say nothing.
	if m.Strength < 16 {
		t.Errorf("strength %g where a debtor's past says nothing of what comes, want at least 16", m.Strength)
	}
	events := 0.0
	for i := range rows.Counts {
		events += float64(rows.Counts[i] + rows.Later[i])
	}
	if m.Report.Events != events {
		t.Errorf("learnt from %g events, want %g", m.Report.Events, events)
	}
}

func TestModes(t *testing.T) {
	var avail [Hours]float64
	for h, v := range map[int]float64{9: 4, 10: 5, 11: 5, 12: 2, 22: 4, 100: 1, 167: 5, 0: 4} {
		avail[h] = v
	}
	got, want := Modes(nil, &avail, 0.5), []int{10, 22, 167}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("modes %v, want %v", got, want)
	}
}

func BenchmarkPosterior(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	var counts, exposure [Hours]float32
	for h := range exposure {
		exposure[h] = float32(rng.IntN(4))
	}
	for range 15 {
		counts[rng.IntN(Hours)]++
	}
	for _, g := range []int{0, 4} {
		m := Prior(DefaultOptions(1))
		for range g * Hours {
			m.Groups = append(m.Groups, 0.5+rng.Float64())
		}
		for range 2 * g {
			m.GroupShares = append(m.GroupShares, 1/float64(g))
		}
		b.Run([]string{"plain", "", "", "", "groups"}[g], func(b *testing.B) {
			var dst [Hours]float64
			for b.Loop() {
				m.Posterior(&dst, &counts, &exposure, 0)
			}
		})
	}
}

func BenchmarkNoticedWithin(b *testing.B) {
	var avail [Hours]float64
	m := Prior(DefaultOptions(0))
	m.Posterior(&avail, nil, nil, -1)
	slots := make([]int32, Hours)
	for i := range slots {
		slots[i] = int32(i)
	}
	dst := make([]float64, Hours)
	speed := DefaultSpeed()
	for b.Loop() {
		NoticedWithin(dst, &avail, speed, slots, 48)
	}
}

func BenchmarkFit(b *testing.B) {
	rows, _ := population(1, 1500, 20)
	for b.Loop() {
		if _, err := Fit(rows, DefaultOptions(4)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestDatesSpeakForWeekdaysAlone: events known by date move the days of a
// debtor, by as much as was unread on them, and no hour within a day.
func TestDatesSpeakForWeekdaysAlone(t *testing.T) {
	m := Prior(DefaultOptions(0))
	m.Daily = 0
	var none, counts, exposure [Hours]float32
	for h := range exposure {
		exposure[h] = 10
	}
	dated := [Days]float32{1: 8} // Tuesdays
	m.Impute(&counts, &none, &exposure, &dated, -1)
	sum := float32(0)
	for h, v := range counts {
		sum += v
		if v > 0 && h/dayHours != 1 {
			t.Errorf("hour %d of the week got %v events of a Tuesday", h, v)
		}
	}
	if math.Abs(float64(sum)-8) > 1e-5 { // float32
		t.Errorf("%v events, want 8", sum)
	}
	var before, after [Hours]float64
	m.Posterior(&before, &none, &exposure, -1)
	m.Posterior(&after, &counts, &exposure, -1)
	day := func(v *[Hours]float64, d int) (sum float64) {
		for _, x := range v[d*dayHours:][:dayHours] {
			sum += x
		}
		return sum
	}
	if got, was := day(&after, 1)/day(&after, 3), day(&before, 1)/day(&before, 3); got < 1.5*was {
		t.Errorf("Tuesday over Thursday %.2f after eight Tuesdays, %.2f before", got, was)
	}
	for h := 8; h < 20; h++ { // away from midnight, where Monday and Wednesday are smoothed in
		got := after[dayHours+h] / after[dayHours+12]
		was := before[dayHours+h] / before[dayHours+12]
		if math.Abs(got/was-1) > 0.15 {
			t.Errorf("%d:00 over noon of a Tuesday %.3f, was %.3f", h, got, was)
		}
	}
}
