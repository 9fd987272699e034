package main

import "github.com/spf13/cobra"

// commands lists the subcommands of rappel.
func commands() []*cobra.Command {
	evaluate := &cobra.Command{
		Use: "evaluate", Short: "What a policy would have earned",
		Example: "  rappel evaluate policy --db rappel.duckdb --model models/march",
	}
	evaluate.AddCommand(newEvaluateLogCommand(), newEvaluatePolicyCommand(), newEvaluateHazardCommand())
	return []*cobra.Command{
		newDemoCommand(),
		newGenerateCommand(),
		newIngestCommand(),
		newSignalsCommand(),
		newFeaturesCommand(),
		newTrainCommand(),
		evaluate,
		newRecommendCommand(),
		newPlanCommand(),
		newModelCommand(),
		newSnapshotCommand(),
		newReportCommand(),
		newAlertsCommand(),
		newServeCommand(),
		newDoctorCommand(),
		newAuditCommand(),
		newKeyCommand(),
		newUserCommand(),
		newSimulateCommand(),
		newBanditCommand(),
		newSurvivalCommand(),
	}
}
