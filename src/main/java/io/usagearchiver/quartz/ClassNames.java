package io.usagearchiver.quartz;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.SweepListener;
import io.usagearchiver.UsageDetails;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Classes of the host that settings name. */
final class ClassNames {
    private ClassNames() {}

    static ArchivePair<?> pair(String className) {
        try {
            if (instance(className) instanceof Supplier<?> s && s.get() instanceof ArchivePair<?> pair) {
                return pair;
            }
        } catch (ReflectiveOperationException | RuntimeException | LinkageError e) {
            throw new IllegalArgumentException(pairMessage() + " (" + e + ")", e);
        }
        throw new IllegalArgumentException(pairMessage());
    }

    /** Listeners by the names of their classes, separated by commas. */
    static List<SweepListener> listeners(String classNames) {
        List<SweepListener> listeners = new ArrayList<>();
        for (String className : classNames.split(",", -1)) {
            String must =
                    "must be names of public classes with a no-argument constructor that implement SweepListener, such"
                            + " as io.usagearchiver.metrics.SweepMetrics, separated by commas";
            try {
                if (!(instance(className.strip()) instanceof SweepListener listener)) {
                    throw new IllegalArgumentException(must);
                }
                listeners.add(listener);
            } catch (ReflectiveOperationException | LinkageError e) {
                throw new IllegalArgumentException(must + " (" + e + ")", e);
            }
        }
        return listeners;
    }

    private static Object instance(String className) throws ReflectiveOperationException {
        ClassLoader context = Thread.currentThread().getContextClassLoader();
        ClassLoader loader = context != null ? context : ClassNames.class.getClassLoader();
        return Class.forName(className, true, loader).getConstructor().newInstance();
    }

    private static String pairMessage() {
        return "must be the name of a public class with a no-argument constructor that implements"
                + " Supplier<ArchivePair<?>>, such as " + UsageDetails.class.getName();
    }
}
