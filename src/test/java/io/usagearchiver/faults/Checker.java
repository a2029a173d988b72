package io.usagearchiver.faults;

import io.usagearchiver.faults.Usage.Found;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Decides from a history, the two tables and the ledger whether the archiver kept its promises. It sees all three tables
 * at one instant, so sweeps may go on; writers have to be idle, and the archive to hold what sweeps moved and nothing
 * else.
 */
final class Checker {
    private final History history;
    private final List<Violation> violations = new ArrayList<>();

    private Checker(History history) {
        this.history = history;
    }

    /** All violations. */
    static List<Violation> check(History history, Connection connection) throws SQLException {
        return check(history, connection, 0, true);
    }

    /**
     * The violations by content alone: of a row, its age, and the sum of the ledger. How sweeps went does not matter, nor
     * that they had to keep rows back.
     *
     * @param others how many more rows the archive holds than sweeps have put there
     */
    static List<Violation> checkContent(History history, Connection connection, long others) throws SQLException {
        return check(history, connection, others, false);
    }

    private static List<Violation> check(History history, Connection connection, long others, boolean sweeps)
            throws SQLException {
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        List<Found> hot = Usage.read(connection, Usage.HOT);
        List<Found> archive = Usage.read(connection, Usage.ARCHIVE);
        List<SweepRow> ledger = SweepRow.read(connection);
        connection.rollback();

        Checker checker = new Checker(history);
        checker.checkRows(checker.byId(hot), checker.byId(archive));
        checker.checkAges(archive, ledger);
        checker.checkSum(archive.size() - others, ledger);
        if (sweeps) {
            checker.checkSweeps(ledger);
        }
        return checker.violations;
    }

    /** A table's key may be more than the id. */
    private Map<Integer, Found> byId(List<Found> rows) {
        Map<Integer, Found> map = new HashMap<>();
        for (Found row : rows) {
            Found other = map.put(row.usage().id(), row);
            if (other != null) {
                report(Kind.DOUBLED, row + " and " + other + " are in one table");
            }
        }
        return map;
    }

    private void checkRows(Map<Integer, Found> hot, Map<Integer, Found> archive) {
        Set<Integer> ids = new TreeSet<>(history.ids());
        ids.addAll(hot.keySet());
        ids.addAll(archive.keySet());
        for (int id : ids) {
            Found inHot = hot.get(id);
            Found inArchive = archive.get(id);
            if (inHot != null && inArchive != null) {
                report(Kind.DOUBLED, "hot " + inHot + ", archived " + inArchive);
            } else {
                checkContent(id, inHot == null ? inArchive : inHot);
            }
        }
        history.missed().forEach(row -> report(Kind.MISSED, row + " was not hot for its writer"));
    }

    private void checkContent(int id, Found found) {
        Set<Optional<Usage>> states = history.states(id);
        if (found == null) {
            if (!states.contains(Optional.<Usage>empty())) {
                report(Kind.LOST, "written " + states);
            }
        } else if (!found.intact()) {
            report(Kind.DAMAGED, found + ", written " + states);
        } else if (states.equals(Set.of(Optional.empty()))) {
            report(Kind.UNDEAD, found + " was deleted or never written");
        } else if (!states.contains(Optional.of(found.usage()))) {
            report(Kind.STALE, found + ", written " + states);
        }
    }

    /** The archived copy has the age that the row was moved with, before the cutoff of some sweep. */
    private void checkAges(List<Found> archive, List<SweepRow> ledger) {
        LocalDateTime last = ledger.stream()
                .filter(sweep -> !sweep.isRestore())
                .map(SweepRow::cutoff)
                .max(LocalDateTime::compareTo)
                .orElse(LocalDateTime.MIN);
        archive.stream()
                .filter(found -> !found.usage().age().isBefore(last))
                .forEach(found -> report(Kind.UNEXPIRED, found + " is archived, last cutoff " + last));
    }

