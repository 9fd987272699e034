package signal

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"rappel/datasets/store"
)

// DefaultBase is where a Fetcher asks where nothing else is said.
const DefaultBase = "https://api.open-meteo.com"

// maxAnswer bounds an answer; a fortnight of three variables is 15 kB.
const maxAnswer = 4 << 20

// Fetcher asks a service that speaks as Open-Meteo does for the weather.
type Fetcher struct {
	Base   string // such as DefaultBase, without a path
	Client *http.Client
	Now    func() time.Time
}

// Place is a region and where its weather is taken.
type Place struct {
	Region              string
	Latitude, Longitude float64
}

// Hours asks for the weather of a place: the days before today, today, and the
// days after it.
func (f *Fetcher) Hours(ctx context.Context, p Place, before, after int) ([]Hour, error) {
	q := url.Values{
		"latitude":      {strconv.FormatFloat(p.Latitude, 'f', 4, 64)},
		"longitude":     {strconv.FormatFloat(p.Longitude, 'f', 4, 64)},
		"hourly":        {strings.Join([]string{temperature, precipitation, sunshine}, ",")},
		"past_days":     {strconv.Itoa(before)},
		"forecast_days": {strconv.Itoa(after + 1)},
		"timezone":      {"GMT"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(f.Base, "/")+"/v1/forecast?"+q.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("signal: weather of %s: %w", p.Region, err)
	}
	made := f.Now()
	resp, err := f.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("signal: weather of %s: %w", p.Region, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // the status says enough without
		return nil, fmt.Errorf("signal: weather of %s: %s: %s", p.Region, resp.Status, strings.TrimSpace(string(reason)))
	}
	hours, err := ReadOpenMeteoJSON(io.LimitReader(resp.Body, maxAnswer), p.Region, made)
	if err != nil {
		return nil, fmt.Errorf("signal: weather of %s: %w", p.Region, err)
	}
	return hours, nil
}

// Places returns the regions in which debtors live and of which the warehouse
// knows postcodes with coordinates, each at the middle of its postcodes.
func Places(ctx context.Context, s *store.Store) ([]Place, error) {
	rows, err := s.DB().QueryContext(ctx, `
		WITH region AS (
			SELECT DISTINCT coalesce(nullif(d.country, ''), c.country, '') AS country, left(d.postcode, 2) AS start
			FROM debtors d LEFT JOIN creditors c USING (creditor_id))
		SELECT country || start, avg(latitude), avg(longitude)
		FROM region JOIN postcodes p USING (country)
		WHERE left(p.postcode, 2) = start AND latitude IS NOT NULL AND longitude IS NOT NULL
		GROUP BY country, start ORDER BY country, start`)
	if err != nil {
		return nil, fmt.Errorf("signal: places: %w", err)
	}
	defer rows.Close()
	var places []Place
	for rows.Next() {
		var p Place
		if err := rows.Scan(&p.Region, &p.Latitude, &p.Longitude); err != nil {
			return nil, fmt.Errorf("signal: places: %w", err)
		}
		places = append(places, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("signal: places: %w", err)
	}
	return places, nil
}
