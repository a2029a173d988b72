package io.usagearchiver.testing;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.AppenderBase;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.LoggerFactory;

/** What is logged, by whom ever, from its making to its closing. */
public final class CapturedLog implements AutoCloseable {
    private final Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    private final List<ILoggingEvent> events = new CopyOnWriteArrayList<>();
    private final Map<Logger, Level> levels = new HashMap<>();
    private final AppenderBase<ILoggingEvent> appender = new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
            events.add(event);
        }
    };

    /** Begins to listen. */
    public CapturedLog() {
        appender.setContext(root.getLoggerContext());
        appender.start();
        root.addAppender(appender);
    }

    /** The messages of a level by the logger of a class. */
    public List<String> messages(Level level, Class<?> logger) {
        return messages(level, logger.getName());
    }

    /** The messages of a level by the logger of a name, where it is not that of a class. */
    public List<String> messages(Level level, String logger) {
        return events.stream()
                .filter(event ->
                        event.getLevel() == level && event.getLoggerName().equals(logger))
                .map(ILoggingEvent::getFormattedMessage)
                .toList();
    }

    /** All messages of a level, each after the name of its logger. */
    public List<String> messages(Level level) {
        return events.stream()
                .filter(event -> event.getLevel() == level)
                .map(event -> event.getLoggerName() + ": " + event.getFormattedMessage())
                .toList();
    }

    /** From now on also what is logged below the configured level, by a logger and those below it. */
    public void everythingOf(String logger) {
        Logger turnedUp = (Logger) LoggerFactory.getLogger(logger);
        levels.putIfAbsent(turnedUp, turnedUp.getLevel());
        turnedUp.setLevel(Level.ALL);
    }

    /** All that a log file would have of the library's, stack traces and all, down to DEBUG. */
    public String everything() {
        StringBuilder text = new StringBuilder();
        for (ILoggingEvent event : events) {
            text.append(event.getFormattedMessage()).append('\n');
            if (event.getThrowableProxy() != null) {
                text.append(ThrowableProxyUtil.asString(event.getThrowableProxy()));
            }
        }
        return text.toString();
    }

    @Override
    public void close() {
        levels.forEach(Logger::setLevel);
        root.detachAppender(appender);
        appender.stop();
    }
}
