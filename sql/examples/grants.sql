-- What a role needs beside 04-grants.sql to archive the further pairs, and nothing more: the same as there. The role is
-- a parameter: psql -v role=NAME. Safe to apply again.
GRANT SELECT, DELETE ON public.metered_usage TO :"role";
GRANT UPDATE (updated_at) ON public.metered_usage TO :"role";
GRANT SELECT, INSERT ON public.metered_usage_archive TO :"role";
GRANT UPDATE (updated_at) ON public.metered_usage_archive TO :"role";
GRANT SELECT, DELETE ON public.resource_events TO :"role";
GRANT UPDATE (updated_at) ON public.resource_events TO :"role";
GRANT SELECT, INSERT ON public.resource_events_archive TO :"role";
GRANT UPDATE (updated_at) ON public.resource_events_archive TO :"role";
