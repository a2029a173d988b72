package io.usagearchiver.testing;

import io.usagearchiver.ConnectionSource;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Statement;
import java.util.function.Consumer;

/** Real connections, which tell what the server has to say of each statement, after it was executed. */
public record NoticedConnections(ConnectionSource source, Consumer<String> notices) implements ConnectionSource {
    @Override
    public Connection open() throws SQLException {
        Connection connection = source.open();
        return (Connection) proxy(Connection.class, connection);
    }

    private Object proxy(Class<?> type, Object target) {
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, args) -> {
            Object result = call(target, method, args);
            if (target instanceof Statement statement && method.getName().startsWith("execute")) {
                for (SQLWarning each = statement.getWarnings(); each != null; each = each.getNextWarning()) {
                    notices.accept(String.valueOf(each.getMessage()));
                }
            }
            return result instanceof Statement ? proxy(method.getReturnType(), result) : result;
        });
    }

    private static Object call(Object target, Method method, Object[] args) throws Throwable {
        try {
            return method.invoke(target, args);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
