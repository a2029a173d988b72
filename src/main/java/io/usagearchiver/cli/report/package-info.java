/**
 * What commands print.
 */
@NullMarked
package io.usagearchiver.cli.report;

import org.jspecify.annotations.NullMarked;
