-- Optional: fewer indexes for the archive, which is written once and seldom read. Most of what a sweep costs is its
-- eight btree indexes; these are replaced by block range indexes on the times, a thousandth of their size, and a btree
-- for the lookups of one user. lean-archive-revert.sql brings the eight back. Both are safe to apply again. Measure
-- your own audit queries before: those by model, API key, route or consumer read a time range, or the whole archive.
--
-- Not for an archive of which GPUStack itself reads pages by these columns. Applying 01-usage-tables.sql again brings
-- the btrees back; apply this file again then. As the owner of the archive. Building the indexes reads it once, and a
-- sweep waits so long.
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_date_range
    ON public.model_usage_details_archive USING brin (date) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_completed_at_range
    ON public.model_usage_details_archive USING brin (completed_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_created_at_range
    ON public.model_usage_details_archive USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_user_id ON public.model_usage_details_archive (user_id);

DROP INDEX IF EXISTS public.ix_model_usage_details_archive_date;
DROP INDEX IF EXISTS public.ix_model_usage_details_archive_model_id;
DROP INDEX IF EXISTS public.ix_model_usage_details_archive_consumer_principal_id;
DROP INDEX IF EXISTS public.ix_model_usage_details_archive_api_key_id;
DROP INDEX IF EXISTS public.ix_model_usage_details_archive_model_route_id;
DROP INDEX IF EXISTS public.ix_model_usage_details_archive_completed_at;
DROP INDEX IF EXISTS public.ix_model_usage_details_archive_created_at;
