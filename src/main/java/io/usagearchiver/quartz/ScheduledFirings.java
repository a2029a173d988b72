package io.usagearchiver.quartz;

import io.usagearchiver.RunWindow;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Date;
import org.jspecify.annotations.Nullable;
import org.quartz.Calendar;
import org.quartz.Trigger;

/**
 * The firings of a schedule that lead to a sweep: those within the run window. By them a sweep is late: when a firing has
 * come since the last sweep ended, and a grace has passed since then, a quarter of the time to the next firing, but no
 * less than {@link #LEAST_GRACE} and no more than {@link #MOST_GRACE}. A sweep that ended so shortly before a firing counts as
 * that firing's, since a node's clock may be ahead of the database's. Before the start of its trigger a schedule has no firing.
 */
record ScheduledFirings(
        Trigger trigger,
        @Nullable Calendar calendar,
        @Nullable RunWindow window) {
    static final Duration LEAST_GRACE = Duration.ofMinutes(5);
    static final Duration MOST_GRACE = Duration.ofHours(2);
    private static final int SHARE = 4;

    /** After so many firings in vain, each after the start of a window, it is given up: four years of a daily one. */
    private static final int LOOKS = 1500;

    /** The firing by which a sweep should have come after the last one, if there was one; null if it is not late. */
    @Nullable
    Instant overdue(@Nullable Instant lastSweep, Instant now) {
        Instant firing = after(lastSweep == null ? Instant.EPOCH : lastSweep);
        if (firing != null && lastSweep != null && !firing.isAfter(lastSweep.plus(grace(firing)))) {
            firing = after(firing);
        }
        return firing != null && now.isAfter(firing.plus(grace(firing))) ? firing : null;
    }

    /** Whether there are firings to come, of which none can lead to a sweep. */
    boolean areAllOutsideWindow(Instant now) {
        return window != null && trigger.getFireTimeAfter(Date.from(now)) != null && after(now) == null;
    }

    private Duration grace(Instant firing) {
        Instant next = after(firing);
        if (next == null) {
            return MOST_GRACE;
        }
        Duration share = Duration.between(firing, next).dividedBy(SHARE);
        Duration atLeast = share.compareTo(LEAST_GRACE) < 0 ? LEAST_GRACE : share;
        return atLeast.compareTo(MOST_GRACE) > 0 ? MOST_GRACE : atLeast;
    }

    private @Nullable Instant after(Instant moment) {
        Date time = trigger.getFireTimeAfter(Date.from(moment));
        for (int look = 0; time != null && look < LOOKS; look++) {
            Instant firing = time.toInstant();
            Instant from = firing;
            if (calendar != null && !calendar.isTimeIncluded(firing.toEpochMilli())) {
                from = Instant.ofEpochMilli(calendar.getNextIncludedTime(firing.toEpochMilli()));
            } else if (window != null && !window.contains(LocalTime.ofInstant(firing, ZoneOffset.UTC))) {
                from = nextStart(window, firing);
            }
            if (from.equals(firing)) {
                return firing;
            }
            time = trigger.getFireTimeAfter(Date.from(from.minusMillis(1)));
        }
        return null;
    }

    private static Instant nextStart(RunWindow window, Instant moment) {
        OffsetDateTime start = moment.atOffset(ZoneOffset.UTC).with(window.start());
        return (start.toInstant().isAfter(moment) ? start : start.plusDays(1)).toInstant();
    }
}
