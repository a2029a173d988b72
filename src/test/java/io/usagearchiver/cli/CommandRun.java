package io.usagearchiver.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Map;
import picocli.CommandLine.Help;
import picocli.CommandLine.Help.Ansi;

/** A command that ran in this JVM: its exit code, and what it printed on standard output and standard error. */
public record CommandRun(int exitCode, String out, String err) {
    /** Runs a command without environment variables or a terminal. */
    public static CommandRun of(String... arguments) {
        return of(Map.of(), arguments);
    }

    static CommandRun of(Map<String, String> environment, String... arguments) {
        return of(new Termination(), environment, false, arguments);
    }

    static CommandRun onTerminal(String... arguments) {
        return of(new Termination(), Map.of(), true, arguments);
    }

    static CommandRun of(
            Termination termination, Map<String, String> environment, boolean terminal, String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode = Main.commandLine(new CliContext(termination, environment::get, terminal))
                .setColorScheme(Help.defaultColorScheme(Ansi.OFF))
                .setOut(new PrintWriter(out))
                .setErr(new PrintWriter(err))
                .execute(arguments);
        return new CommandRun(exitCode, out.toString(), err.toString());
    }
}
