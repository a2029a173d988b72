package io.usagearchiver.cli.report;

import io.usagearchiver.quartz.PluginSettings;
import io.usagearchiver.quartz.Variables;
import java.io.PrintWriter;
import java.util.Map;

/** What is told of settings that come from the environment, by their variables. */
public final class VariableReport {
    private VariableReport() {}

    /** Tells which ones do, and what of it may not be meant. */
    public static void tell(PluginSettings settings, Map<String, String> used, PrintWriter out) {
        used.forEach((setting, variable) -> out.println(setting + " is from the environment variable " + variable));
        warn(settings, used, out);
    }

    /** Tells only what may not be meant. */
    public static void warn(PluginSettings settings, Map<String, String> used, PrintWriter out) {
        Variables.warnings(settings, used).forEach(warning -> out.println("WARNING: " + warning));
        out.flush();
    }
}
