/**
 * What commands print, as text and as JSON: {@link io.usagearchiver.cli.report.SweepReport} first.
 */
@NullMarked
package io.usagearchiver.cli.report;

import org.jspecify.annotations.NullMarked;
