package io.usagearchiver;

import java.lang.reflect.Array;
import java.util.Collection;
import org.jooq.Condition;
import org.jooq.Field;
import org.jooq.impl.DSL;

/** Keys as one bind, so that a statement has the same text for any number of them. */
final class Keys {
    private Keys() {}

    /** That {@code key} is one of {@code keys}. */
    static <K> Condition among(Field<K> key, Collection<K> keys) {
        return key.eq(DSL.any(array(key, keys)));
    }

    /** The keys as a bind of PostgreSQL's array type. */
    @SuppressWarnings("unchecked") // Array.newInstance of K's class makes a K[]
    static <K> Field<K[]> array(Field<K> key, Collection<K> keys) {
        K[] array = keys.toArray((K[]) Array.newInstance(key.getType(), 0));
        return DSL.val(array, key.getDataType().array());
    }
}
