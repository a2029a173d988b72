package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.OwnRows;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.rows.KeyColumns;
import java.util.ArrayList;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/** Where the sequence stands that gives new rows of the hot table their keys. */
public final class KeySequence {
    /** Of the sequence of a key of whole numbers: its name, whether it is known where it stands, and where. */
    private static final String SEQUENCE = """
            select s.oid::regclass::text as name, has_sequence_privilege(s.oid, 'SELECT, USAGE') as known,
              case when has_sequence_privilege(s.oid, 'SELECT, USAGE') then
                coalesce(pg_sequence_last_value(s.oid), q.seqstart - 1) end as value
            from pg_catalog.pg_attribute a
            join pg_catalog.pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid
              and d.refobjsubid = a.attnum and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i')
            join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
            join pg_catalog.pg_sequence q on q.seqrelid = s.oid and q.seqincrement > 0
            where a.attrelid = to_regclass({0}) and a.attname = {1}
              and a.atttypid in ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)""";

    private KeySequence() {}

    /**
     * Of a sequence that gives new rows keys which the archive has, as one does after a dump of another moment was restored:
     * each of them would be in conflict. Where the role may not look at it, the hot table's own keys tell what they can.
     *
     * @param certain whether only a sequence is told of that the role may look at
     */
    public static List<String> behindArchive(DSLContext tx, ArchivePair<?> pair, boolean certain) {
        List<String> warnings = new ArrayList<>();
        if (pair.key().size() > 1) {
            return warnings;
        }
        for (Record sequence : tx.fetch(
                SEQUENCE,
                TableName.regclass(pair.hot()),
                DSL.val(pair.key().get(0).getName()))) {
            String name = sequence.get("name", String.class);
            boolean known = sequence.get("known", Boolean.class);
            if (certain && !known) {
                continue;
            }
            Long archived = greatestKey(tx, pair, pair.archive());
            Long last = known ? sequence.get("value", Long.class) : greatestKey(tx, pair, pair.hot());
            if (archived == null || last == null || last >= archived) {
                continue;
            }
            warnings.add(
                    known
                            ? "sequence " + name + " stands at " + last + ", behind the archive's largest key "
                                    + archived
                                    + ": new rows get keys that the archive has, and stay hot in conflict; SELECT setval("
                                    + "'" + name.replace("'", "''") + "', " + archived + ")"
                            : "the hot table's largest key " + last + " is less than the archive's, " + archived
                                    + ": if sequence " + name + " stands there, new rows get keys that the archive has;"
                                    + " GRANT SELECT ON SEQUENCE " + name + " TO " + GrantCheck.role(tx)
                                    + " lets plan see it");
        }
        return warnings;
    }

    private static @Nullable Long greatestKey(DSLContext tx, ArchivePair<?> pair, Table<?> side) {
        return tx.select(DSL.max(KeyColumns.of(side, pair).columns().get(0)).coerce(SQLDataType.BIGINT))
                .from(OwnRows.of(side))
                .fetchSingle()
                .value1();
    }
}
