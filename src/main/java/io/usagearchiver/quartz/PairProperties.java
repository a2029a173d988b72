package io.usagearchiver.quartz;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.PairNames;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The settings that name a pair's tables and columns, instead of the class of one. */
final class PairProperties {
    private static final List<String> NAMES = List.of(
            SettingNames.HOT_TABLE,
            SettingNames.ARCHIVE_TABLE,
            SettingNames.KEY_COLUMNS,
            SettingNames.AGE_COLUMNS,
            SettingNames.WHERE);

    private PairProperties() {}

    /**
     * The pair that is named; null if none of the settings is there.
     *
     * @throws IllegalArgumentException that tells a bad value with where it was set
     */
    static @Nullable ArchivePair<?> read(SettingReader reader) {
        SettingReader.Setting given = NAMES.stream()
                .map(name -> reader.text(name, false))
                .filter(setting -> setting.value() != null)
                .findFirst()
                .orElse(null);
        if (given == null) {
            return null;
        }
        SettingReader.Setting pair = reader.text(SettingNames.PAIR, false);
        if (pair.value() != null) {
            throw new IllegalArgumentException(pair.told(pair.value()) + " and " + given.told(value(given))
                    + ": both tell which tables; there must be the one or the other");
        }
        SettingReader.Setting hot = reader.text(SettingNames.HOT_TABLE, false);
        if (hot.value() == null) {
            throw new IllegalArgumentException(given.told(value(given)) + " needs " + hot.origin()
                    + ", which is not set: the table whose rows are archived");
        }
        try {
            return ArchivePair.of(names(reader, hot.value()));
        } catch (IllegalArgumentException e) {
            String message = String.valueOf(e.getMessage());
            String name = message.split(" ", 2)[0];
            throw new IllegalArgumentException(reader.origin().apply(name) + message.substring(name.length()), e);
        }
    }

    private static PairNames names(SettingReader reader, String hot) {
        String archive = reader.text(SettingNames.ARCHIVE_TABLE, false).value();
        List<String> key = list(reader, SettingNames.KEY_COLUMNS);
        List<String> ages = list(reader, SettingNames.AGE_COLUMNS);
        String where = reader.text(SettingNames.WHERE, false).value();
        if (archive == null) {
            archive = PairNames.of(hot, ages.toArray(String[]::new)).archiveTable();
        }
        return new PairNames(hot, archive, key, ages, where);
    }

    private static List<String> list(SettingReader reader, String name) {
        String value = reader.text(name, false).value();
        return value == null ? List.of() : List.of(value);
    }

    private static String value(SettingReader.Setting setting) {
        return Objects.requireNonNull(setting.value());
    }

    /** The settings of a pair by names. */
    static Map<String, String> text(PairNames names) {
        Map<String, String> text = new LinkedHashMap<>();
        text.put(SettingNames.HOT_TABLE, names.hotTable());
        text.put(SettingNames.ARCHIVE_TABLE, names.archiveTable());
        if (!names.keyColumns().isEmpty()) {
            text.put(SettingNames.KEY_COLUMNS, String.join(", ", names.keyColumns()));
        }
        text.put(SettingNames.AGE_COLUMNS, String.join(", ", names.ageColumns()));
        if (names.where() != null) {
            text.put(SettingNames.WHERE, names.where());
        }
        return text;
    }
}
