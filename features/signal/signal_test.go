package signal

import (
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rappel/datasets/store"
)

func when(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

const answer = `{"latitude":51.05,"longitude":3.72,"utc_offset_seconds":3600,"timezone":"Europe/Brussels",
	"hourly_units":{"time":"iso8601"},"hourly":{"time":["2026-03-02T10:00","2026-03-02T11:00","2026-03-02T12:00"],
	"temperature_2m":[7.5,8,null],"precipitation":[0,0.4,0],"sunshine_duration":[3600,1800,0]}}`

const file = `latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation
51.05,3.72,8.0,3600,Europe/Brussels,GMT+1

time,temperature_2m (°C),precipitation (mm),sunshine_duration (s)
2026-03-02T10:00,7.5,0,3600
2026-03-02T11:00,8,0.4,1800
2026-03-02T12:00,,0,0
`

func TestReadOpenMeteo(t *testing.T) {
	made := when("2026-03-02T10:30:00Z")
	for name, read := range map[string]func() ([]Hour, error){
		"JSON": func() ([]Hour, error) { return ReadOpenMeteoJSON(strings.NewReader(answer), "BE90", made) },
		"CSV":  func() ([]Hour, error) { return ReadOpenMeteoCSV(strings.NewReader(file), "BE90", made) },
	} {
		got, err := read()
		if err != nil {
			t.Fatal(name, err)
		}
		// 10:00 in Brussels is 9:00 UTC, and its sums are those of the hour before.
		want := []Hour{
			{"BE90", when("2026-03-02T08:00:00Z"), when("2026-03-02T09:00:00Z"), true, 7.5, 0, 60},
			{"BE90", when("2026-03-02T09:00:00Z"), when("2026-03-02T10:00:00Z"), true, 8, 0.4, 30},
			{"BE90", when("2026-03-02T10:00:00Z"), made, false, math.NaN(), 0, 0},
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d hours, want %d", name, len(got), len(want))
		}
		for i, w := range want {
			g := got[i]
			sameTemperature := g.Temperature == w.Temperature || math.IsNaN(g.Temperature) && math.IsNaN(w.Temperature)
			if !g.Start.Equal(w.Start) || !g.Known.Equal(w.Known) || g.Observed != w.Observed || !sameTemperature ||
				g.Precipitation != w.Precipitation || g.Sunshine != w.Sunshine {
				t.Errorf("%s: hour %d = %+v, want %+v", name, i, g, w)
			}
		}
	}
}

func TestBadSignals(t *testing.T) {
	json := func(s string) error {
		_, err := ReadOpenMeteoJSON(strings.NewReader(s), "BE90", when("2026-03-02T10:30:00Z"))
		return err
	}
	csv := func(s string) error {
		_, err := ReadOpenMeteoCSV(strings.NewReader(s), "BE90", when("2026-03-02T10:30:00Z"))
		return err
	}
	sector := func(s string) error {
		_, err := ReadSector(strings.NewReader(s), when("2026-03-02T10:30:00Z"))
		return err
	}
	knmi := func(s string) error {
		_, err := ReadKNMI(strings.NewReader(s), "NL42", 52, 5)
		return err
	}
	const head = "# STN,YYYYMMDD,TG,SQ,DR,RH,RHX,RHXH\n"
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no JSON", json("{"), "signal: unexpected EOF"},
		{"refused", json(`{"error":true,"reason":"no such place"}`), "signal: no such place"},
		{"no hours", json(`{}`), "signal: hourly.time: is missing"},
		{"lengths", json(`{"hourly":{"time":["2026-03-02T10:00"],"precipitation":[1,2]}}`), "signal: hourly.precipitation: 2 values for 1 times"},
		{"year 0", json(`{"hourly":{"time":["0000-03-02T10:00"]}}`), "signal: hourly.time: year 0 is none of ours"},
		{"negative rain", json(`{"hourly":{"time":["2026-03-02T10:00"],"precipitation":[-1]}}`), "signal: precipitation: -1 at 2026-03-02T10:00:00Z is outside 0 to 500"},
		{"no header", csv("a,b\n"), "signal: no header line that begins with time"},
		{"short row", csv("time,precipitation (mm)\n2026-03-02T10:00\n"), "signal: line 2: 1 columns, the header has 2"},
		{"no number", csv("time,precipitation (mm)\n2026-03-02T10:00,x\n"), `signal: line 2: precipitation: "x" is no number`},
		{"nobody", sector("period,value\n2026-01,3\n"), "signal: line 2: sector_code: neither sector nor region is given"},
		{"quarter 5", sector("sector_code,period,value\n56,2026-Q5,3\n"), `signal: line 2: period: "2026-Q5" is no period`},
		{"infinite", sector("sector_code,period,value\n56,2026-Q1,Inf\n"), `signal: line 2: value: "Inf" is no number`},
		{"no column", knmi("# STN,YYYYMMDD,TG,SQ\n"), "signal: line 1: DR: is missing"},
		{"no date", knmi(head + "356,20261301,1,2,3,4,5,6\n"), `signal: line 2: YYYYMMDD: "20261301" is no date`},
		{"no value", knmi(head + "356,20260101,1,x,3,4,5,6\n"), `signal: line 2: SQ: "x" is no value`},
		{"country", func() error { _, err := Holidays("XX", 2026, 2026); return err }(), `signal: country: "XX" is none of AT BE CH CZ DE DK ES FR GB IE IT NL NO PL SE US`},
	} {
		var format *FormatError
		if !errors.As(c.err, &format) || c.err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, c.err, c.want)
		}
	}
}

