package io.usagearchiver.cli;

import java.io.Console;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The command line of the runnable jar, and what its commands know of their surroundings. */
@Command(
        name = "usage-archiver",
        description = "Moves expired rows of a hot PostgreSQL table into its archive, without losing one.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            InitCommand.class,
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
    /** A fault: the database is down, or a statement failed. */
    static final int FAULT = 1;
    /** Bad usage or settings. Nothing was done. */
    static final int BAD_USAGE = 2;

    private final Termination termination;
    private final Function<String, @Nullable String> environment;
    private final boolean terminal;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    private Main(Termination termination, Function<String, @Nullable String> environment, boolean terminal) {
        this.termination = termination;
        this.environment = environment;
        this.terminal = terminal;
    }

    /** Runs a command and exits with its code. */
    public static void main(String[] args) {
        Termination termination = new Termination();
        termination.listen();
        termination.exit(commandLine(termination, System::getenv, isTerminal()).execute(args));
    }

    /**
     * The command line.
     *
     * @param environment looks up an environment variable; null if it is not set
     * @param terminal whether somebody watches the output
     */
    static CommandLine commandLine(
            Termination termination, Function<String, @Nullable String> environment, boolean terminal) {
        return new CommandLine(new Main(termination, environment, terminal))
                .setUsageHelpWidth(100)
                .setParameterExceptionHandler(FaultReport::badUsage)
                .setExecutionExceptionHandler(FaultReport::fault);
    }

    /** Without a command there is only help. */
    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return BAD_USAGE;
    }

    Termination termination() {
        return termination;
    }

    Function<String, @Nullable String> environment() {
        return environment;
    }

    boolean terminal() {
        return terminal;
    }

    /** Whether standard input and output are a terminal. From JDK 22 on there may be a console without one. */
    @SuppressWarnings("SystemConsoleNull") // It may still be null; where it is not, isTerminal() tells.
    private static boolean isTerminal() {
        Console console = System.console();
        try {
            return console != null
                    && (boolean) Console.class.getMethod("isTerminal").invoke(console);
        } catch (NoSuchMethodException e) {
            return true;
        } catch (ReflectiveOperationException e) {
            return false;
        }
    }

    /** The version in the jar's manifest. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Main.class.getPackage().getImplementationVersion();
            return new String[] {"usage-archiver " + (version == null ? "(not from a jar)" : version)};
        }
    }
}
