package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"rappel/datasets/store"
	"rappel/features/signal"
)

// newSignalsCommand returns `rappel signals`: weather, sectors and holidays.
func newSignalsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "signals",
		Short:   "Bring weather, sector risk and holidays into the warehouse",
		Long:    "Bring weather, the risk of sectors and regions, and public holidays into the\nwarehouse. A region is a country and the first two characters of the postcode,\nsuch as BE90.",
		Example: "  rappel signals fetch --db rappel.duckdb",
	}
	c.AddCommand(newSignalsImportCommand(), newSignalsFetchCommand(), newSignalsHolidaysCommand())
	return c
}

// importOptions are the flags of `rappel signals import`.
type importOptions struct {
	db, format, region, knownAt string
	latitude, longitude         float64
}

func newSignalsImportCommand() *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use:   "import --db FILE --format FORMAT PATH...",
		Short: "Read files of weather or sector risk",
		Long: `Read files of weather or sector risk:

  open-meteo  hourly weather of --region, CSV or JSON, as Open-Meteo answers it;
              hours that had passed at --known-at are taken as observed, the
              others as a forecast made then
  knmi        daily weather of a Dutch station (etmgeg_*.txt) for --region; sun is
              spread over daylight at --latitude and --longitude
  sector      CSV with period, value, and sector_code, region or both; indicator
              (risk) and known_at (--known-at) may be left out

A second run of the same file changes nothing.`,
		Example: `  rappel signals import --db rappel.duckdb --format open-meteo --region BE90 gent.json
  rappel signals import --db rappel.duckdb --format knmi --region NL42 --latitude 51.859 --longitude 5.146 etmgeg_356.txt
  rappel signals import --db rappel.duckdb --format sector risk.csv`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runSignalsImport(cmd, &o, args) },
	}
	f := c.Flags()
	f.StringVar(&o.db, "db", "", "warehouse `file`; a new one is created")
	f.StringVar(&o.format, "format", "", "open-meteo, knmi or sector")
	f.StringVar(&o.region, "region", "", "`region` of the weather, such as BE90")
	f.StringVar(&o.knownAt, "known-at", "", "`moment` at which the file was made (RFC 3339); now, if empty")
	f.Float64Var(&o.latitude, "latitude", 52.1, "`degrees` north of the station (knmi)")
	f.Float64Var(&o.longitude, "longitude", 5.18, "`degrees` east of the station (knmi)")
	return c
}