func TestReadSector(t *testing.T) {
	got, err := ReadSector(strings.NewReader("\ufeffsector_code,region,period,indicator,value,known_at\n56,,2026-Q2,,0.7,2026-07-15\n,BE90,2026-03-01,jobs,3,2026-04-01T12:00:00+02:00\n41,,2026-05,,1,\n"), when("2026-08-01T00:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"56  2026-04-01 risk 0.7 2026-07-15T00:00:00Z", " BE90 2026-03-01 jobs 3 2026-04-01T10:00:00Z", "41  2026-05-01 risk 1 2026-08-01T00:00:00Z"} {
		s := got[i]
		line := strings.Join([]string{s.Code, s.Region, s.Period.String(), s.Indicator, formatted(s.Value), s.Known.UTC().Format(time.RFC3339)}, " ")
		if line != want {
			t.Errorf("signal %d: %s, want %s", i, line, want)
		}
	}
}

func formatted(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// A day of a station keeps its sunshine and rain when it is spread over hours.
func TestKNMIKeepsSums(t *testing.T) {
	// 10.4 hours of sun and 6.4 mm of rain in 3.2 hours, most of it in the 15th.
	day := "# STN,YYYYMMDD,TG,SQ,DR,RH,RHX,RHXH\n\n  356,20260621,  171,  104,   32,   64,   40,   15\n"
	hours, err := ReadKNMI(strings.NewReader(day), "NL42", 51.86, 5.15)
	if err != nil {
		t.Fatal(err)
	}
	if len(hours) != 24 {
		t.Fatalf("%d hours, want 24", len(hours))
	}
	var sun, rain float64
	wet := 0
	for h, x := range hours {
		sun, rain = sun+x.Sunshine, rain+x.Precipitation
		if x.Precipitation > 0 {
			wet++
		}
		if dark := h < 3 || h > 20; dark && x.Sunshine > 0 { // sun from 3:18 to 20:04 UTC
			t.Errorf("%v minutes of sun at %d", x.Sunshine, h)
		}
		if x.Sunshine > 60 || !x.Known.Equal(when("2026-06-22T00:00:00Z")) {
			t.Errorf("hour %d: %+v", h, x)
		}
	}
	if math.Abs(sun-624) > 1e-9 || math.Abs(rain-6.4) > 1e-9 || wet != 3 || hours[14].Precipitation != 4 { // sums of 24 doubles
		t.Errorf("%v minutes of sun, %v mm in %d hours, %v in the wettest", sun, rain, wet, hours[14].Precipitation)
	}
}

func TestDaylight(t *testing.T) {
	// De Bilt, 52.1 N 5.18 E, almanac of the KNMI for 2026, UTC.
	for _, c := range []struct {
		date      string
		rise, set float64
	}{
		{"2026-06-21T00:00:00Z", 3 + 18.0/60, 20 + 3.0/60},
		{"2026-12-21T00:00:00Z", 7 + 44.0/60, 15 + 29.0/60},
		{"2026-03-20T00:00:00Z", 5 + 43.0/60, 17 + 50.0/60},
	} {
		rise, set := daylight(when(c.date), 52.1, 5.18)
		// The almanac counts refraction and the rim of the sun, about 7 minutes.
		if math.Abs(rise-c.rise) > 0.2 || math.Abs(set-c.set) > 0.2 {
			t.Errorf("%s: %v to %v, want %v to %v", c.date, rise, set, c.rise, c.set)
		}
	}
}

func TestKNMIReference(t *testing.T) {
	path := filepath.Join(reference(t), "data", "knmi_etmgeg_356_herwijnen.txt")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hours, err := ReadKNMI(f, "NL42", 51.859, 5.146)
	if err != nil {
		t.Fatal(err)
	}
	year := map[int]float64{}
	for _, h := range hours {
		if !math.IsNaN(h.Sunshine) {
			year[h.Start.Year()] += h.Sunshine / 60
		}
	}
	// The Netherlands have 1,400 to 2,300 hours of sun a year.
	if y := year[2022]; y < 1900 || y > 2400 { // 2022 was among the sunniest on record
		t.Errorf("%v hours of sun in 2022", y)
	}
}

// reference returns the folder of reference data.
func reference(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("RAPPEL_REFERENCE"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		path := filepath.Join(dir, "..", "shared", "reference")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if up := filepath.Dir(dir); up != dir {
			dir = up
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatal("no reference data: set RAPPEL_REFERENCE")
		}
		t.Skip("no reference data: set RAPPEL_REFERENCE")
	}
}

func TestFetch(t *testing.T) {
	var query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.String()
		if r.URL.Query().Get("latitude") == "0.0000" {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"error":true,"reason":"too many"}`)
			return
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	f := Fetcher{Base: server.URL + "/", Client: server.Client(), Now: func() time.Time { return when("2026-03-02T10:30:00Z") }}
	hours, err := f.Hours(t.Context(), Place{"BE90", 51.05, 3.72}, 1, 7)
	if err != nil || len(hours) != 3 || hours[0].Region != "BE90" {
		t.Fatalf("%v, %v", hours, err)
	}
	const want = "/v1/forecast?forecast_days=8&hourly=temperature_2m%2Cprecipitation%2Csunshine_duration&latitude=51.0500&longitude=3.7200&past_days=1&timezone=GMT"
	if query != want {
		t.Errorf("asked %s, want %s", query, want)
	}
	_, err = f.Hours(t.Context(), Place{"XX00", 0, 0}, 1, 7)
	if err == nil || !strings.Contains(err.Error(), "429 Too Many Requests") {
		t.Errorf("%v, want the status", err)
	}
}

func TestHolidays(t *testing.T) {
	for _, c := range []struct{ country, day, name string }{
		{"be", "2026-07-21", "Nationale Feestdag"},
		{"nl", "2025-04-26", "Koningsdag"}, // the 27th is a Sunday
		{"us", "2026-07-03", "Independence Day"},
		{"fr", "2026-05-14", ""},
	} {
		list, err := Holidays(c.country, 2025, 2026)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for i, h := range list {
			if i > 0 && h.Day <= list[i-1].Day {
				t.Errorf("%s: %s after %s", c.country, h.Day, list[i-1].Day)
			}
			if h.Day.String() == c.day {
				found = c.name == "" || h.Name == c.name
				if !found {
					t.Errorf("%s %s is %q, want %q", c.country, c.day, h.Name, c.name)
				}
			}
		}
		if !found {
			t.Errorf("%s: no %s", c.country, c.day)
		}
	}
}

func TestWriteAndPlaces(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir()+"/t.db", store.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	hours, _ := ReadOpenMeteoJSON(strings.NewReader(answer), "BE90", when("2026-03-02T10:30:00Z"))
	sectors, _ := ReadSector(strings.NewReader("sector_code,period,value\n56,2026-Q1,3\n"), when("2026-03-02T10:30:00Z"))
	holidays, _ := Holidays("BE", 2026, 2026)
	for range 2 { // the same again changes nothing
		if err := Write(t.Context(), db, hours, sectors, holidays); err != nil {
			t.Fatal(err)
		}
	}
	var weather, signals, days int
	err = db.DB().QueryRow("SELECT (SELECT count(*) FROM weather), (SELECT count(*) FROM sector_signals), (SELECT count(*) FROM holidays)").Scan(&weather, &signals, &days)
	if err != nil || weather != 3 || signals != 1 || days != len(holidays) {
		t.Errorf("%d hours, %d signals, %d holidays: %v", weather, signals, days, err)
	}
	if _, err := db.DB().Exec(`INSERT INTO postcodes VALUES ('BE', '9000', '', 51, 3), ('BE', '9050', '', 52, 4), ('BE', '1000', '', 50, 4);
		INSERT INTO debtors VALUES ('a', 'd', '2026-01-01', 'business', '', '', 'BE', '9031', '', '2026-01-01')`); err != nil {
		t.Fatal(err)
	}
	places, err := Places(t.Context(), db)
	if err != nil || len(places) != 1 || places[0] != (Place{"BE90", 51.5, 3.5}) {
		t.Errorf("%v, %v", places, err)
	}
}

func FuzzOpenMeteo(f *testing.F) {
	f.Add([]byte(answer), []byte(file))
	f.Fuzz(func(t *testing.T, j, c []byte) {
		made := when("2026-03-02T10:30:00Z")
		a, _ := ReadOpenMeteoJSON(strings.NewReader(string(j)), "BE90", made)
		b, _ := ReadOpenMeteoCSV(strings.NewReader(string(c)), "BE90", made)
		for _, h := range append(a, b...) {
			if h.Sunshine < 0 || h.Sunshine > 60 || h.Known.Before(h.Start) && h.Observed {
				t.Errorf("%+v", h)
			}
		}
	})
}

func FuzzKNMI(f *testing.F) {
	f.Add("# STN,YYYYMMDD,TG,SQ,DR,RH,RHX,RHXH\n\n  356,20260621,  171,  104,   32,   64,   40,   15\n", 51.86, 5.15)
	f.Fuzz(func(t *testing.T, s string, north, east float64) {
		if !(math.Abs(north) <= 90 && math.Abs(east) <= 180) {
			return // no place on earth
		}
		hours, _ := ReadKNMI(strings.NewReader(s), "NL42", north, east)
		for _, h := range hours {
			if h.Sunshine < 0 || h.Sunshine > 60+1e-9 || h.Precipitation < 0 {
				t.Errorf("%+v", h)
			}
		}
	})
}

func FuzzSector(f *testing.F) {
	f.Add("sector_code,region,period,indicator,value,known_at\n56,,2026-Q2,,0.7,2026-07-15\n")
	f.Fuzz(func(t *testing.T, s string) {
		list, _ := ReadSector(strings.NewReader(s), when("2026-03-02T10:30:00Z"))
		for _, v := range list {
			if v.Code == "" && v.Region == "" || math.IsNaN(v.Value) {
				t.Errorf("%+v", v)
			}
		}
	})
}
