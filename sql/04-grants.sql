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

-- Ledger: no DELETE here either.
GRANT SELECT, INSERT, UPDATE ON public.usage_archive_sweep TO :"role";

-- Holds: sweeps pass over the rows that they name. Setting and releasing them takes 06-restore-grants.sql.
GRANT SELECT ON public.usage_archive_hold TO :"role";

-- Baseline: `verify` compares the ledger's sums with it. Only `init`, as the owner, writes it.
GRANT SELECT ON public.usage_archive_baseline TO :"role";
