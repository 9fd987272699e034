package timing

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"gonum.org/v1/gonum/floats"
)

// reference finds the folder of reference data, or skips the test where there
// is none; in CI it must be there.
func reference(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("RAPPEL_REFERENCE")
	if dir == "" {
		for up, _ := filepath.Abs("."); up != filepath.Dir(up); up = filepath.Dir(up) {
			if d := filepath.Join(filepath.Dir(up), "shared", "reference"); exists(d) {
				dir = d
				break
			}
		}
	}
	path := filepath.Join(dir, name)
	if dir == "" || !exists(path) {
		if os.Getenv("CI") != "" {
			t.Fatalf("reference data %s is missing; set RAPPEL_REFERENCE", name)
		}
		t.Skipf("skipped: reference data %s is not on this machine; set RAPPEL_REFERENCE", name)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openings reads user → times of opening, in order.
func openings(t *testing.T) (ids []string, opens map[string][]time.Time) {
	t.Helper()
	file, err := os.Open(reference(t, "data/outspot_email_opens.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	opens = map[string][]time.Time{}
	for _, r := range records[1:] {
		at, err := time.Parse("2006-01-02 15:04:05.999999 UTC", r[1])
		if err != nil {
			t.Fatal(err)
		}
		opens[r[0]] = append(opens[r[0]], at)
	}
	for id := range opens {
		slices.SortFunc(opens[id], time.Time.Compare)
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
	return ids, opens
}

func hourOfWeek(t time.Time) int { return (int(t.Weekday())+6)%7*24 + t.Hour() }

// people returns the openings that the filter leaves, per user in order of id.
func people(t *testing.T) (ids []string, opens [][]time.Time, report MachineReport) {
	t.Helper()
	ids, times := openings(t)
	var all []Open
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range times[id] {
			all = append(all, Open{Debtor: int32(n), Time: at.Unix()})
		}
	}
	verdicts := make([]Verdict, len(all))
	report = Machines(verdicts, all, DefaultMachineOptions())
	opens = make([][]time.Time, len(ids))
	for i, id := range ids {
		for j, at := range times[id] {
			if verdicts[j] == Human {
				opens[i] = append(opens[i], at)
			}
		}
		verdicts = verdicts[len(times[id]):]
	}
	return ids, opens, report
}

// The protocol of the reference figures: cleaned opens (one a session), users
// with at least ten of them, those before 2022-07-01 to learn from, those after
// to predict. There, per open and among 24 hours: one curve for all −2.994,
// a weak personal prior −3.091, a strong one −2.926.
func TestOutspotGain(t *testing.T) {
	_, opens, _ := people(t)
	split := time.Date(2022, 7, 1, 0, 0, 0, 0, time.UTC)
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	var rows Rows
	var later []float32
	for _, times := range opens {
		if len(times) < 10 {
			continue
		}
		var before, after [Hours]float32
		for _, at := range times {
			if at.Before(split) {
				before[hourOfWeek(at.In(brussels))]++
			} else {
				after[hourOfWeek(at.In(brussels))]++
			}
		}
		rows.Counts = append(rows.Counts, before[:]...)
		later = append(later, after[:]...)
		rows.Profile = append(rows.Profile, -1)
	}
	m, err := Fit(rows, DefaultOptions(0))
	if err != nil {
		t.Fatal(err)
	}
	all := (*[Hours]float64)(m.Curves)
	var own [Hours]float64
	var gain, daily, events []float64 // by user
	var day, week float64             // score of the curve for all
	for r := range rows.Len() {
		m.Posterior(&own, (*[Hours]float32)(rows.Counts[r*Hours:]), nil, -1)
		var g, d, n float64
		for h, v := range later[r*Hours : (r+1)*Hours] {
			v := float64(v)
			n += v
			g += v * (LogShare(&own, nil, h) - LogShare(all, nil, h))
			d += v * (dayShare(&own, h) - dayShare(all, h))
			week += v * LogShare(all, nil, h)
			day += v * dayShare(all, h)
		}
		gain, daily, events = append(gain, g), append(daily, d), append(events, n)
	}
	opened := floats.Sum(events)
	mean := floats.Sum(gain) / opened
	lo, hi := bootstrap(gain, events)
	dayLo, dayHi := bootstrap(daily, events)
	t.Logf("%d users, %.0f opens: gain %.4f nats per open [%.4f, %.4f] among 168 hours (all: %.3f), %.4f [%.4f, %.4f] among 24 (all: %.3f)",
		rows.Len(), opened, mean, lo, hi, week/opened, floats.Sum(daily)/opened, dayLo, dayHi, day/opened)
	t.Logf("strength %g, tilt %g, bandwidth %g, daily %g, %+v", m.Strength, m.Tilt, m.Bandwidth, m.Daily, m.Report)
	if mean < 0.05 || lo <= 0 {
		t.Errorf("gain %.4f nats per open, 90 %% interval from %.4f; want at least 0.05, from above 0", mean, lo)
	}
	if floats.Sum(daily)/opened < 0.05 || dayLo <= 0 {
		t.Errorf("gain among 24 hours %.4f, 90 %% interval from %.4f; want at least 0.05, from above 0", floats.Sum(daily)/opened, dayLo)
	}
}

// dayShare is LogShare among the 24 hours of the day.
func dayShare(avail *[Hours]float64, hour int) float64 {
	own, sum := 0.0, 0.0
	for h, v := range avail {
		sum += v
		if h%24 == hour%24 {
			own += v
		}
	}
	return math.Log(own / sum)
}

// bootstrap is the 90 % interval of Σgain/Σevents, users drawn anew.
func bootstrap(gain, events []float64) (lo, hi float64) {
	rng := rand.New(rand.NewPCG(5, 5))
	means := make([]float64, 2000)
	for b := range means {
		var g, n float64
		for range gain {
			i := rng.IntN(len(gain))
			g += gain[i]
			n += events[i]
		}
		means[b] = g / n
	}
	slices.Sort(means)
	return means[100], means[1900]
}
