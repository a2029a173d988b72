package io.usagearchiver.bench;

import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Locale;

/**
 * The rows that a run begins with: one request every seven seconds, the oldest of them expired.
 *
 * @param rows hot rows
 * @param expired how many of them are expired
 * @param nullPercent of how many in a hundred {@code completed_at} is null
 * @param order how their ids follow their ages
 * @param archived rows that earlier sweeps have archived; without any, the archive was never analyzed
 */
record Usage(int rows, int expired, int nullPercent, Order order, int archived) {
    /** Rows before it are expired. */
    static final LocalDateTime CUTOFF = LocalDateTime.parse("2025-05-15T12:00");

    /** The moment at which {@link #CUTOFF} is the cutoff of the default retention period. */
    static final Clock CLOCK = Clock.fixed(CUTOFF.plusMonths(13).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);

    /** How ids follow ages. */
    enum Order {
        /** Older rows have smaller ids. */
        BY_AGE,
        /** An id tells nothing of a row's age. */
        SHUFFLED,
        /** All rows have one age. */
        ONE_AGE
    }

    /** 46 % expired, 5 % never completed, ids by age, an archive that has a twentieth as many rows. */
    static Usage of(int rows) {
        return new Usage(rows, Math.toIntExact(rows * 46L / 100), 5, Order.BY_AGE, rows / 20);
    }

    Usage withExpired(int count) {
        return new Usage(rows, count, nullPercent, order, archived);
    }

    Usage withNullPercent(int percent) {
        return new Usage(rows, expired, percent, order, archived);
    }

    Usage withOrder(Order newOrder) {
        return new Usage(rows, expired, nullPercent, newOrder, archived);
    }

    Usage withEmptyArchive() {
        return new Usage(rows, expired, nullPercent, order, 0);
    }

    /** The name of the database that holds them. */
    String databaseName() {
        return String.format(Locale.ROOT, "%d_%d_%d_%s_%d", rows, expired, nullPercent, order, archived)
                .toLowerCase(Locale.ROOT);
    }

    /** The statements that load them. */
    String load() {
        String hot = insert(
                "model_usage_details",
                archived,
                rows,
                switch (order) {
                    case BY_AGE -> "n - " + expired;
                    // A prime, so that each number comes once.
                    case SHUFFLED -> "n * 982451653 % " + rows + " - " + expired;
                    case ONE_AGE -> "-1";
                });
        String before = insert("model_usage_details_archive", 0, archived, "n - 100000000");
        return hot + before + "SELECT setval('model_usage_details_id_seq', " + (rows + archived) + ");";
    }

    /** Rows whose ids follow {@code lastId}, with the age {@code k} times seven seconds after the cutoff. */
    private String insert(String table, int lastId, int count, String k) {
        return """
                INSERT INTO :table (id, user_id, user_name, model_id, model_name, model_route_id, model_route_name,
                  owner_principal_id, consumer_principal_id, provider_id, provider_name, provider_type, cluster_id,
                  cluster_name, api_key_id, api_key_name, access_key, api_key_is_custom, date, prompt_token_count,
                  completion_token_count, prompt_cached_token_count, completed, operation, started_at, completed_at,
                  created_at, updated_at, deleted_at)
                SELECT :lastId + 1 + n, n * 31 % 500, 'user-' || n * 31 % 500, n * 7 % 40,
                  'organisation/model-' || n * 7 % 40 || '-instruct', n * 7 % 20, 'route-' || n * 7 % 20,
                  n % 11, n * 13 % 300, n % 3, 'provider-' || n % 3, 'openai-compatible', 1, 'cluster-main',
                  n * 17 % 2000, 'key-' || n * 17 % 2000, 'gpustack_' || md5((n * 17 % 2000)::text), n % 9 = 0, age::date,
                  10 + n * 101 % 8000, n * 37 % 2000, n * 37 % 100, not open, 'chat_completions',
                  age - interval '2 seconds', CASE WHEN NOT open THEN age END,
                  age - CASE WHEN open THEN interval '0' ELSE interval '2 seconds' END, age, NULL
                FROM (SELECT n, timestamp ':cutoff' + (:k) * interval '7 seconds' AS age, n * 37 % 100 < :nulls AS open
                  FROM generate_series(0::bigint, :count - 1) AS n) AS usage;
                """.replace(":table", table)
                .replace(":lastId", String.valueOf(lastId))
                .replace(":cutoff", CUTOFF.toString())
                .replace(":k", k)
                .replace(":nulls", String.valueOf(nullPercent))
                .replace(":count", String.valueOf(count));
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%,d rows, %,d expired", rows, expired);
    }
}
