package io.usagearchiver.quartz;

import io.usagearchiver.UsageDetails;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The environment variables that settings of {@link UsageDetails} are taken from where there is no property: the archiver's
 * own, or else GPUStack's. An environment that both share can so say one thing to GPUStack's own archiver and another to
 * this one.
 */
public final class Variables {
    /** Ten years. Who keeps rows for longer than that rather means to archive none. */
    private static final int LONG_RETENTION_MONTHS = 120;

    private Variables() {}

    /**
     * Which settings come from the environment.
     *
     * @param properties the names of those that are properties
     * @param environment looks up an environment variable; null if it is not set
     * @return the variable of each, by the setting's name
     */
    public static Map<String, String> used(
            PluginSettings settings, Set<String> properties, Function<String, @Nullable String> environment) {
        Map<String, String> used = new TreeMap<>();
        if (settings.pair().equals(UsageDetails.PAIR)) {
            for (String setting : SettingNames.WITH_VARIABLES.keySet()) {
                String variable = SettingNames.variable(setting, environment);
                if (variable != null && !properties.contains(setting)) {
                    used.put(setting, variable);
                }
            }
        }
        return used;
    }

    /**
     * What may not have been meant for this archiver among the settings that are taken from variables of GPUStack.
     *
     * @param used as {@link #used} gives it
     */
    public static List<String> warnings(PluginSettings settings, Map<String, String> used) {
        List<String> warnings = new ArrayList<>();
        int months = settings.archive().retentionMonths();
        if (SettingNames.RETENTION_MONTHS_VARIABLE.equals(used.get(SettingNames.RETENTION_MONTHS))
                && months > LONG_RETENTION_MONTHS) {
            warnings.add("retentionMonths is " + months + ", from the environment variable "
                    + SettingNames.RETENTION_MONTHS_VARIABLE
                    + ": rows that are younger stay hot. If that is to switch"
                    + " GPUStack's own archiver off, set the property retentionMonths or the environment variable "
                    + SettingNames.OWN_RETENTION_MONTHS_VARIABLE + " as well, which go before it");
        }
        if (SettingNames.CRON_VARIABLE.equals(used.get(SettingNames.CRON))
                && settings.schedule().numbersDaysOfTheWeek()) {
            warnings.add("cron is '" + settings.schedule().text() + "', from the environment variable "
                    + SettingNames.CRON_VARIABLE
                    + ": days of the week are numbered from Sunday on here, but from Monday"
                    + " on in GPUStack. Name them, such as MON, or set the property cron or the environment variable "
                    + SettingNames.OWN_CRON_VARIABLE + ", which go before it");
        }
        return warnings;
    }
}
