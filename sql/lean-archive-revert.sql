-- Takes back lean-archive.sql: the archive has the eight indexes of 01-usage-tables.sql again. Safe to apply again.
-- As the owner of the archive. Building the indexes reads it seven times, and a sweep waits so long.
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_date ON public.model_usage_details_archive (date);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_model_id ON public.model_usage_details_archive (model_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_user_id ON public.model_usage_details_archive (user_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_consumer_principal_id ON public.model_usage_details_archive (consumer_principal_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_api_key_id ON public.model_usage_details_archive (api_key_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_model_route_id ON public.model_usage_details_archive (model_route_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_completed_at ON public.model_usage_details_archive (completed_at);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_created_at ON public.model_usage_details_archive (created_at);

DROP INDEX IF EXISTS public.ix_model_usage_details_archive_date_range;
DROP INDEX IF EXISTS public.ix_model_usage_details_archive_completed_at_range;
DROP INDEX IF EXISTS public.ix_model_usage_details_archive_created_at_range;
