/**
 * The command line: {@link io.usagearchiver.cli.Main} has the commands, a class each; read {@code SweepCommand} first, and {@code
 * ArchiverCommand} for what they have in common.
 */
@NullMarked
package io.usagearchiver.cli;

import org.jspecify.annotations.NullMarked;
