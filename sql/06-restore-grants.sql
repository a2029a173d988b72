-- What a role needs to take rows back from the archive, and to set and release holds; nothing more. Not for the
-- archiver's own role, which cannot take anything away from the archive. The role is a parameter: psql -v role=NAME.
-- Safe to apply again. The role must exist.
GRANT USAGE ON SCHEMA public TO :"role";

-- Archive: read, lock and delete rows. FOR UPDATE asks for UPDATE on one column at least; it is never updated.
GRANT SELECT, DELETE ON public.model_usage_details_archive TO :"role";
GRANT UPDATE (updated_at) ON public.model_usage_details_archive TO :"role";

-- Hot table: write rows, and compare and lock those that are there. FOR SHARE asks for UPDATE on one column at least.
-- No DELETE, and none on the sequence: rows come back with the ids that they had.
GRANT SELECT, INSERT ON public.model_usage_details TO :"role";
GRANT UPDATE (updated_at) ON public.model_usage_details TO :"role";

-- Ledger: a restore is a row there, too, and a hold tells a running sweep of itself. By column, as in 04-grants.sql.
BEGIN;
REVOKE INSERT, UPDATE ON public.usage_archive_sweep FROM :"role";
GRANT SELECT ON public.usage_archive_sweep TO :"role";
GRANT INSERT (table_name, direction, state, node, fired_by, cutoff, started_at, finished_at, live_until)
    ON public.usage_archive_sweep TO :"role";
GRANT UPDATE (state, batches, rows_moved, rows_already_archived, rows_in_conflict, rows_rejected, last_batch_at,
    live_until, finished_at, message, holds_version) ON public.usage_archive_sweep TO :"role";

-- Holds: set, and release. What a hold says stays as it was set, and the history stays.
REVOKE INSERT, UPDATE ON public.usage_archive_hold FROM :"role";
GRANT SELECT ON public.usage_archive_hold TO :"role";
GRANT INSERT (table_name, age_from, age_to, id_min, id_max, user_id, model_id, column_values, reason, created_by, node,
    created_at, hold_until) ON public.usage_archive_hold TO :"role";
GRANT UPDATE (released_at, released_by) ON public.usage_archive_hold TO :"role";
COMMIT;
