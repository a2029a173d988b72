package io.usagearchiver.internal.schema;

import io.usagearchiver.ArchiveException;
import io.usagearchiver.ArchivePair;
import io.usagearchiver.internal.postgres.TableName;
import io.usagearchiver.internal.postgres.WrittenName;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Result;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The indexes of a hot table, as its archive gets them: the key, and all others on the same columns and expressions, in
 * the same order, by the same operators. None of these is unique: what is unique among the rows of today need not be so
 * among those of all years.
 */
final class TwinIndexes {
    /**
     * Those that are fit for queries. {@code is_key}: as {@link TableMetadata#isKey} judges. {@code body}: what follows the
     * table's name in the statement that PostgreSQL writes of an index.
     */
    private static final String INDEXES = """
            select i.relname as name,
              coalesce(x.indisunique and x.indimmediate and x.indpred is null and not x.indisexclusion
                and not exists (select from pg_catalog.pg_opclass o where o.oid = any(x.indclass) and not o.opcdefault)
                and x.indnkeyatts = cardinality(p.key) and k.names @> p.key and k.names <@ p.key, false) as is_key,
              x.indisprimary as is_primary,
              (select pg_get_constraintdef(c.oid) from pg_catalog.pg_constraint c
                where c.conindid = x.indexrelid and c.contype = 'p') as primary_key,
              case when starts_with(d.definition, d.head) then substr(d.definition, length(d.head) + 1) end as body
            from (select cast({1} as text[]) as key) p
            cross join pg_catalog.pg_index x
            join pg_catalog.pg_class i on i.oid = x.indexrelid
            join pg_catalog.pg_class h on h.oid = x.indrelid
            join pg_catalog.pg_namespace n on n.oid = h.relnamespace
            cross join lateral (
              select array_agg(cast(a.attname as text)) as names
              from unnest((cast(x.indkey as int2[]))[0 : x.indnkeyatts - 1]) u (nr)
              join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = u.nr) k
            cross join lateral (
              select pg_get_indexdef(x.indexrelid) as definition, concat('CREATE ', case when x.indisunique then 'UNIQUE ' end,
                'INDEX ', quote_ident(i.relname), ' ON ', case when i.relkind = 'I' then 'ONLY ' end,
                format('%I.%I', n.nspname, h.relname)) as head) d
            where x.indrelid = to_regclass({0}) and x.indisvalid and x.indisready and x.indislive
            order by is_key desc, is_primary desc, i.relname""";

    private final DSLContext tx;
    private final Table<?> hot;
    private final Table<?> twin;
    private final String twinName;
    private final Record key;
    private final List<Record> others;
    private final Set<String> taken = new HashSet<>();

    private TwinIndexes(DSLContext tx, ArchivePair<?> pair, String twinName, Result<Record> found) {
        this.tx = tx;
        this.hot = pair.hot();
        this.twin = pair.archive();
        this.twinName = twinName;
        this.key = found.get(0);
        this.others = found.subList(1, found.size());
    }

    /**
     * Reads them.
     *
     * @param twinName the archive's name as statements have it
     * @throws ArchiveException if none of them is the pair's key
     */
    static TwinIndexes read(DSLContext tx, ArchivePair<?> pair, String twinName) {
        List<String> names = pair.key().stream().map(Field::getName).toList();
        Result<Record> found = tx.fetch(INDEXES, TableName.regclass(pair.hot()), DSL.val(names.toArray(new String[0])));
        if (found.isEmpty() || !found.get(0).get("is_key", Boolean.class)) {
            throw new ArchiveException(
                    "hot " + TableName.name(pair.hot()) + " has no primary key or full unique index on exactly "
                            + String.join(", ", names) + ", not deferrable, that its archive could have, too",
                    null);
        }
        return new TwinIndexes(tx, pair, twinName, found);
    }

    /** The line of the table's definition; empty where the hot table's key is a mere unique index. */
    Optional<String> primaryKey() {
        String definition = key.get("primary_key", String.class);
        if (definition == null) {
            return Optional.empty();
        }
        String name = newName(key.get("name", String.class));
        return Optional.of(name == null ? definition : "CONSTRAINT " + SqlNames.quoted(tx, name) + " " + definition);
    }

    /**
     * The statements of the others, and of a key that is no primary key.
     *
     * @param only null for all of them; else the names of those wanted
     * @throws ArchiveException if there is none of such a name
     */
    List<String> statements(@Nullable Set<String> only) {
        requireKnown(only == null ? Set.of() : only);
        List<String> statements = new ArrayList<>();
        Set<String> bodies = new HashSet<>(Set.of(body(key)));
        if (key.get("primary_key") == null) {
            statements.add(statement("CREATE UNIQUE INDEX ", key));
        }
        for (Record index : others) {
            // A second one of the same would cost twice and serve nobody.
            if ((only == null || only.contains(index.get("name", String.class))) && bodies.add(body(index))) {
                statements.add(statement("CREATE INDEX ", index));
            }
        }
        return statements;
    }

    private void requireKnown(Set<String> names) {
        List<String> known =
                others.stream().map(index -> index.get("name", String.class)).toList();
        for (String name : names) {
            if (!known.contains(name)) {
                throw new ArchiveException(
                        "hot " + TableName.name(hot) + " has no index " + name + " beside its key; it has "
                                + (known.isEmpty() ? "none" : String.join(", ", known)),
                        null);
            }
        }
    }

    private String statement(String create, Record index) {
        String name = newName(index.get("name", String.class));
        return create + (name == null ? "" : SqlNames.quoted(tx, name) + " ") + "ON " + twinName + body(index);
    }

    private static String body(Record index) {
        String body = index.get("body", String.class);
        if (body == null) {
            throw new IllegalStateException("cannot tell how index " + index.get("name") + " is made");
        }
        return body;
    }

    /** A name after the hot table's index, or null where PostgreSQL has to find one: it would be too long, or is taken. */
    private @Nullable String newName(String index) {
        Matcher hotName = Pattern.compile("(?<![^_])" + Pattern.quote(hot.getName()) + "(?![^_])")
                .matcher(index);
        String name = hotName.find()
                ? index.substring(0, hotName.start()) + twin.getName() + index.substring(hotName.end())
                : twin.getName() + "_" + index;
        boolean free = name.getBytes(StandardCharsets.UTF_8).length <= WrittenName.MOST_BYTES
                && taken.add(name)
                && tx.fetch(
                                "select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
                                        + " where n.nspname = {0} and c.relname = {1}",
                                DSL.val(TableName.qualified(twin).first()), DSL.val(name))
                        .isEmpty();
        return free ? name : null;
    }
}
