package io.usagearchiver.metrics;

/** What meters and their tags are called; {@code SweepMetrics} says what they are. */
final class MeterNames {
    static final String ROWS_MOVED = "usage.archive.rows.moved";
    static final String ROWS_KEPT_BACK = "usage.archive.rows.kept.back";
    static final String BATCHES = "usage.archive.batches";
    static final String BATCH_TIME = "usage.archive.batch.time";
    static final String SWEEPS = "usage.archive.sweeps";
    static final String SWEEP_TIME = "usage.archive.sweep.time";
    static final String BACKLOG_AGE = "usage.archive.backlog.age";
    static final String RUNNING = "usage.archive.running";
    static final String LAST_SUCCESS = "usage.archive.last.success";
    static final String LAST_SUCCESS_AGE = "usage.archive.last.success.age";
    static final String LAST_KEPT_BACK = "usage.archive.last.kept.back";
    static final String NEXT_FIRING = "usage.archive.next.firing.timestamp";
    static final String HEALTH = "usage.archive.health";
    static final String TABLE = "table";
    static final String REASON = "reason";
    static final String STOP_REASON = "stop.reason";
    static final String STATUS = "status";
    static final String DISABLED = "DISABLED";

    private MeterNames() {}
}