func runSignalsImport(cmd *cobra.Command, o *importOptions, paths []string) error {
	if o.db == "" {
		return usage(errors.New("--db is needed"))
	}
	if o.region == "" && (o.format == "open-meteo" || o.format == "knmi") {
		return usage(errors.New("--region is needed"))
	}
	knownAt, err := momentFlag("known-at", o.knownAt)
	if err != nil {
		return err
	}
	var hours []signal.Hour
	var sectors []signal.Sector
	for _, path := range paths {
		read := func(f io.Reader) (err error) {
			var h []signal.Hour
			var s []signal.Sector
			switch {
			case o.format == "open-meteo" && filepath.Ext(path) == ".csv":
				h, err = signal.ReadOpenMeteoCSV(f, o.region, knownAt)
			case o.format == "open-meteo":
				h, err = signal.ReadOpenMeteoJSON(f, o.region, knownAt)
			case o.format == "knmi":
				h, err = signal.ReadKNMI(f, o.region, o.latitude, o.longitude)
			case o.format == "sector":
				s, err = signal.ReadSector(f, knownAt)
			default:
				return usage(fmt.Errorf("--format: %q is none of open-meteo, knmi, sector", o.format))
			}
			hours, sectors = append(hours, h...), append(sectors, s...)
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(read(f), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return withStore(cmd, o.db, func(ctx context.Context, s *store.Store) error {
		if err := signal.Write(ctx, s, hours, sectors, nil); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d hours of weather, %d signals of sectors\n", len(hours), len(sectors))
		return nil
	})
}

// fetchOptions are the flags of `rappel signals fetch`.
type fetchOptions struct {
	db, base            string
	region              string
	latitude, longitude float64
	past, ahead         int
}

func newSignalsFetchCommand() *cobra.Command {
	var o fetchOptions
	c := &cobra.Command{
		Use:   "fetch --db FILE",
		Short: "Ask a weather service for what was and what is expected",
		Long: `Ask a service that speaks as Open-Meteo does for the hourly weather of the
regions in which debtors live, at the middle of the postcodes that the warehouse
knows (rappel ingest with docs/mappings/postcodes-be.yaml brings them), or of the
one place that the flags name. Only coordinates of regions leave this machine.`,
		Example: `  rappel signals fetch --db rappel.duckdb
  rappel signals fetch --db rappel.duckdb --region BE90 --latitude 51.05 --longitude 3.72`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSignalsFetch(cmd, &o) },
	}
	f := c.Flags()
	f.StringVar(&o.db, "db", "", "warehouse `file`")
	f.StringVar(&o.base, "base-url", signal.DefaultBase, "`address` of the service")
	f.StringVar(&o.region, "region", "", "only this `region`, at --latitude and --longitude")
	f.Float64Var(&o.latitude, "latitude", 0, "`degrees` north of the region")
	f.Float64Var(&o.longitude, "longitude", 0, "`degrees` east of the region")
	f.IntVar(&o.past, "past-days", 2, "`days` before today")
	f.IntVar(&o.ahead, "forecast-days", 7, "`days` after today")
	return c
}

func runSignalsFetch(cmd *cobra.Command, o *fetchOptions) error {
	if o.db == "" {
		return usage(errors.New("--db is needed"))
	}
	if o.past < 0 || o.past > 90 || o.ahead < 0 || o.ahead > 15 {
		return usage(errors.New("--past-days is at most 90, --forecast-days at most 15"))
	}
	if err := existing(o.db); err != nil {
		return err
	}
	return withStore(cmd, o.db, func(ctx context.Context, s *store.Store) error {
		places := []signal.Place{{Region: o.region, Latitude: o.latitude, Longitude: o.longitude}}
		if o.region == "" {
			var err error
			if places, err = signal.Places(ctx, s); err != nil {
				return err
			}
			if len(places) == 0 {
				return errors.New("no debtor lives where a postcode with coordinates is known; ingest postcodes or name a --region")
			}
		}
		f := signal.Fetcher{Base: o.base, Client: &http.Client{Timeout: 30 * time.Second}, Now: time.Now}
		for _, p := range places {
			hours, err := f.Hours(ctx, p, o.past, o.ahead)
			if err != nil {
				return err
			}
			if err := signal.Write(ctx, s, hours, nil, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d hours of weather\n", p.Region, len(hours))
		}
		return nil
	})
}

func newSignalsHolidaysCommand() *cobra.Command {
	var db string
	var countries []string
	var from, to int
	c := &cobra.Command{
		Use:     "holidays --db FILE",
		Short:   "Write the public holidays of countries",
		Long:    "Write the public holidays of countries to the warehouse: the day off, where it is\nmoved from the day itself. Days decreed for one year are added with `rappel\ningest --table holidays`.",
		Example: "  rappel signals holidays --db rappel.duckdb --country be,nl,fr --from 2020 --to 2030",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if db == "" {
				return usage(errors.New("--db is needed"))
			}
			if from < 1900 || to < from || to > 2200 {
				return usage(fmt.Errorf("--from %d --to %d are no years", from, to))
			}
			var all []signal.Holiday
			for _, country := range countries {
				list, err := signal.Holidays(country, from, to)
				if err != nil {
					return usage(err)
				}
				all = append(all, list...)
			}
			return withStore(cmd, db, func(ctx context.Context, s *store.Store) error {
				if err := signal.Write(ctx, s, nil, nil, all); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d holidays\n", len(all))
				return nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&db, "db", "", "warehouse `file`; a new one is created")
	f.StringSliceVar(&countries, "country", []string{"BE", "NL", "FR", "DE", "GB", "US"}, "`countries`, ISO 3166")
	f.IntVar(&from, "from", 2015, "first `year`")
	f.IntVar(&to, "to", 2035, "last `year`")
	return c
}

// withStore opens the warehouse for the length of fn.
func withStore(cmd *cobra.Command, path string, fn func(context.Context, *store.Store) error) (err error) {
	s, err := store.Open(cmd.Context(), path, store.Options{Now: time.Now, Log: logger(cmd)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return fn(cmd.Context(), s)
}
