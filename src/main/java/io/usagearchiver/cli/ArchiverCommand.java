package io.usagearchiver.cli;

import io.usagearchiver.StopSignal;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IFactory;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What the commands have in common. */
@Command(
        mixinStandardHelpOptions = true,
        sortOptions = false,
        versionProvider = Version.class,
        exitCodeListHeading = "%nExit codes:%n")
abstract class ArchiverCommand implements Callable<Integer> {
    @SuppressWarnings("NullAway.Init")
    private CliContext context;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    /** Makes commands that know of their surroundings. */
    static IFactory factory(CliContext context) {
        return new IFactory() {
            @Override
            public <K> K create(Class<K> type) throws Exception {
                K made = CommandLine.defaultFactory().create(type);
                if (made instanceof ArchiverCommand command) {
                    command.context = context;
                }
                return made;
            }
        };
    }

    CliContext context() {
        return context;
    }

    /** A signal to stop, which SIGTERM and SIGINT give from now on. */
    StopSignal stopSignal() {
        StopSignal stop = new StopSignal();
        context.termination().onSignal(stop::request);
        return stop;
    }

    PrintWriter out() {
        return spec.commandLine().getOut();
    }

    PrintWriter err() {
        return spec.commandLine().getErr();
    }

    /** Standard output if somebody watches it and nobody else reads it; else one that takes everything and shows nothing. */
    PrintWriter terminal(boolean json) {
        return context.terminal() && !json ? out() : new PrintWriter(Writer.nullWriter());
    }

    void print(String text) {
        out().println(text);
        out().flush();
    }
}
