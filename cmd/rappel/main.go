// Command rappel decides for each debtor when, over which channel and in which
// tone to ask for money, and learns from what the debtor does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line. Exit codes: 0 done, 1 failed, 2 wrong usage.
func run(args []string, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(errs, "rappel: %v\n", err)
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		fmt.Fprintln(errs, "Run with --help for usage.")
		return 2
	}
	return 1
}

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usage returns a usageError, or nil for nil.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "rappel",
		Short: "When, how and in which tone to ask a debtor for money",
		Long: `Rappel decides for each debtor when, over which channel and in which tone to
ask for money, and learns from what the debtor does. It sends nothing itself.

Every flag is also an environment variable (--log-level is RAPPEL_LOG_LEVEL)
and a key of the YAML file named by --config.`,
		Example:       "  rappel demo --debtors 300",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: configure,
	}
	root.PersistentFlags().String("log-level", "info", "debug, info, warn or error")
	root.PersistentFlags().String("log-format", "text", "text or json")
	root.PersistentFlags().String("config", "", "YAML file with defaults for flags")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(commands()...)
	strict(root)
	return root
}

// strict makes wrong arguments of every command wrong usage.
func strict(c *cobra.Command) {
	if args := c.Args; args != nil {
		c.Args = func(cmd *cobra.Command, a []string) error { return usage(args(cmd, a)) }
	} else if c.Runnable() {
		c.Args = func(cmd *cobra.Command, a []string) error { return usage(cobra.NoArgs(cmd, a)) }
	} else {
		c.Args = func(cmd *cobra.Command, a []string) error {
			if len(a) > 0 {
				return usage(fmt.Errorf("unknown command %q for %q", a[0], cmd.CommandPath()))
			}
			return nil
		}
		c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// logger returns the logger that the flags ask for, on stderr.
func logger(cmd *cobra.Command) *slog.Logger {
	var level slog.Level
	name, _ := cmd.Flags().GetString("log-level")
	_ = level.UnmarshalText([]byte(name)) // checked by configure
	opt := &slog.HandlerOptions{Level: level}
	if format, _ := cmd.Flags().GetString("log-format"); format == "json" {
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), opt))
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), opt))
}
