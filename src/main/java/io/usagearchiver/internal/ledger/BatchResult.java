package io.usagearchiver.internal.ledger;

import java.util.List;
import java.util.Map;

/**
 * What a batch did.
 *
 * @param copied rows inserted into the target and deleted from the source
 * @param proven rows deleted from the source because the target held an identical copy already
 * @param conflicts keys of the rows that stay because the target's row is different, or vanished meanwhile
 * @param rejected keys of the rows that stay because the target refused them, with PostgreSQL's reason
 */
public record BatchResult(int copied, int proven, List<String> conflicts, Map<String, String> rejected) {
    public int deleted() {
        return copied + proven;
    }

    public boolean isEmpty() {
        return deleted() == 0 && conflicts.isEmpty() && rejected.isEmpty();
    }
}
