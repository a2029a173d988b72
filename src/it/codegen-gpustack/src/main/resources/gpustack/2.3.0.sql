-- What the migrations of GPUStack 2.3.0 change in the tables of 2.2.3.

ALTER TABLE public.metered_usage ALTER COLUMN sku_count TYPE numeric(20, 8);
ALTER TABLE public.metered_usage ADD COLUMN definition_snapshot varchar;
ALTER TABLE public.metered_usage ADD COLUMN instance_type_name varchar;
ALTER TABLE public.metered_usage_archive ALTER COLUMN sku_count TYPE numeric(20, 8);
ALTER TABLE public.metered_usage_archive ADD COLUMN definition_snapshot varchar;
ALTER TABLE public.metered_usage_archive ADD COLUMN instance_type_name varchar;
CREATE INDEX ix_metered_usage_definition_snapshot ON public.metered_usage (definition_snapshot);
ALTER TABLE public.metered_usage DROP CONSTRAINT uq_metered_usage;
ALTER TABLE public.metered_usage ADD CONSTRAINT uq_metered_usage UNIQUE (meter_key, resource_id, bucket_start, sku, sku_count);

ALTER TABLE public.model_usage_details ADD COLUMN ttft_ms integer;
ALTER TABLE public.model_usage_details ADD COLUMN request_id varchar;
ALTER TABLE public.model_usage_details ADD COLUMN upstream_response_id varchar;
CREATE INDEX ix_model_usage_details_request_id ON public.model_usage_details (request_id);
ALTER TABLE public.model_usage_details_archive ADD COLUMN ttft_ms integer;
ALTER TABLE public.model_usage_details_archive ADD COLUMN request_id varchar;
ALTER TABLE public.model_usage_details_archive ADD COLUMN upstream_response_id varchar;
CREATE INDEX ix_model_usage_details_archive_request_id ON public.model_usage_details_archive (request_id);
