package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.ArchiveSettings;
import io.usagearchiver.SchemaDriftException;
import io.usagearchiver.internal.postgres.SqlFiles;
import io.usagearchiver.internal.postgres.TableName;
import java.util.ArrayList;
import java.util.List;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * What keeps a run from its work before it moves a row: a session that may not write, tables that are not as they must be,
 * rights that are missing. A run is refused by it, and its plan tells the same.
 *
 * @param pair as the live tables have it; null if it is told by names that do not fit them
 * @param shape of the tables; null where they are refused
 * @param differences as {@link SchemaDriftException#differences}, without the rights
 * @param missingGrants GRANT statements of the rights that the role lacks
 * @param hidden whether the role may not even look into a schema
 */
public record Obstacles(
        @Nullable ArchivePair<?> pair,
        @Nullable PairSchema shape,
        List<String> differences,
        List<String> missingGrants,
        boolean hidden) {

    /** Looks for them. Not for what keeps the session from writing: a plan's never may. */
    public static Obstacles find(DSLContext tx, ArchivePair<?> pair, Direction direction, ArchiveSettings settings) {
        List<String> missing = new ArrayList<>(new GrantCheck(tx, pair, direction).missingSchemas());
        List<String> differences = new ArrayList<>();
        ArchivePair<?> live = pair.names() == null ? pair : null;
        if (live == null && missing.isEmpty()) {
            live = LivePair.of(tx, pair).pair();
            if (live != null) {
                // Of the types of its key.
                missing.addAll(new GrantCheck(tx, live, direction).missingSchemas());
            }
        }
        PairSchema shape = null;
        boolean hidden = !missing.isEmpty();
        if (!hidden) {
            if (live != null) {
                missing.addAll(new GrantCheck(tx, live, direction).missing());
            }
            try {
                shape = SchemaCheck.run(tx, pair, direction);
            } catch (SchemaDriftException e) {
                differences.addAll(e.differences());
            }
        }
        if (settings.pace().maxReplicaLag() != null && !GrantCheck.seesOtherSessions(tx)) {
            missing.add("GRANT pg_monitor TO " + GrantCheck.role(tx));
        }
        return new Obstacles(live, shape, differences, missing, hidden);
    }

    /**
     * Sees that a run may begin.
     *
     * @throws SchemaDriftException if not, with all that is wrong
     */
    public static PairSchema requireNone(
            DSLContext tx, ArchivePair<?> pair, Direction direction, ArchiveSettings settings) {
        Obstacles found = find(tx, pair, direction, settings);
        List<String> all = new ArrayList<>(found.differences);
        String readOnly = readOnly(tx);
        if (readOnly != null) {
            all.add(readOnly);
        }
        found.missingGrants.forEach(grant -> all.add("rights are missing: " + grant + SqlFiles.granted(grant)));
        if (found.shape == null || !all.isEmpty()) {
            throw direction.drift(
                    TableName.name(pair.hot()), all.stream().sorted().toList(), "");
        }
        return found.shape;
    }

    /** What keeps the transaction from writing; null if it may. */
    public static @Nullable String readOnly(DSLContext tx) {
        return tx.fetchSingle("""
                        select case
                          when not cast(current_setting('transaction_read_only') as boolean) then null
                          when pg_is_in_recovery() then
                            'this server is a standby: the data source must be of the primary, which targetServerType=primary in its'
                              ' URL finds among several hosts'
                          when not cast(current_setting('default_transaction_read_only') as boolean) then
                            'connections of this data source are read-only (readOnly=true in its URL, or a pool that sets it so):'
                              ' a sweep needs one that may write'
                          else format('sessions of this data source are read-only (default_transaction_read_only, set by %s): a'
                            ' sweep fails until they are not',
                            coalesce((select case s.source when 'database user' then 'ALTER ROLE IN DATABASE'
                                when 'user' then 'ALTER ROLE' when 'database' then 'ALTER DATABASE'
                                when 'client' then 'the URL or PGOPTIONS' when 'session' then 'the pool or the URL'
                                else 'the server''s ' || s.source end
                              from pg_catalog.pg_settings s where s.name = 'default_transaction_read_only'), 'the server')) end""").get(0, String.class);
    }
}
