package io.usagearchiver.testing;

import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** What tests wait for may take its time on a busy machine. Registered for all of them in META-INF/services. */
public final class PatientAwaits implements BeforeAllCallback {
    @Override
    public void beforeAll(ExtensionContext context) {
        Awaitility.setDefaultTimeout(Duration.ofMinutes(1));
        // Not its tenth of a second, which also goes by before the first look.
        Awaitility.setDefaultPollInterval(Duration.ofMillis(20));
    }
}
