package io.usagearchiver.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command line of the runnable jar. */
@Command(
        name = "usage-archiver",
        description = "Moves expired rows of a hot PostgreSQL table into its archive, without losing one.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            InitCommand.class,
            MaintainCommand.class,
            PlanCommand.class,
            SweepCommand.class,
            NodeCommand.class,
            JobsCommand.class,
            HistoryCommand.class,
            VerifyCommand.class,
            RestoreCommand.class,
            HoldCommand.class,
            ReleaseCommand.class,
            HoldsCommand.class
        },
        footer = {
            "",
            "'usage-archiver COMMAND --help' tells more about a command.",
            "'usage-archiver' stands for 'java -jar usage-archiver.jar'."
        })
public final class Main implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    private Main() {}

    /** Runs a command and exits with its code. */
    public static void main(String[] args) {
        Termination termination = new Termination();
        termination.listen();
        termination.exit(commandLine(CliContext.ofThisJvm(termination)).execute(args));
    }

    /** The command line. */
    static CommandLine commandLine(CliContext context) {
        return new CommandLine(new Main(), ArchiverCommand.factory(context))
                .setUsageHelpWidth(100)
                .setParameterExceptionHandler(FaultReport::badUsage)
                .setExecutionExceptionHandler(FaultReport::fault);
    }

    /** Without a command there is only help. */
    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCode.BAD_USAGE;
    }
}
