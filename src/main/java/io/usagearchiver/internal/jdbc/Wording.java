package io.usagearchiver.internal.jdbc;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.jooq.Context;
import org.jooq.DSLContext;
import org.jooq.Param;
import org.jooq.QueryPart;
import org.jooq.conf.Settings;
import org.jooq.impl.CustomQueryPart;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** What writes a statement down, for {@link Session#transaction(TransactionLimits, Wording, java.util.function.BiFunction)}. */
public interface Wording {
    /** The statement, written by the session that is to execute it. */
    Text of(DSLContext dsl);

    /**
     * A statement as it is executed, so that it need not be written down, or read by jOOQ, for each execution: that takes
     * longer than what is executed of it.
     *
     * @param pieces what is before, between and behind the values
     * @param binds the values
     */
    record Text(List<String> pieces, List<@Nullable Object> binds) {
        /** In no statement of ours, nor in a name. */
        private static final String MARK = "\uFFFFbind";

        private static final Pattern BIND = Pattern.compile(MARK + "[0-9]+");

        /** Writes a statement down. */
        public static Text of(DSLContext dsl, QueryPart statement) {
            Settings marked = new Settings()
                    .withRenderNamedParamPrefix(MARK)
                    .withLocale(dsl.settings().getLocale());
            List<@Nullable Object> binds = new ArrayList<>();
            binds.addAll(dsl.extractBindValues(statement));
            List<String> pieces = List.of(
                    BIND.split(DSL.using(dsl.configuration().derive(marked)).renderNamedParams(statement), -1));
            if (pieces.size() != binds.size() + 1) {
                throw new IllegalStateException(
                        "a statement of " + binds.size() + " values has " + pieces.size() + " pieces");
            }
            return new Text(pieces, binds);
        }

        /** The same for other values. */
        public Text with(UnaryOperator<@Nullable Object> other) {
            List<@Nullable Object> others = new ArrayList<>();
            binds.forEach(bind -> others.add(other.apply(bind)));
            return new Text(pieces, others);
        }

        /** The statement, to be executed together with others that precede it. */
        QueryPart after(String others) {
            List<Param<?>> values = new ArrayList<>();
            binds.forEach(bind -> values.add(DSL.val(bind)));
            return new CustomQueryPart() {
                private static final long serialVersionUID = 1;

                @Override
                public void accept(Context<?> context) {
                    context.sql(others, true).sql("; ").sql(pieces.get(0), true);
                    for (int i = 0; i < values.size(); i++) {
                        context.visit(values.get(i)).sql(pieces.get(i + 1), true);
                    }
                }
            };
        }
    }
}
