/**
 * Metrics of sweeps for Micrometer: {@link io.usagearchiver.metrics.SweepMetrics}. The only package that needs Micrometer,
 * which is an optional dependency.
 */
@NullMarked
package io.usagearchiver.metrics;

import org.jspecify.annotations.NullMarked;
