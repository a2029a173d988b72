package io.usagearchiver.cli;

import java.io.Console;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What commands know of their surroundings.
 *
 * @param termination what a signal does
 * @param environment looks up an environment variable; null if it is not set
 * @param terminal whether somebody watches the output
 */
record CliContext(Termination termination, Function<String, @Nullable String> environment, boolean terminal) {
    /** Those of this JVM. */
    static CliContext ofThisJvm(Termination termination) {
        return new CliContext(termination, System::getenv, isTerminal());
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
}
