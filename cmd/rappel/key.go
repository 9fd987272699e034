package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rappel/datasets/store"
)

// newKeyCommand returns `rappel key`: API keys of a warehouse that no server
// has open.
func newKeyCommand() *cobra.Command {
	var db, creditor string
	c := &cobra.Command{
		Use:   "key",
		Short: "Create, list and revoke API keys",
		Long: `Create, list and revoke the keys with which software asks the API. A key
belongs to one creditor, or to all of them where --creditor is left out. Only its
hash is stored: the text is printed once.

A running server has the file to itself; make keys before it starts.`,
		Example: `  rappel key create --db rappel.duckdb --creditor acme --scopes recommend,ingest
  rappel key list --db rappel.duckdb
  rappel key revoke --db rappel.duckdb key_1f2e3d4c5b6a`,
	}
	c.PersistentFlags().StringVar(&db, "db", "", "warehouse `file`; create makes a new one")
	c.PersistentFlags().StringVar(&creditor, "creditor", "", "`id` of the creditor; empty: all of them")

	// with opens the store around fn.
	var scopes []string
	create := &cobra.Command{
		Use:     "create",
		Short:   "Make a key and print it, alone, once",
		Example: "  rappel key create --db rappel.duckdb --creditor acme --scopes recommend,ingest",
		Args:    cobra.NoArgs,
		RunE: stored(&db, func(cmd *cobra.Command, s *store.Store, _ []string) error {
			text, _, err := s.CreateKey(cmd.Context(), creditor, scopes)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		}),
	}
	create.Flags().StringSliceVar(&scopes, "scopes", nil, "what it may do: "+strings.Join(store.Scopes, ", ")+" (default: all)")

	list := &cobra.Command{
		Use:     "list",
		Short:   "List the keys, without their texts",
		Example: "  rappel key list --db rappel.duckdb",
		Args:    cobra.NoArgs,
		RunE: stored(&db, func(cmd *cobra.Command, s *store.Store, _ []string) error {
			keys, err := s.ListKeys(cmd.Context(), creditor)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "key\tcreditor\tscopes\tcreated\trevoked")
			for _, k := range keys {
				owner, revoked := k.Creditor, ""
				if owner == "" {
					owner = "(all)"
				}
				if !k.RevokedAt.IsZero() {
					revoked = k.RevokedAt.Format(time.RFC3339)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.ID, owner, strings.Join(k.Scopes, ","), k.CreatedAt.UTC().Format(time.RFC3339), revoked)
			}
			return w.Flush()
		}),
	}
	revoke := &cobra.Command{
		Use:     "revoke KEY",
		Short:   "End a key, by the name that list shows",
		Example: "  rappel key revoke --db rappel.duckdb key_1f2e3d4c5b6a",
		Args:    cobra.ExactArgs(1),
		RunE: stored(&db, func(cmd *cobra.Command, s *store.Store, args []string) error {
			return s.RevokeKey(cmd.Context(), args[0])
		}),
	}
	c.AddCommand(create, list, revoke)
	return c
}
