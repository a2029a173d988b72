package io.usagearchiver.codegen;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.ServiceLoader;
import java.util.stream.Stream;
import org.jooq.Catalog;
import org.jooq.DSLContext;
import org.jooq.Name;
import org.jooq.Named;
import org.jooq.SQLDialect;
import org.jooq.Schema;
import org.jooq.Table;
import org.jooq.TableField;
import org.jooq.conf.Settings;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Tells in which tables the code that jOOQ generated and a live database differ: code that was generated from migrations,
 * without a server, from a database that somebody has changed by hand, for instance.
 *
 * <p>Compared are the tables that the generated code has: whether they exist, the names and types of their columns (with
 * length and precision), NOT NULL, and the primary key. PostgreSQL itself compares the types: of the generated columns a
 * temporary table is made, and dropped again, so the role needs the privilege TEMPORARY, which all have by default. A {@code
 * jsonb} column may be {@code json} in the generated code, as it is where that was generated from SQL files. Not compared: tables that were not generated, the order of columns, defaults, indexes.
 *
 * <p>{@link #main} fails a build; {@link #differences} is for a test. Stateless.
 */
public final class GeneratedCodeCheck {
    private static final String COLUMNS = """
            select a.attname::text as name,
              regexp_replace(format_type(a.atttypid, a.atttypmod), '^(time|timestamp)\\(6\\)', '\\1')
                || case when a.attnotnull then ' not null' else '' end as type
            from pg_catalog.pg_attribute a
            where a.attrelid = to_regclass({0}) and a.attnum > 0 and not a.attisdropped order by a.attnum""";

    private static final String PRIMARY_KEY = """
            select a.attname::text from pg_catalog.pg_constraint c
              cross join unnest(c.conkey) with ordinality as k (attnum, place)
              join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum
            where c.contype = 'p' and c.conrelid = to_regclass({0}) order by k.place""";

    private final DSLContext tx;
    private final List<String> differences = new ArrayList<>();

    private GeneratedCodeCheck(DSLContext tx) {
        this.tx = tx;
    }

    /**
     * Fails with all differences, one a line: as a goal of a Maven build, for instance with {@code exec-maven-plugin}.
     *
     * @param arguments a JDBC URL, then the names of one or more generated classes of schemas or catalogs, such as
     *     {@code com.acme.generated.Public}
     * @throws IllegalStateException if the code and the database differ
     * @throws IllegalArgumentException if an argument is missing, or is not a generated class
     * @throws SQLException if the database does not answer
     */
    public static void main(String... arguments) throws SQLException {
        if (arguments.length < 2) {
            throw new IllegalArgumentException(
                    "arguments: a JDBC URL, then generated classes, such as com.acme.generated.Public");
        }
        List<Schema> schemas = Arrays.stream(arguments)
                .skip(1)
                .flatMap(GeneratedCodeCheck::schemas)
                .toList();
        try (Connection connection = connect(arguments[0])) {
            List<String> differences = schemas.stream()
                    .flatMap(schema -> differences(connection, schema).stream())
                    .toList();
            if (!differences.isEmpty()) {
                throw new IllegalStateException(
                        "The generated code and the database differ:\n  " + String.join("\n  ", differences));
            }
        }
        System.out.println("The database has the "
                + schemas.stream().mapToInt(schema -> schema.getTables().size()).sum()
                + " tables of the generated code");
    }

    /** A plugin that ran before in the same JVM has made DriverManager look for drivers, on its own class path. */
    private static Connection connect(String url) throws SQLException {
        for (Driver driver : ServiceLoader.load(Driver.class)) {
            if (driver.acceptsURL(url)) {
                return driver.connect(url, new Properties());
            }
        }
        throw new IllegalArgumentException(
                url.replaceFirst("\\?.*", "") + ": there is no JDBC driver for it on the class path");
    }

    /**
     * The differences, sorted, or an empty list.
     *
     * @param connection to the database, without an open transaction; auto-commit stays as it is, nothing is changed
     * @param generated the generated schema, such as {@code Public.PUBLIC}
     * @throws DataAccessException if the database does not answer
     */
    public static List<String> differences(Connection connection, Schema generated) {
        List<String> differences = new ArrayList<>();
        for (Table<?> table : generated.getTables()) {
            DSL.using(connection, SQLDialect.POSTGRES, new Settings()).transaction(tx -> {
                GeneratedCodeCheck check = new GeneratedCodeCheck(tx.dsl());
                check.compare(generated, table);
                differences.addAll(check.differences);
                tx.dsl().execute("drop table if exists pg_temp.generated_columns");
            });
        }
        return differences.stream().sorted().toList();
    }

    /** What a type may be in the database if it was read from SQL files: jOOQ's reader of these knows no other JSON. */
    private static String ofScripts(String generated) {
        return generated.replaceFirst("^json\\b", "jsonb");
    }

    private void compare(Schema schema, Table<?> table) {
        // A table's own qualified name leaves out a schema that is the default one.
        Name qualified = DSL.name(schema.getName(), table.getName());
        String name = qualified.unquotedName().toString();
        String live = tx.render(qualified);
        Map<String, String> columns = columns(live);
        if (columns.isEmpty()) {
            differences.add(name + " is not in the database");
            return;
        }
        Map<String, String> generated = generatedColumns(table);
        generated.forEach((column, type) -> {
            String liveType = columns.get(column);
            if (liveType == null) {
                differences.add(name + "." + column + " is not in the database; " + type + " in the generated code");
            } else if (!liveType.equals(type) && !liveType.equals(ofScripts(type))) {
                differences.add(name + "." + column + " is " + liveType + "; " + type + " in the generated code");
            }
        });
        columns.forEach((column, type) -> {
            if (!generated.containsKey(column)) {
                differences.add(name + "." + column + " is " + type + "; not in the generated code");
            }
        });
        List<String> key = tx.fetch(PRIMARY_KEY, DSL.inline(live)).into(String.class);
        List<String> generatedKey = names(table);
        if (!key.equals(generatedKey)) {
            differences.add(name + " has the primary key " + key + "; " + generatedKey + " in the generated code");
        }
    }

    private Map<String, String> generatedColumns(Table<?> table) {
        tx.createTemporaryTable(DSL.name("generated_columns"))
                .columns(Arrays.stream(table.fields())
                        .map(field -> DSL.field(field.getUnqualifiedName(), field.getDataType()))
                        .toList())
                .execute();
        return columns("pg_temp.generated_columns");
    }

    private Map<String, String> columns(String table) {
        Map<String, String> columns = new LinkedHashMap<>();
        tx.fetch(COLUMNS, DSL.inline(table))
                .forEach(row -> columns.put(row.get("name", String.class), row.get("type", String.class)));
        return columns;
    }

    private static List<String> names(Table<?> table) {
        return table.getPrimaryKey() == null
                ? List.of()
                : table.getPrimaryKey().getFields().stream()
                        .map((TableField<?, ?> field) -> (Named) field)
                        .map(Named::getName)
                        .toList();
    }

    /** jOOQ's generated schemas and catalogs hold their only instance in a constant. */
    private static Stream<Schema> schemas(String className) {
        try {
            for (Field field : Class.forName(className).getFields()) {
                Object value = Modifier.isStatic(field.getModifiers()) ? field.get(null) : null;
                if (value instanceof Schema schema && field.getType().getName().equals(className)) {
                    return Stream.of(schema);
                }
                if (value instanceof Catalog catalog
                        && field.getType().getName().equals(className)) {
                    return catalog.getSchemas().stream();
                }
            }
        } catch (ReflectiveOperationException | LinkageError e) {
            throw new IllegalArgumentException(message(className, e), e);
        }
        throw new IllegalArgumentException(message(className, null));
    }

    private static String message(String className, @Nullable Throwable cause) {
        return className + " is not a schema or catalog that jOOQ generated, such as com.acme.generated.Public"
                + (cause == null ? "" : " (" + cause + ")");
    }
}
