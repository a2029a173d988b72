package io.usagearchiver.quartz;

import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Warns of stored jobs that move rows by settings that are not this node's. Removing one is left to the operator: its plugin
 * may be on another node still.
 */
final class OtherJobs {
    private static final Logger log = LoggerFactory.getLogger("io.usagearchiver.quartz.ArchivePlugin");

    private OtherJobs() {}

    /**
     * Looks at all stored jobs.
     *
     * @param archivers the settings of this node's archivers by the names of their plugins
     */
    static void tell(List<StoredJob> stored, Map<String, PluginSettings> archivers) {
        for (StoredJob job : stored) {
            if (!job.isOfPlugin()) {
                archivers.forEach((archiver, own) -> tellOfRetention(job, archiver, own));
            } else if (!archivers.containsKey(job.key().getName())) {
                tellOfOrphan(job);
            }
        }
    }

    private static void tellOfOrphan(StoredJob job) {
        String jobName = job.key().getName();
        PluginSettings theirs = job.settings();
        log.warn(
                "Job {} in the job store has no plugin on this node, and is fired all the same: {}; next firing {}. If its"
                        + " plugin was renamed or removed, remove the job: java -jar usage-archiver.jar jobs --config FILE"
                        + " --remove {}, or scheduler.deleteJob(new JobKey(\"{}\", \"{}\"))",
                jobName,
                theirs == null
                        ? job.fault()
                        : "it archives " + theirs.table() + ", data source " + theirs.dataSource()
                                + ", with retentionMonths " + theirs.archive().retentionMonths(),
                job.nextFiring() == null ? "never" : job.nextFiring(),
                jobName,
                jobName,
                StoredJob.GROUP);
    }

    private static void tellOfRetention(StoredJob job, String archiver, PluginSettings own) {
        PluginSettings theirs = job.settings();
        if (theirs != null
                && theirs.isOfSameTable(own)
                && theirs.archive().retentionMonths() != own.archive().retentionMonths()) {
            log.warn(
                    "Job {} in the job store archives {}, data source {}, with retentionMonths {}, but archiver {} with {}:"
                            + " rows leave the table by the shorter one",
                    job.key(),
                    own.table(),
                    own.dataSource(),
                    theirs.archive().retentionMonths(),
                    archiver,
                    own.archive().retentionMonths());
        }
    }
}
