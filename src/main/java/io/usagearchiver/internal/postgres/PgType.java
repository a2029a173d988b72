package io.usagearchiver.internal.postgres;

import java.util.regex.Pattern;
import org.jooq.Configuration;
import org.jooq.DataType;
import org.jooq.Field;
import org.jooq.impl.DSL;

/**
 * PostgreSQL's type of a generated column without its length, precision or scale: the live column may have others, and a
 * value that was cut or rounded would be another one.
 */
public final class PgType {
    private static final Configuration POSTGRES = Jooq.configuration();
    private static final Pattern MODIFIER = Pattern.compile(" *\\([^)]*\\)");

    private PgType() {}

    /** The name; one of the user's own is quoted. */
    public static String name(DataType<?> type) {
        String name = type.getCastTypeName(POSTGRES);
        if (name.startsWith("\"")) {
            return name;
        }
        String plain = MODIFIER.matcher(name).replaceAll("");
        // "char" without a length is of one character.
        return plain.equals("char") ? "bpchar" : plain;
    }

    /** A text as a value of a type. */
    static <T> Field<T> cast(Field<String> text, DataType<T> type) {
        return DSL.field("cast({0} as {1})", type, text, DSL.raw(name(type)));
    }
}