    private void checkSum(long archived, List<SweepRow> ledger) {
        long counted = ledger.stream().mapToLong(SweepRow::archived).sum();
        if (counted != archived) {
            report(Kind.MISCOUNTED, "the ledger counts " + counted + " rows, " + archived + " are archived");
        }
    }

    private void checkSweeps(List<SweepRow> ledger) {
        long running = ledger.stream().filter(SweepRow::isRunning).count();
        if (running > 1) {
            report(Kind.TWO_RUNNING, running + " sweeps are RUNNING");
        }
        for (int i = 0; i < ledger.size(); i++) {
            SweepRow sweep = ledger.get(i);
            if (sweep.keptBack() > 0) {
                report(Kind.KEPT_BACK, sweep + ": no row can be in conflict, rejected or archived already");
            }
            boolean last = i == ledger.size() - 1;
            if (!last && !sweep.endedBefore(ledger.get(i + 1))) {
                report(Kind.TWO_RUNNING, sweep + " went on beside " + ledger.get(i + 1));
            }
        }
    }

    private void report(Kind kind, String what) {
        violations.add(new Violation(kind, what));
    }

    /** What can be wrong. */
    enum Kind {
        /** An acknowledged row is in neither table. */
        LOST,
        /** A row is in both tables. */
        DOUBLED,
        /** A row has not its last acknowledged content. */
        STALE,
        /** A row's columns are not all of one version. */
        DAMAGED,
        /** A row is there that was deleted or never written. */
        UNDEAD,
        /** A writer did not find a row that was not expired, so nobody had a right to move it. */
        MISSED,
        /** A row is archived that no sweep's cutoff calls expired. */
        UNEXPIRED,
        /** The ledger's counts are not the number of archived rows. */
        MISCOUNTED,
        /** A sweep began while another was RUNNING or before its last batch. */
        TWO_RUNNING,
        /** A row was refused, though nobody but sweeps writes to the archive. */
        KEPT_BACK
    }

    /** One promise that was not kept. */
    record Violation(Kind kind, String what) {}

    /** A row of the ledger. */
    private record SweepRow(
            long id,
            String direction,
            String state,
            String node,
            LocalDateTime cutoff,
            long rowsMoved,
            long keptBack,
            LocalDateTime startedAt,
            LocalDateTime lastBatchAt,
            LocalDateTime finishedAt) {

        static List<SweepRow> read(Connection connection) throws SQLException {
            try (Statement statement = connection.createStatement();
                    ResultSet rows =
                            statement.executeQuery("select sweep_id, direction, state, node, cutoff, rows_moved,"
                                    + " rows_in_conflict + rows_rejected + rows_already_archived, started_at, last_batch_at,"
                                    + " finished_at from usage_archive_sweep order by sweep_id")) {
                List<SweepRow> ledger = new ArrayList<>();
                while (rows.next()) {
                    ledger.add(new SweepRow(
                            rows.getLong(1),
                            rows.getString(2),
                            rows.getString(3),
                            rows.getString(4),
                            rows.getObject(5, LocalDateTime.class),
                            rows.getLong(6),
                            rows.getLong(7),
                            rows.getObject(8, LocalDateTime.class),
                            rows.getObject(9, LocalDateTime.class),
                            rows.getObject(10, LocalDateTime.class)));
                }
                return ledger;
            }
        }

        boolean isRestore() {
            return direction.equals("RESTORE");
        }

        /** By how many rows the archive grew. */
        long archived() {
            return isRestore() ? -rowsMoved : rowsMoved;
        }

        boolean isRunning() {
            return state.equals("RUNNING");
        }

        boolean endedBefore(SweepRow next) {
            return finishedAt != null
                    && !finishedAt.isAfter(next.startedAt)
                    && (lastBatchAt == null || !lastBatchAt.isAfter(finishedAt));
        }
    }
}
