package io.usagearchiver.cli;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.cli.config.BadSettingsException;
import io.usagearchiver.cli.config.RootCause;
import java.io.PrintWriter;
import java.sql.SQLException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quartz.SchedulerException;
import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** What the user reads when a command fails: what is wrong and what to do, and a stack trace only for a bug. */
final class FaultReport {
    private FaultReport() {}

    /** Reports a mistake on the command line in a few lines, not with the whole help. */
    static int badUsage(ParameterException mistake, String[] args) {
        CommandLine command = mistake.getCommandLine();
        List<String> unmatched = command.getUnmatchedArguments();
        // A misspelt --config is missing too, but that is not what helps.
        ParameterException told = mistake instanceof MissingParameterException && !unmatched.isEmpty()
                ? new UnmatchedArgumentException(command, unmatched)
                : mistake;
        PrintWriter err = command.getErr();
        err.println(told.getMessage());
        if (!UnmatchedArgumentException.printSuggestions(told, err)) {
            err.print(command.getHelp().fullSynopsis());
        }
        err.printf("'%s --help' tells more.%n", command.getCommandSpec().qualifiedName());
        return ExitCode.BAD_USAGE;
    }

    /** Reports what ended a command. */
    static int fault(Exception fault, CommandLine command, ParseResult parsed) throws Exception {
        PrintWriter err = command.getErr();
        if (fault instanceof BadSettingsException) {
            err.println(fault.getMessage());
            return ExitCode.BAD_USAGE;
        }
        if (fault instanceof SchemaDriftException drift) {
            err.println(fault.getMessage());
            if (drift.differences().stream().anyMatch(FaultReport::isMendedByInit)) {
                err.println(
                        "'usage-archiver init' creates what is missing, with --role and --restore-role also the grants, and"
                                + " changes nothing that is there.");
            }
            return ExitCode.FAULT;
        }
        if (fault instanceof ArchiveException) {
            err.println(fault.getMessage());
            return ExitCode.FAULT;
        }
        if (fault instanceof SchedulerException) {
            String hint = isConflict(fault)
                    ? " (on a standby, hot_standby_feedback = on there, or a longer max_standby_streaming_delay, helps)"
                    : "";
            err.println(
                    fault.getCause() == null
                            ? fault.getMessage()
                            : fault.getMessage() + ": " + RootCause.message(fault) + hint);
            return ExitCode.FAULT;
        }
        throw fault;
    }

    /** Whether it is one of the files that {@code init} applies which is missing. */
    private static boolean isMendedByInit(String difference) {
        // The tables of rows it creates only where it is told to.
        return (difference.contains("apply sql/0") && !difference.contains("apply sql/01"))
                || difference.contains("(sql/0");
    }

    /** Whether a standby's replay, or another transaction, ended a statement that may succeed in another moment. */
    static boolean isConflict(Throwable fault) {
        SQLException database = sqlException(fault);
        return database != null && "40001".equals(database.getSQLState());
    }

    private static @Nullable SQLException sqlException(Throwable fault) {
        SQLException innermost = null;
        for (Throwable cause = fault; cause != null; cause = cause.getCause()) {
            innermost = cause instanceof SQLException e ? e : innermost;
        }
        return innermost;
    }
}
