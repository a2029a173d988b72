-- What a role needs beside 06-restore-grants.sql to take rows of the further pairs back, and nothing more: the same as
-- there. The role is a parameter: psql -v role=NAME. Safe to apply again.
GRANT SELECT, DELETE ON public.metered_usage_archive TO :"role";
GRANT UPDATE (updated_at) ON public.metered_usage_archive TO :"role";
GRANT SELECT, INSERT ON public.metered_usage TO :"role";
GRANT UPDATE (updated_at) ON public.metered_usage TO :"role";
GRANT SELECT, DELETE ON public.resource_events_archive TO :"role";
GRANT UPDATE (updated_at) ON public.resource_events_archive TO :"role";
GRANT SELECT, INSERT ON public.resource_events TO :"role";
GRANT UPDATE (updated_at) ON public.resource_events TO :"role";
