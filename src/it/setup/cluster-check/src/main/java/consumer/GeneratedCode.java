package consumer;

import static org.assertj.core.api.Assertions.assertThat;

import io.usagearchiver.ArchivePair;
import io.usagearchiver.Archiver;
import io.usagearchiver.StopReason;
import io.usagearchiver.SweepResult;
import io.usagearchiver.codegen.GeneratedCodeCheck;
import java.sql.Connection;
import org.jooq.Schema;
import org.junit.jupiter.api.Test;

/** What is checked of every consumer that generates code of its own. */
public abstract class GeneratedCode {
    private final Schema generated;
    private final ArchivePair<?> pair;

    /** Code and a pair in it. */
    protected GeneratedCode(Schema generated, ArchivePair<?> pair) {
        this.generated = generated;
        this.pair = pair;
    }

    /** A database as the consumer's own migrations make it. */
    protected abstract Database migrated() throws Exception;

    /** Inserts 100 expired rows and 10 others. */
    protected abstract void insert(Database db);

    @Test
    void the_generated_code_is_that_of_the_migrated_database() throws Exception {
        try (Database db = migrated();
                Connection connection = db.connectAsOwner()) {
            assertThat(GeneratedCodeCheck.differences(connection, generated)).isEmpty();
            db.execute("ALTER TABLE " + pair.hot() + " ADD COLUMN by_hand text");
            assertThat(GeneratedCodeCheck.differences(connection, generated))
                    .singleElement()
                    .asString()
                    .endsWith(".by_hand is text; not in the generated code");
        }
    }

    @Test
    void a_sweep_of_the_generated_tables_moves_what_is_expired() throws Exception {
        try (Database db = migrated()) {
            insert(db);
            SweepResult result =
                    Archiver.builder(pair, db::connectAsOwner).build().sweep();
            assertThat(result.stopReason()).isEqualTo(StopReason.DRAINED);
            assertThat(result.rowsMoved()).isEqualTo(100);
            assertThat(db.number("SELECT count(*) FROM " + pair.archive())).isEqualTo(100);
            assertThat(db.number("SELECT count(*) FROM " + pair.hot())).isEqualTo(10);
        }
    }
}
