/** The command line: {@link io.usagearchiver.cli.Main}. */
@NullMarked
package io.usagearchiver.cli;

import org.jspecify.annotations.NullMarked;
