package io.usagearchiver.quartz;

import org.quartz.JobKey;
import org.quartz.TriggerKey;

/** What the job and the triggers of an archiver are called in the job store. */
record ArchiverKeys(JobKey job, TriggerKey cron, TriggerKey startup) {
    /** The group of the jobs and triggers of all archivers. */
    static final String GROUP = "usage-archiver";

    /** Those of a plugin. */
    static ArchiverKeys of(String pluginName) {
        return new ArchiverKeys(
                new JobKey(pluginName, GROUP),
                new TriggerKey(pluginName + ".cron", GROUP),
                new TriggerKey(pluginName + ".startup", GROUP));
    }
}
