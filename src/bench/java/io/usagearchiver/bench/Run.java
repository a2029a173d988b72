package io.usagearchiver.bench;

/**
 * How a contestant did.
 *
 * @param seconds from its start to its end
 * @param moved rows that it was to move
 * @param used what PostgreSQL counted meanwhile
 */
record Run(double seconds, long moved, Counters used) {
    /** Something that is told of a run. */
    enum Metric {
        ROWS_PER_SECOND("rows/s") {
            @Override
            double of(Run run) {
                return run.moved / run.seconds;
            }
        },
        MICROSECONDS_PER_ROW("µs per row") {
            @Override
            double of(Run run) {
                return run.seconds * 1e6 / run.moved;
            }
        },
        BLOCKS_PER_ROW("blocks per row") {
            @Override
            double of(Run run) {
                return run.used.blocks() / (double) run.moved;
            }
        },
        WAL_BYTES_PER_ROW("WAL bytes per row") {
            @Override
            double of(Run run) {
                return run.used.walBytes() / (double) run.moved;
            }
        },
        WAL_IMAGES_PER_ROW("full pages in the WAL per row") {
            @Override
            double of(Run run) {
                return run.used.walImages() / (double) run.moved;
            }
        };

        private final String title;

        Metric(String title) {
            this.title = title;
        }

        String title() {
            return title;
        }

        abstract double of(Run run);
    }
}
