package io.usagearchiver.quartz;

import io.usagearchiver.Pace;
import io.usagearchiver.RunWindow;
import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.Map;

/** The settings of how sweeps spare what else uses the database. */
final class PaceProperties {
    private PaceProperties() {}

    static Pace read(SettingReader reader) {
        Pace full = Pace.full();
        return new Pace(
                reader.text(SettingNames.PAUSE, false).parse(full.pause(), SettingText::duration),
                reader.text(SettingNames.PAUSE_SHARE, false).parse(full.pauseShare(), SettingText::share),
                reader.text(SettingNames.RUN_WINDOW, false).parse(full.runWindow(), RunWindow::parse),
                reader.text(SettingNames.TARGET_BATCH_TIME, false).parse(full.targetBatchTime(), SettingText::duration),
                reader.text(SettingNames.MAX_REPLICA_LAG, false).parse(full.maxReplicaLag(), SettingText::duration));
    }

    /** Those that are set. */
    static Map<String, String> text(Pace pace) {
        Map<String, String> text = new LinkedHashMap<>();
        if (pace.pause() != null) {
            text.put(SettingNames.PAUSE, SettingText.text(pace.pause()));
        }
        if (pace.pauseShare() > 0) {
            text.put(
                    SettingNames.PAUSE_SHARE,
                    new BigDecimal(String.valueOf(pace.pauseShare()))
                            .stripTrailingZeros()
                            .toPlainString());
        }
        if (pace.runWindow() != null) {
            text.put(SettingNames.RUN_WINDOW, pace.runWindow().toString());
        }
        if (pace.targetBatchTime() != null) {
            text.put(SettingNames.TARGET_BATCH_TIME, SettingText.text(pace.targetBatchTime()));
        }
        if (pace.maxReplicaLag() != null) {
            text.put(SettingNames.MAX_REPLICA_LAG, SettingText.text(pace.maxReplicaLag()));
        }
        return text;
    }
}
