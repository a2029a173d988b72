/**
 * Measures the archiver against what people would use instead.
 *
 * <p>Read {@link io.usagearchiver.bench.Benchmark} first, then {@code Contestant} (who moves rows), {@code Race} (how a
 * run is measured and checked) and the {@code Scenario}s.
 */
@NullMarked
package io.usagearchiver.bench;

import org.jspecify.annotations.NullMarked;
