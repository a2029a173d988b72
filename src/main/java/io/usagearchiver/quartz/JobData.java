package io.usagearchiver.quartz;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.quartz.JobDataMap;
import org.quartz.Scheduler;

/** The data of an archiver's job as text. */
final class JobData {
    private static final Set<String> RECOVERY = Set.of(
            Scheduler.FAILED_JOB_ORIGINAL_TRIGGER_NAME,
            Scheduler.FAILED_JOB_ORIGINAL_TRIGGER_GROUP,
            Scheduler.FAILED_JOB_ORIGINAL_TRIGGER_FIRETIME_IN_MILLISECONDS,
            Scheduler.FAILED_JOB_ORIGINAL_TRIGGER_SCHEDULED_FIRETIME_IN_MILLISECONDS);

    private JobData() {}

    /** Without what Quartz adds where it runs the job of a dead node again. */
    static Map<String, String> strings(JobDataMap data) {
        Map<String, String> strings = new TreeMap<>();
        data.forEach((name, value) -> {
            if (!(value instanceof String string)) {
                throw new IllegalArgumentException("job data " + name + " = " + value + ": must be a string");
            }
            strings.put(name, string);
        });
        strings.keySet().removeAll(RECOVERY);
        return strings;
    }
}
