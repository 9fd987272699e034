package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"rappel/models/bandit"
)

// newBanditCommand returns `rappel bandit`: the learners on files of one's own.
func newBanditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "bandit",
		Short:   "Try the bandit learners on a file",
		Example: "  rappel bandit replay --input mushroom.csv --label class --learner linucb,squarecb",
		Args:    cobra.NoArgs,
	}
	c.AddCommand(newBanditReplayCommand())
	return c
}

// replayOptions are the flags of `rappel bandit replay`.
type replayOptions struct {
	input    string
	label    string
	learners []string
	shuffles int
	seed     uint64
	json     bool
}

// newBanditReplayCommand returns `rappel bandit replay`: a classification file
// played as bandit feedback.
func newBanditReplayCommand() *cobra.Command {
	var o replayOptions
	c := &cobra.Command{
		Use:   "replay",
		Short: "Play a classification file as bandit feedback and count the mistakes",
		Long: `Play a classification file as bandit feedback and count the mistakes.

The learner sees the features of a row, names a class, and is told only whether
that was right: 1 if so, else 0. It passes once over the file, learning as it
goes; the loss is the share of rows it got wrong, from the first row on.

The input is CSV, also compressed (.gz), divided by commas, semicolons, tabs, bars
or blanks, with or without a header. --label is
the name of the label column, or its number counted from 1. Columns of numbers
are standardised, any other column becomes indicators of its values; neither
looks at the labels.

Learners: ` + strings.Join(bandit.Learners(), ", ") + `.`,
		Example: `  rappel bandit replay --input mushroom.csv --label class --learner linucb,squarecb
  rappel bandit replay --input satimage.csv.gz --label 1 --learner thompson --shuffles 10 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.input, "input", "", "CSV file, one example a row; .gz is decompressed")
	f.StringVar(&o.label, "label", "", "label column, by name or by number from 1")
	f.StringSliceVar(&o.learners, "learner", bandit.Learners(), "learners to play")
	f.IntVar(&o.shuffles, "shuffles", 10, "orders of the rows; the loss is their mean")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the orders and of the draws")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// replayed is what one learner lost on a file.
type replayed struct {
	Learner  string  `json:"learner"`
	Shuffles int     `json:"shuffles"`
	LossMean float64 `json:"loss_mean"`
	LossSD   float64 `json:"loss_sd"` // between shuffles; 0 for one shuffle
	Seconds  float64 `json:"seconds"` // of all shuffles, side by side on all cores
}

func (o *replayOptions) run(ctx context.Context, out io.Writer) error {
	if err := o.check(); err != nil {
		return usage(err)
	}
	records, err := readRecords(o.input)
	if err != nil {
		return err
	}
	examples, err := bandit.NewExamples(records, o.label)
	if err != nil {
		return fmt.Errorf("%s: %w", o.input, err)
	}
	answer := make([]replayed, 0, len(o.learners))
	for _, learner := range o.learners {
		r, err := o.replay(ctx, examples, learner)
		if err != nil {
			return err
		}
		answer = append(answer, r)
	}
	if o.json {
		return json.NewEncoder(out).Encode(answer)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "learner\tloss\tsd\tseconds\t\n")
	for _, r := range answer {
		fmt.Fprintf(w, "%s\t%.4f\t%.4f\t%.1f\t\n", r.Learner, r.LossMean, r.LossSD, r.Seconds)
	}
	return w.Flush()
}

func (o *replayOptions) check() error {
	switch {
	case o.input == "":
		return errors.New("--input is needed: a CSV file")
	case o.label == "":
		return errors.New("--label is needed: the label column, by name or by number from 1")
	case o.shuffles < 1:
		return fmt.Errorf("--shuffles %d: must be at least 1", o.shuffles)
	case len(o.learners) == 0:
		return errors.New("--learner: none given")
	}
	for _, name := range o.learners {
		if _, err := bandit.NewLearner(name, 0, 0); err != nil {
			return fmt.Errorf("--learner: %w", err)
		}
	}
	return nil
}

// replay plays all shuffles of one learner, as many at once as there are cores.
func (o *replayOptions) replay(ctx context.Context, e bandit.Examples, learner string) (replayed, error) {
	started := time.Now()
	losses := make([]float64, o.shuffles)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range losses {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			losses[i], err = bandit.Replay(e, learner, o.seed, i)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return replayed{}, err
	}
	r := replayed{Learner: learner, Shuffles: o.shuffles}
	for _, loss := range losses {
		r.LossMean += loss / float64(o.shuffles)
	}
	for _, loss := range losses {
		r.LossSD += (loss - r.LossMean) * (loss - r.LossMean)
	}
	r.LossSD = math.Sqrt(r.LossSD / float64(max(o.shuffles-1, 1)))
	r.Seconds = time.Since(started).Seconds()
	return r, nil
}

// byteOrderMark begins the files of some spreadsheets.
const byteOrderMark = "\ufeff"

// separator returns what most divides the first line of a file: a comma, a
// semicolon, a tab, a bar, or blanks where there is none of them.
func separator(head string) rune {
	line, _, _ := strings.Cut(head, "\n")
	best, most := ' ', 0
	for _, c := range ",;\t|" {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	if most == 0 && !strings.Contains(strings.TrimSpace(line), " ") {
		return ','
	}
	return best
}

// readRecords returns the cells of a CSV file, which may be compressed, with a
// header or without.
func readRecords(path string) ([][]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var in io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		unzipped, err := gzip.NewReader(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		in = unzipped
	}
	buffered := bufio.NewReaderSize(in, 1<<16)
	head, err := buffered.Peek(1 << 15)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if strings.HasPrefix(string(head), byteOrderMark) {
		if _, err := buffered.Discard(len(byteOrderMark)); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	r := csv.NewReader(buffered)
	r.Comma = separator(string(head))
	r.LazyQuotes = true
	r.TrimLeadingSpace = true
	records, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return records, nil
}
