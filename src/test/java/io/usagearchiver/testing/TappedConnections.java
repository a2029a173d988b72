package io.usagearchiver.testing;

import io.usagearchiver.ConnectionSource;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;

/** Real connections, which tell of each statement, and of COMMIT, before it is sent. */
public record TappedConnections(ConnectionSource source, Tap tap) implements ConnectionSource {
    /** What is told for the end of a transaction. */
    public static final String COMMIT = "commit";

    /** Hears of statements. */
    public interface Tap {
        /** A statement is about to be sent through a connection. */
        void before(String sql, Connection connection) throws SQLException;
    }

    @Override
    public Connection open() throws SQLException {
        Connection connection = source.open();
        return proxy(Connection.class, (self, method, args) -> {
            if (method.getName().equals("commit")) {
                tap.before(COMMIT, connection);
            }
            Object result = call(connection, method, args);
            return result instanceof Statement statement
                    ? tapped(statement, method.getReturnType(), args, connection)
                    : result;
        });
    }

    private Object tapped(Statement statement, Class<?> type, Object[] prepareArgs, Connection connection) {
        return proxy(type, (self, method, args) -> {
            if (method.getName().startsWith("execute")) {
                tap.before(String.valueOf(args == null ? prepareArgs[0] : args[0]), connection);
            }
            return call(statement, method, args);
        });
    }

    /** A statement without the limits of its transaction, if they are sent together with it. */
    public static String withoutLimits(String sql) {
        int end = sql.lastIndexOf("; ");
        return sql.startsWith("set local ") && end >= 0 && sql.startsWith("with ", end + 2)
                ? sql.substring(end + 2)
                : sql;
    }

    /** One connection for all sweeps, as a pool of one: closing it gives it back. */
    public static ConnectionSource keptOpen(Connection connection) {
        return () -> proxy(
                Connection.class,
                (self, method, args) -> method.getName().equals("close") ? null : call(connection, method, args));
    }

    private static Object call(Object target, Method method, Object[] args) throws Throwable {
        try {
            return method.invoke(target, args);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private static <T> T proxy(Class<T> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
