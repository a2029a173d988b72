-- The hot usage table and its archive, as GPUStack 2.2 creates them. On a database that GPUStack made
-- there is nothing here to do. Safe to apply again.
--
-- Times are naive UTC. A row's age is COALESCE(completed_at, created_at).

-- Nothing on the caller's search path is meant here: whoever may create objects there could have his own run instead.
-- [jooq ignore start]
SELECT pg_catalog.set_config('usage_archiver.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
-- [jooq ignore stop]

CREATE TABLE IF NOT EXISTS public.model_usage_details (
    id serial PRIMARY KEY,
    user_id integer,
    user_name varchar(255),
    model_id integer,
    model_name varchar(255) NOT NULL,
    model_route_id integer,
    model_route_name varchar(255),
    owner_principal_id integer,
    consumer_principal_id integer,
    provider_id integer,
    provider_name varchar(255),
    provider_type varchar(255),
    cluster_id integer,
    cluster_name varchar(255),
    api_key_id integer,
    api_key_name varchar(255),
    access_key varchar(255),
    api_key_is_custom boolean,
    date date NOT NULL,
    prompt_token_count bigint NOT NULL,
    completion_token_count bigint NOT NULL,
    prompt_cached_token_count bigint NOT NULL DEFAULT 0,
    completed boolean NOT NULL DEFAULT false,
    operation varchar(32),
    started_at timestamp,
    completed_at timestamp,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    deleted_at timestamp
);

CREATE INDEX IF NOT EXISTS ix_model_usage_details_date ON public.model_usage_details (date);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_model_id ON public.model_usage_details (model_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_user_id ON public.model_usage_details (user_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_consumer_principal_id ON public.model_usage_details (consumer_principal_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_api_key_id ON public.model_usage_details (api_key_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_model_route_id ON public.model_usage_details (model_route_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_completed_at ON public.model_usage_details (completed_at);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_created_at ON public.model_usage_details (created_at);

-- Ids come from the hot table, so the archive has no sequence of its own.
CREATE TABLE IF NOT EXISTS public.model_usage_details_archive (
    id integer PRIMARY KEY,
    user_id integer,
    user_name varchar(255),
    model_id integer,
    model_name varchar(255) NOT NULL,
    model_route_id integer,
    model_route_name varchar(255),
    owner_principal_id integer,
    consumer_principal_id integer,
    provider_id integer,
    provider_name varchar(255),
    provider_type varchar(255),
    cluster_id integer,
    cluster_name varchar(255),
    api_key_id integer,
    api_key_name varchar(255),
    access_key varchar(255),
    api_key_is_custom boolean,
    date date NOT NULL,
    prompt_token_count bigint NOT NULL,
    completion_token_count bigint NOT NULL,
    prompt_cached_token_count bigint NOT NULL DEFAULT 0,
    completed boolean NOT NULL DEFAULT false,
    operation varchar(32),
    started_at timestamp,
    completed_at timestamp,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    deleted_at timestamp
);

CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_date ON public.model_usage_details_archive (date);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_model_id ON public.model_usage_details_archive (model_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_user_id ON public.model_usage_details_archive (user_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_consumer_principal_id ON public.model_usage_details_archive (consumer_principal_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_api_key_id ON public.model_usage_details_archive (api_key_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_model_route_id ON public.model_usage_details_archive (model_route_id);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_completed_at ON public.model_usage_details_archive (completed_at);
CREATE INDEX IF NOT EXISTS ix_model_usage_details_archive_created_at ON public.model_usage_details_archive (created_at);

-- [jooq ignore start]
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('usage_archiver.search_path'), false);
-- [jooq ignore stop]
