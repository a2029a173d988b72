/**
 * Checks for builds that generate code. Read {@link io.usagearchiver.codegen.GeneratedCodeCheck}.
 *
 * <p>This package knows JDBC and jOOQ and nothing else of ours.
 */
@NullMarked
package io.usagearchiver.codegen;

import org.jspecify.annotations.NullMarked;
