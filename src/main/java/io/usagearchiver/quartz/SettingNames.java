package io.usagearchiver.quartz;

import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** What settings are called: as properties and in job data, and in the environment. */
final class SettingNames {
    static final String DATA_SOURCE = "dataSource";
    static final String PAIR = "pair";
    static final String HOT_TABLE = "hotTable";
    static final String ARCHIVE_TABLE = "archiveTable";
    static final String KEY_COLUMNS = "keyColumns";
    static final String AGE_COLUMNS = "ageColumns";
    static final String WHERE = "where";
    static final String RETENTION_MONTHS = "retentionMonths";
    static final String CRON = "cron";
    static final String BATCH_SIZE = "batchSize";
    static final String WORKERS = "workers";
    static final String TIME_BUDGET = "timeBudget";
    static final String LOCK_TIMEOUT = "lockTimeout";
    static final String STATEMENT_TIMEOUT = "statementTimeout";
    static final String IDLE_TRANSACTION_TIMEOUT = "idleTransactionTimeout";
    static final String RETRY_TIMEOUT = "retryTimeout";
    static final String PAUSE = "pause";
    static final String PAUSE_SHARE = "pauseShare";
    static final String RUN_WINDOW = "runWindow";
    static final String TARGET_BATCH_TIME = "targetBatchTime";
    static final String MAX_REPLICA_LAG = "maxReplicaLag";
    static final String CREATE_PARTITIONS = "createPartitions";
    static final String HAND_OVER = "handOver";
    /** Of the node, not of the job: the plugin reads it, and the job store never has it. */
    static final String LISTENERS = "listeners";

    static final String OWN_RETENTION_MONTHS_VARIABLE = "USAGE_ARCHIVER_RETENTION_MONTHS";
    static final String OWN_CRON_VARIABLE = "USAGE_ARCHIVER_CRON";
    static final String OWN_BATCH_SIZE_VARIABLE = "USAGE_ARCHIVER_BATCH_SIZE";
    static final String RETENTION_MONTHS_VARIABLE = "GPUSTACK_USAGE_DETAILS_RETENTION_MONTHS";
    static final String CRON_VARIABLE = "GPUSTACK_USAGE_DETAILS_ARCHIVE_CRON";
    static final String BATCH_SIZE_VARIABLE = "GPUSTACK_USAGE_DETAILS_ARCHIVE_BATCH_SIZE";

    /** The variables of a setting; the first that is set counts. */
    static final Map<String, List<String>> WITH_VARIABLES = Map.of(
            RETENTION_MONTHS,
            List.of(OWN_RETENTION_MONTHS_VARIABLE, RETENTION_MONTHS_VARIABLE),
            CRON,
            List.of(OWN_CRON_VARIABLE, CRON_VARIABLE),
            BATCH_SIZE,
            List.of(OWN_BATCH_SIZE_VARIABLE, BATCH_SIZE_VARIABLE));

    private SettingNames() {}

    /** The variable that a setting without a property is taken from, or null if none is set. */
    static @Nullable String variable(String setting, Function<String, @Nullable String> environment) {
        return WITH_VARIABLES.getOrDefault(setting, List.of()).stream()
                .filter(variable -> environment.apply(variable) != null)
                .findFirst()
                .orElse(null);
    }
}
