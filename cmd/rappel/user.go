package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rappel/datasets/store"
)

// newUserCommand returns `rappel user`: the people who may sign in to the
// console of a warehouse that no server has open.
func newUserCommand() *cobra.Command {
	var db, creditor string
	c := &cobra.Command{
		Use:   "user",
		Short: "Create, list and change who may sign in to the console",
		Long: `Create, list and change the people who may sign in to the console. A user
belongs to one creditor, or to all of them where --creditor is left out, and is a
controller (decides on alerts and proposals), analyst (reads, and handles models),
manager (also changes settings) or admin (also users and keys).

A running server has the file to itself; there, an admin does the same on the
page Settings.`,
		Example: `  rappel user create --db rappel.duckdb --role admin eva
  rappel user create --db rappel.duckdb --creditor acme --role controller jan
  rappel user list --db rappel.duckdb
  rappel user password --db rappel.duckdb jan
  rappel user disable --db rappel.duckdb jan`,
	}
	c.PersistentFlags().StringVar(&db, "db", "", "warehouse `file`; create makes a new one")
	c.PersistentFlags().StringVar(&creditor, "creditor", "", "`id` of the creditor; empty: all of them")

	with := func(action string, fn func(*cobra.Command, *store.Store, []string) error) func(*cobra.Command, []string) error {
		return stored(&db, func(cmd *cobra.Command, s *store.Store, args []string) error {
			if err := fn(cmd, s, args); err != nil || action == "" {
				return err
			}
			return s.Audit(cmd.Context(), creditor, "cli", action, args[0], "")
		})
	}

	var role, language string
	var vouched bool
	create := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a user",
		Long: `Create makes a user. The password is asked for on a terminal, and is the first
line of standard input otherwise; where that is empty one is made up and printed,
once. With --vouched there is none: the OpenID Connect provider says who it is.`,
		Example: "  rappel user create --db rappel.duckdb --creditor acme --role controller jan",
		Args:    cobra.ExactArgs(1),
		RunE: with("create user", func(cmd *cobra.Command, s *store.Store, args []string) error {
			password, made := "", false
			if !vouched {
				var err error
				if password, made, err = askPassword(cmd); err != nil {
					return err
				}
			}
			u, err := s.CreateUser(cmd.Context(), store.User{Name: args[0], Creditor: creditor, Role: role, Language: language}, password)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "created %s, %s\n", u.Name, u.Role)
			if made {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), password)
			}
			return err
		}),
	}
	create.Flags().StringVar(&role, "role", "controller", "what the user may do: "+strings.Join(store.Roles, ", "))
	create.Flags().StringVar(&language, "language", "", "language of the pages: nl, fr, en (default: the browser's)")
	create.Flags().BoolVar(&vouched, "vouched", false, "no password: an OpenID Connect provider vouches for this user")

	list := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: "  rappel user list --db rappel.duckdb",
		Args:    cobra.NoArgs,
		RunE: with("", func(cmd *cobra.Command, s *store.Store, _ []string) error {
			users, err := s.Users(cmd.Context(), creditor)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "user\tcreditor\trole\tpassword\tcreated\tdisabled")
			for _, u := range users {
				owner, disabled, password := u.Creditor, "", "yes"
				if owner == "" {
					owner = "(all)"
				}
				if !u.HasPassword {
					password = "(vouched)"
				}
				if !u.DisabledAt.IsZero() {
					disabled = u.DisabledAt.UTC().Format(time.RFC3339)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", u.Name, owner, u.Role, password, u.CreatedAt.UTC().Format(time.RFC3339), disabled)
			}
			return w.Flush()
		}),
	}
	change := func(use, short, action string, fn func(*cobra.Command, *store.Store, string) error) *cobra.Command {
		return &cobra.Command{
			Use: use + " NAME", Short: short, Args: cobra.ExactArgs(1),
			Example: "  rappel user " + use + " --db rappel.duckdb jan",
			RunE:    with(action, func(cmd *cobra.Command, s *store.Store, args []string) error { return fn(cmd, s, args[0]) }),
		}
	}
	password := change("password", "Give a user a new password", "change password", func(cmd *cobra.Command, s *store.Store, name string) error {
		text, made, err := askPassword(cmd)
		if err != nil {
			return err
		}
		if err := s.SetPassword(cmd.Context(), name, text); err != nil || !made {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	})
	var to string
	grant := change("role", "Give a user another role", "change role", func(cmd *cobra.Command, s *store.Store, name string) error {
		return s.SetRole(cmd.Context(), name, to)
	})
	grant.Flags().StringVar(&to, "role", "", "the new role: "+strings.Join(store.Roles, ", "))
	grant.Example = "  rappel user role --db rappel.duckdb --role manager jan"
	disable := change("disable", "Keep a user out", "disable user", func(cmd *cobra.Command, s *store.Store, name string) error {
		return s.DisableUser(cmd.Context(), name)
	})
	enable := change("enable", "Let a user in again, and lift a lock", "enable user", func(cmd *cobra.Command, s *store.Store, name string) error {
		return s.EnableUser(cmd.Context(), name)
	})
	c.AddCommand(create, list, password, grant, disable, enable)
	return c
}

// askPassword asks for a password on a terminal, or reads the first line of
// standard input; where there is none it makes one up.
func askPassword(cmd *cobra.Command) (password string, made bool, err error) {
	if f, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), "password (empty: one is made up): ")
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		if err != nil {
			return "", false, fmt.Errorf("read password: %w", err)
		}
		password = string(b)
	} else if lines := bufio.NewScanner(cmd.InOrStdin()); lines.Scan() {
		password = lines.Text()
	}
	if password == "" {
		return madePassword(), true, nil
	}
	return password, false, nil
}

// madePassword is one that is easily read out: groups of four.
func madePassword() string {
	text := strings.ToLower(rand.Text())
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:16]
}

// stored runs fn on the warehouse at *db, which only a create may make.
func stored(db *string, fn func(*cobra.Command, *store.Store, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		if *db == "" {
			return usage(errors.New("--db is needed"))
		}
		if cmd.Name() != "create" {
			if err := existing(*db); err != nil {
				return err
			}
		}
		s, err := store.Open(cmd.Context(), *db, store.Options{Now: time.Now, Log: logger(cmd)})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		return fn(cmd, s, args)
	}
}
