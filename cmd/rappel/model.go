package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rappel/engine"
)

// newModelCommand returns `rappel model`: which artefact serves.
func newModelCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "model", Short: "Which model serves: register, evaluate, shadow, promote, rollback",
		Long: `Model asks a running server about its artefacts. The usual way of a challenger:

  rappel train --lake lake --out models/april      an artefact
  rappel model register models/april               the server knows of it
  rappel model evaluate ID                         what it would have earned, with an interval
  rappel model shadow ID                           it decides beside the champion, for the log only
  rappel model promote ID                          it serves; the answer says on which interval that rests
  rappel model rollback                            the one before serves again

Each step is in the server's audit log. No request fails meanwhile.`,
		Example: "  rappel model promote m-20260401-5f2c --url http://127.0.0.1:8080 --key rk_…",
	}
	one := func(use, short string, do func(cmd *cobra.Command, r *remote, id string, out io.Writer, asJSON bool) error, args cobra.PositionalArgs) *cobra.Command {
		var r remote
		var asJSON bool
		sub := &cobra.Command{
			Use: use, Short: short, Args: args, Example: "  rappel model " + use + " --key rk_…",
			RunE: func(cmd *cobra.Command, args []string) error {
				if r.key == "" {
					return usage(errors.New("--key is missing"))
				}
				id := ""
				if len(args) > 0 {
					id = args[0]
				}
				return do(cmd, &r, id, cmd.OutOrStdout(), asJSON)
			},
		}
		r.flags(sub)
		sub.Flags().BoolVar(&asJSON, "json", false, "the answer as JSON")
		c.AddCommand(sub)
		return sub
	}
	one("list", "The registered artefacts", listModels, cobra.NoArgs)
	one("register MODELDIR", "Let the server know of an artefact on its disk", func(cmd *cobra.Command, r *remote, dir string, out io.Writer, asJSON bool) error {
		path, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		return tellModel(cmd, r, http.MethodPost, "/v1/models", map[string]string{"path": path}, out, asJSON)
	}, cobra.ExactArgs(1))
	var force bool
	evaluate := one("evaluate ID", "What an artefact would have earned on the server's log", func(cmd *cobra.Command, r *remote, id string, out io.Writer, asJSON bool) error {
		return evaluateModel(cmd, r, id, force, out, asJSON)
	}, cobra.ExactArgs(1))
	evaluate.Flags().BoolVar(&force, "force", false, "answer although the log does not support it; the answer says so")
	one("shadow ID", "Let an artefact decide beside the champion, for the log only", func(cmd *cobra.Command, r *remote, id string, out io.Writer, asJSON bool) error {
		return tellModel(cmd, r, http.MethodPost, "/v1/models/"+url.PathEscape(id)+"/shadow", nil, out, asJSON)
	}, cobra.ExactArgs(1))
	one("trial ID", "What an artefact on trial has decided so far", trialOf, cobra.ExactArgs(1))
	one("promote ID", "Let an artefact serve", func(cmd *cobra.Command, r *remote, id string, out io.Writer, asJSON bool) error {
		return tellModel(cmd, r, http.MethodPost, "/v1/models/"+url.PathEscape(id)+"/promote", nil, out, asJSON)
	}, cobra.ExactArgs(1))
	one("rollback", "Let the artefact before this one serve again", func(cmd *cobra.Command, r *remote, _ string, out io.Writer, asJSON bool) error {
		return tellModel(cmd, r, http.MethodPost, "/v1/models/rollback", nil, out, asJSON)
	}, cobra.NoArgs)
	return c
}

func tellModel(cmd *cobra.Command, r *remote, method, path string, body any, out io.Writer, asJSON bool) error {
	var m engine.ModelInfo
	if err := r.ask(cmd.Context(), method, path, body, &m); err != nil {
		return err
	}
	if asJSON {
		return writeJSON(out, m)
	}
	fmt.Fprintf(out, "%s is %s\n", m.ID, m.Status)
	if m.Status == "serving" {
		fmt.Fprintln(out, m.Evidence)
	}
	return nil
}

func listModels(cmd *cobra.Command, r *remote, _ string, out io.Writer, asJSON bool) error {
	var page struct {
		Models []engine.ModelInfo `json:"models"`
	}
	if err := r.ask(cmd.Context(), http.MethodGet, "/v1/models?limit=1000", nil, &page); err != nil {
		return err
	}
	if asJSON {
		return writeJSON(out, page.Models)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range page.Models {
		m := &page.Models[i]
		promoted := ""
		if m.PromotedAt != nil {
			promoted = m.PromotedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", m.ID, m.Status, promoted, m.Path)
	}
	return t.Flush()
}

func evaluateModel(cmd *cobra.Command, r *remote, id string, force bool, out io.Writer, asJSON bool) error {
	var v engine.Evaluation
	path := "/v1/models/" + url.PathEscape(id) + "/evaluate"
	if force {
		path += "?force=true"
	}
	if err := r.do(cmd.Context(), path, &v); err != nil {
		return err
	}
	if asJSON {
		return writeJSON(out, v)
	}
	fmt.Fprintf(out, "%s on %d decisions of %d debtors: a promotion %s\n", v.Model, v.Rows, v.Debtors, &v)
	if v.Trained {
		fmt.Fprintln(out, "CAUTION: the model was trained on data that some of these decisions lie in")
	}
	return nil
}

func trialOf(cmd *cobra.Command, r *remote, id string, out io.Writer, asJSON bool) error {
	var t engine.Trial
	if err := r.ask(cmd.Context(), http.MethodGet, "/v1/models/"+url.PathEscape(id)+"/shadow", nil, &t); err != nil {
		return err
	}
	if asJSON {
		return writeJSON(out, t)
	}
	fmt.Fprintf(out, "%s: %d shadow decisions; the same action in %.0f %%, the same channel in %.0f %%; it contacts in %.0f %%, the champion in %.0f %%\n",
		t.Model, t.Decisions, 100*t.SameAction, 100*t.SameChannel, 100*t.ContactShare, 100*t.Champion)
	return nil
}
