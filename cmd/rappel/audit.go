package main

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rappel/datasets/store"
	"rappel/engine"
)

// newAuditCommand returns `rappel audit`: who did what.
func newAuditCommand() *cobra.Command {
	var db, creditor string
	var limit int
	var r remote
	var asJSON bool
	c := &cobra.Command{
		Use:   "audit --db FILE",
		Short: "Who did what, the newest first",
		Long: `Audit prints the newest lines of the audit log: what was done about a creditor
and what was done about all of them, such as the training, evaluation, trial and
promotion of a model, with the interval on which a promotion rests.

A server that runs holds its file: ask it with --url and --key instead of --db.`,
		Example: "  rappel audit --db rappel.duckdb --creditor acme\n  rappel audit --url http://127.0.0.1:8080 --key rk_…",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var page struct {
				Acts []engine.Act `json:"acts"`
			}
			switch {
			case limit < 1 || limit > 1000:
				return usage(fmt.Errorf("--limit: %d is not between 1 and 1000", limit))
			case db != "":
				if err := stored(&db, func(cmd *cobra.Command, s *store.Store, _ []string) (err error) {
					page.Acts, err = s.Acts(cmd.Context(), creditor, math.MaxInt64, limit)
					return err
				})(cmd, args); err != nil {
					return err
				}
			case r.key != "":
				query := url.Values{"limit": {strconv.Itoa(limit)}}
				if creditor != "" {
					query.Set("creditor_id", creditor)
				}
				if err := r.ask(cmd.Context(), http.MethodGet, "/v1/audit?"+query.Encode(), nil, &page); err != nil {
					return err
				}
			default:
				return usage(errors.New("audit needs --db, or --url and --key"))
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), page.Acts)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, a := range page.Acts {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.At.Format(time.RFC3339), a.Actor, a.Action, a.Object, a.Detail)
			}
			return w.Flush()
		},
	}
	f := c.Flags()
	f.StringVar(&db, "db", "", "warehouse `file` that no server has open")
	f.StringVar(&creditor, "creditor", "", "`id` of a creditor")
	f.IntVar(&limit, "limit", 100, "how many lines")
	r.flags(c)
	f.BoolVar(&asJSON, "json", false, "the lines as JSON")
	return c
}
