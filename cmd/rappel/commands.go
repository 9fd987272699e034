package main

import "github.com/spf13/cobra"

// commands lists the subcommands of rappel.
func commands() []*cobra.Command {
	return []*cobra.Command{
		newGenerateCommand(),
		newIngestCommand(),
		newFeaturesCommand(),
		newSignalsCommand(),
		newKeyCommand(),
		newServeCommand(),
		newSimulateCommand(),
		newBanditCommand(),
		newEvaluateLogCommand(),
	}
}
