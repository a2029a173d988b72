package io.usagearchiver.cli;

import io.usagearchiver.ArchiveException;
import java.io.PrintWriter;
import org.quartz.SchedulerException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;

/** The command line of the runnable jar. */
@Command(
        name = "usage-archiver",
        description = "Moves expired rows of a hot PostgreSQL table into its archive, without losing one.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {InitCommand.class, SweepCommand.class, NodeCommand.class},
        footer = {"", "'usage-archiver COMMAND --help' tells more about a command."})
public final class Main {
    /** A fault: the database is down, or a statement failed. */
    static final int FAULT = 1;
    /** Bad usage or settings. Nothing was done. */
    static final int BAD_USAGE = 2;

    private final Termination termination;

    private Main(Termination termination) {
        this.termination = termination;
    }

    /** Runs a command and exits with its code. */
    public static void main(String[] args) {
        Termination termination = new Termination();
        termination.exit(commandLine(termination).execute(args));
    }

    static CommandLine commandLine(Termination termination) {
        return new CommandLine(new Main(termination))
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setUsageHelpWidth(100)
                .setExecutionExceptionHandler(Main::report);
    }

    Termination termination() {
        return termination;
    }

    private static int report(Exception fault, CommandLine command, CommandLine.ParseResult parsed) throws Exception {
        PrintWriter err = command.getErr();
        if (fault instanceof BadSettingsException) {
            err.println(fault.getMessage());
            return BAD_USAGE;
        }
        if (fault instanceof ArchiveException || fault instanceof SchedulerException) {
            err.println(fault.getMessage());
            return FAULT;
        }
        throw fault;
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
