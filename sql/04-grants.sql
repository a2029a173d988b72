-- What a role needs to archive, and nothing more. The role is a parameter: psql -v role=NAME. Safe to apply
-- again. The role must exist; creating tables stays with their owner.
GRANT USAGE ON SCHEMA public TO :"role";

-- Hot table: read, lock and delete rows. FOR UPDATE asks for UPDATE on one column at least; the archiver never
-- updates it.
GRANT SELECT, DELETE ON public.model_usage_details TO :"role";
GRANT UPDATE (updated_at) ON public.model_usage_details TO :"role";

-- Archive: write rows, and compare and lock those that are there. FOR SHARE asks for UPDATE on one column at
-- least. No DELETE: nothing that is archived can be taken away by this role.
GRANT SELECT, INSERT ON public.model_usage_details_archive TO :"role";
GRANT UPDATE (updated_at) ON public.model_usage_details_archive TO :"role";

-- Ledger: what a sweep writes and no other column, so that neither a row's table and beginning nor the count of holds can
-- be changed; no DELETE here either. The REVOKE takes back what earlier versions of this file gave, for all columns; in
-- one transaction, so that a sweep that runs is never without.
BEGIN;
REVOKE INSERT, UPDATE ON public.usage_archive_sweep FROM :"role";
GRANT SELECT ON public.usage_archive_sweep TO :"role";
GRANT INSERT (table_name, direction, state, node, fired_by, cutoff, started_at, finished_at, live_until)
    ON public.usage_archive_sweep TO :"role";
GRANT UPDATE (state, batches, rows_moved, rows_already_archived, rows_in_conflict, rows_rejected, last_batch_at,
    live_until, finished_at, message) ON public.usage_archive_sweep TO :"role";
COMMIT;

-- Holds: sweeps pass over the rows that they name. Setting and releasing them takes 06-restore-grants.sql.
GRANT SELECT ON public.usage_archive_hold TO :"role";

-- Baseline: `verify` compares the ledger's sums with it. Only `init`, as the owner, writes it.
GRANT SELECT ON public.usage_archive_baseline TO :"role";
