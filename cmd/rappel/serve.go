package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	"rappel/api"
	"rappel/datasets/store"
	"rappel/engine"
)

// opened is a warehouse with an engine over it.
type opened struct {
	store  *store.Store
	engine *engine.Engine
}

// open opens the file and the engine over it. The caller closes the store.
func open(ctx context.Context, path, model string, seed uint64, log *slog.Logger) (*opened, error) {
	return openAt(ctx, path, model, seed, time.Now, log)
}

// openAt does so by another clock.
func openAt(ctx context.Context, path, model string, seed uint64, now func() time.Time, log *slog.Logger) (*opened, error) {
	st, err := store.Open(ctx, path, store.Options{Now: now, Log: log})
	if err != nil {
		return nil, err
	}
	e, err := engine.New(ctx, st, engine.Options{Now: now, Log: log, Seed: seed, ModelDir: model})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &opened{st, e}, nil
}

// openLake opens an in-memory warehouse over a copy of a lake.
func openLake(ctx context.Context, dir, model string, log *slog.Logger) (*opened, error) {
	st, err := store.Open(ctx, "", store.Options{Now: time.Now, Log: log})
	if err != nil {
		return nil, err
	}
	if err := st.ReadLake(ctx, dir); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	e, err := engine.New(ctx, st, engine.Options{Now: time.Now, Log: log, Seed: 1, ModelDir: model})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &opened{st, e}, nil
}

var discard = slog.New(slog.DiscardHandler)

func newServeCommand() *cobra.Command {
	var db, model, addr string
	var seed uint64
	cfg := api.DefaultConfig()
	cmd := &cobra.Command{
		Use:   "serve --db FILE",
		Short: "Answer over HTTP",
		Long: `Serve opens the warehouse (a new file is created) and answers over HTTP until it
is stopped. Without a model it starts from the built-in priors and learns.`,
		Example: "  rappel key create --db rappel.duckdb\n  rappel serve --db rappel.duckdb --addr :8080",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if db == "" {
				return usage(errors.New("--db is missing"))
			}
			if err := cfg.Console.OIDC.Validate(); err != nil {
				return usage(err)
			}
			log := logger(cmd)
			o, err := open(cmd.Context(), db, model, seed, log)
			if err != nil {
				return err
			}
			l, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", addr)
			if err != nil {
				return errors.Join(err, o.store.Close())
			}
			announce(cmd.ErrOrStderr(), l)
			err = api.New(o.engine, cfg, time.Now, log).Serve(cmd.Context(), l)
			return errors.Join(err, o.store.Close())
		},
	}
	f := cmd.Flags()
	f.StringVar(&db, "db", "", "warehouse file (DuckDB)")
	f.StringVar(&model, "model", "", "model artefact to start from (default: the promoted one, else the built-in priors)")
	f.StringVar(&addr, "addr", ":8080", "address to listen on")
	f.Uint64Var(&seed, "seed", 1, "seed of every draw")
	f.DurationVar(&cfg.LearnEvery, "learn-every", cfg.LearnEvery, "how often the server learns by itself; 0: only when asked")
	f.Float64Var(&cfg.RatePerKey, "rate", cfg.RatePerKey, "requests a second per key; 0: unlimited")
	f.IntVar(&cfg.Burst, "burst", cfg.Burst, "requests that a key may send at once")
	f.StringVar(&cfg.ModelDir, "models", "", "folder that artefacts must lie in to be registered over HTTP (default: any)")
	oidc := &cfg.Console.OIDC
	f.StringVar(&oidc.Issuer, "oidc-issuer", "", "OpenID Connect provider that says who signs in to the console (default: passwords)")
	f.StringVar(&oidc.Client, "oidc-client", "", "this server's client id at the provider")
	f.StringVar(&oidc.Secret, "oidc-secret", "", "the client's secret; best given as RAPPEL_OIDC_SECRET")
	f.StringVar(&oidc.Redirect, "oidc-redirect", "", "where the provider sends people back: https://HOST/console/oidc/callback")
	f.StringVar(&oidc.Claim, "oidc-claim", "email", "claim that holds the user's name")
	f.StringVar(&cfg.LakeDir, "lake", "", "folder of the lake that POST /v1/snapshots writes (default: beside the warehouse, with .lake after its name)")
	f.DurationVar(&cfg.StopAfter, "stop-after", cfg.StopAfter, "how long a stop waits for requests under way")
	f.BoolVar(&cfg.PublicHooks, "public-webhooks", false, "send webhooks to public addresses only, never to a private network")
	return cmd
}

// serveLoopback opens a server on a database file and returns its store, address and a
// key that may do everything; stop ends it and waits until it has ended.
func serveLoopback(ctx context.Context, path string, seed uint64, log *slog.Logger) (s *store.Store, url, key string, stop func() error, err error) {
	o, err := open(ctx, path, "", seed, log)
	if err != nil {
		return nil, "", "", nil, err
	}
	key, _, err = o.store.CreateKey(ctx, "", nil)
	if err != nil {
		return nil, "", "", nil, errors.Join(err, o.store.Close())
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", "", nil, errors.Join(err, o.store.Close())
	}
	serving, cancel := context.WithCancel(ctx)
	cfg := api.DefaultConfig()
	cfg.LearnEvery, cfg.RatePerKey = 0, 0 // whoever plays a year sets its pace
	done := make(chan error, 1)
	//nolint:contextcheck // every handler takes its request's context
	go func() { done <- api.New(o.engine, cfg, time.Now, log).Serve(serving, l) }()
	return o.store, urlOf(l), key, func() error {
		cancel()
		return errors.Join(<-done, o.store.Close())
	}, nil
}

func announce(w io.Writer, l net.Listener) { fmt.Fprintf(w, "rappel: listening on %s\n", urlOf(l)) }

// urlOf is where a listener on this machine is reached.
func urlOf(l net.Listener) string {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return l.Addr().String()
	}
	return "http://127.0.0.1:" + port
}
