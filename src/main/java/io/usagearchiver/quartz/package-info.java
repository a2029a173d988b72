/**
 * The archiver as a job of a Quartz cluster: {@link io.usagearchiver.quartz.ArchivePlugin} registers {@link
 * io.usagearchiver.quartz.ArchiveJob} from a few properties, on every node alike. {@code ScheduleKeeper} keeps what it
 * has stored, and {@code StuckTriggers} repairs triggers of the job.
 */
@NullMarked
package io.usagearchiver.quartz;

import org.jspecify.annotations.NullMarked;
