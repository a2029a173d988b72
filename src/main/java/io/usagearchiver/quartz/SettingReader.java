package io.usagearchiver.quartz;

import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Finds the text of a setting, and says where it was found if it is bad. */
record SettingReader(
        Map<String, String> properties, UnaryOperator<String> origin, Function<String, @Nullable String> environment) {

    Setting text(String name, boolean orVariable) {
        String property = properties.get(name);
        if (property != null) {
            return new Setting(origin.apply(name), property.strip());
        }
        String variable = orVariable ? SettingNames.variable(name, environment) : null;
        String value = variable == null ? null : environment.apply(variable);
        return value == null
                ? new Setting(origin.apply(name), null)
                : new Setting("environment variable " + variable, value.strip());
    }

    /**
     * A setting.
     *
     * @param origin where it was set, or would be
     * @param value null if it was not
     */
    record Setting(String origin, @Nullable String value) {
        String orElse(String fallback) {
            return value == null ? fallback : value;
        }

        String told(String meaning) {
            return origin + " = '" + meaning + "'" + (value == null ? " (the default)" : "");
        }

        String require(String what) {
            if (value == null || value.isEmpty()) {
                throw new IllegalArgumentException(
                        origin + (value == null ? " is not set" : " = ''") + ": must be " + what);
            }
            return value;
        }

        <T extends @Nullable Object> T parse(T fallback, Function<String, ? extends T> parser) {
            if (value == null) {
                return fallback;
            }
            try {
                return parser.apply(value);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(origin + " = '" + value + "': " + e.getMessage(), e);
            }
        }
    }
}
