-- A further pair: GPUStack's hourly sums of metered resources and their archive, as GPUStack 2.2.3 creates them. On a
-- database that GPUStack made, apply nothing of this: its own migrations would find their columns there already. Safe to
-- apply again.
--
-- What GPUStack adds to both tables later, or widens, such as definition_snapshot, instance_type_name and a fractional
-- sku_count of 2.3, is moved like all others. Times are naive UTC. A row's age is bucket_start, so all rows of an hour
-- are of one age.

-- Nothing on the caller's search path is meant here: whoever may create objects there could have his own run instead.
-- [jooq ignore start]
SELECT pg_catalog.set_config('usage_archiver.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
-- [jooq ignore stop]

CREATE TABLE IF NOT EXISTS public.metered_usage (
    id serial PRIMARY KEY,
    owner_principal_id integer,
    owner_name varchar(255),
    consumer_principal_id integer,
    consumer_name varchar(255),
    creator_id integer,
    creator_name varchar(255),
    cluster_id integer,
    cluster_name varchar(255),
    meter_key varchar(64) NOT NULL,
    resource_type varchar(32) NOT NULL,
    resource_id integer,
    resource_name varchar(255) NOT NULL,
    resource_display_name varchar(255),
    sku varchar(128),
    sku_count integer NOT NULL DEFAULT 1,
    dimensions json,
    bucket_start timestamp NOT NULL,
    quantity bigint NOT NULL DEFAULT 0,
    unit varchar(32) NOT NULL,
    settled_until timestamp,
    sealed_at timestamp,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    deleted_at timestamp,
    consumer_principal_kind varchar,
    CONSTRAINT uq_metered_usage UNIQUE (meter_key, resource_id, bucket_start)
);

-- For tables made by an earlier version of this file.
ALTER TABLE public.metered_usage ADD COLUMN IF NOT EXISTS consumer_principal_kind varchar;

CREATE INDEX IF NOT EXISTS ix_metered_usage_bucket_start ON public.metered_usage (bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_consumer_principal_id_bucket ON public.metered_usage (consumer_principal_id, bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_resource_type_meter_bucket ON public.metered_usage (resource_type, meter_key, bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_sku_bucket ON public.metered_usage (sku, bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_creator_id_bucket ON public.metered_usage (creator_id, bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_meter_key_sku_id ON public.metered_usage (meter_key, sku, id);

-- Ids come from the hot table, so the archive has no sequence of its own, and it does not ask for unique hours.
CREATE TABLE IF NOT EXISTS public.metered_usage_archive (
    id integer PRIMARY KEY,
    owner_principal_id integer,
    owner_name varchar(255),
    consumer_principal_id integer,
    consumer_name varchar(255),
    creator_id integer,
    creator_name varchar(255),
    cluster_id integer,
    cluster_name varchar(255),
    meter_key varchar(64) NOT NULL,
    resource_type varchar(32) NOT NULL,
    resource_id integer,
    resource_name varchar(255) NOT NULL,
    resource_display_name varchar(255),
    sku varchar(128),
    sku_count integer NOT NULL DEFAULT 1,
    dimensions json,
    bucket_start timestamp NOT NULL,
    quantity bigint NOT NULL DEFAULT 0,
    unit varchar(32) NOT NULL,
    settled_until timestamp,
    sealed_at timestamp,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    deleted_at timestamp,
    consumer_principal_kind varchar
);

-- For tables made by an earlier version of this file.
ALTER TABLE public.metered_usage_archive ADD COLUMN IF NOT EXISTS consumer_principal_kind varchar;

CREATE INDEX IF NOT EXISTS ix_metered_usage_archive_bucket_start ON public.metered_usage_archive (bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_archive_consumer_principal_id_bucket ON public.metered_usage_archive (consumer_principal_id, bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_archive_resource_type_meter_bucket ON public.metered_usage_archive (resource_type, meter_key, bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_archive_sku_bucket ON public.metered_usage_archive (sku, bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_archive_creator_id_bucket ON public.metered_usage_archive (creator_id, bucket_start);
CREATE INDEX IF NOT EXISTS ix_metered_usage_archive_meter_key_sku_id ON public.metered_usage_archive (meter_key, sku, id);

-- [jooq ignore start]
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('usage_archiver.search_path'), false);
-- [jooq ignore stop]
