package io.usagearchiver.cli.report;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What {@code --json} prints: one object on one line, in which every member is always there. */
final class Json {
    private static final JSON WRITER = JSON.std.with(JSON.Feature.WRITE_NULL_PROPERTIES);

    private Json() {}

    /** Writes maps, lists, strings, numbers, booleans and nulls. */
    static String of(Map<String, ? extends @Nullable Object> members) {
        try {
            return WRITER.asString(members);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A naive moment in ISO 8601 with its zone, UTC, or an infinite one; null where there is none. */
    static @Nullable String instant(@Nullable LocalDateTime moment) {
        if (moment == null) {
            return null;
        }
        if (moment.equals(LocalDateTime.MAX) || moment.equals(LocalDateTime.MIN)) {
            return Text.moment(moment);
        }
        return moment.toInstant(ZoneOffset.UTC).toString();
    }
}
