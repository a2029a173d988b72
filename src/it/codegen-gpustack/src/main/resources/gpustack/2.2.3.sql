-- The tables of GPUStack 2.2.3 that are archived, as its migrations leave them: columns of later versions stand at the end.

CREATE TABLE public.model_usage_details (
    id serial NOT NULL,
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
    deleted_at timestamp,
    PRIMARY KEY (id)
);
CREATE INDEX ix_model_usage_details_date ON public.model_usage_details (date);
CREATE INDEX ix_model_usage_details_model_id ON public.model_usage_details (model_id);
CREATE INDEX ix_model_usage_details_user_id ON public.model_usage_details (user_id);
CREATE INDEX ix_model_usage_details_consumer_principal_id ON public.model_usage_details (consumer_principal_id);
CREATE INDEX ix_model_usage_details_api_key_id ON public.model_usage_details (api_key_id);
CREATE INDEX ix_model_usage_details_model_route_id ON public.model_usage_details (model_route_id);
CREATE INDEX ix_model_usage_details_completed_at ON public.model_usage_details (completed_at);
CREATE INDEX ix_model_usage_details_created_at ON public.model_usage_details (created_at);

CREATE TABLE public.model_usage_details_archive (
    id integer NOT NULL,
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
    deleted_at timestamp,
    PRIMARY KEY (id)
);
CREATE INDEX ix_model_usage_details_archive_date ON public.model_usage_details_archive (date);
CREATE INDEX ix_model_usage_details_archive_model_id ON public.model_usage_details_archive (model_id);
CREATE INDEX ix_model_usage_details_archive_user_id ON public.model_usage_details_archive (user_id);
CREATE INDEX ix_model_usage_details_archive_consumer_principal_id ON public.model_usage_details_archive (consumer_principal_id);
CREATE INDEX ix_model_usage_details_archive_api_key_id ON public.model_usage_details_archive (api_key_id);
CREATE INDEX ix_model_usage_details_archive_model_route_id ON public.model_usage_details_archive (model_route_id);
CREATE INDEX ix_model_usage_details_archive_completed_at ON public.model_usage_details_archive (completed_at);
CREATE INDEX ix_model_usage_details_archive_created_at ON public.model_usage_details_archive (created_at);

CREATE TABLE public.metered_usage (
    id serial NOT NULL,
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
    PRIMARY KEY (id),
    CONSTRAINT uq_metered_usage UNIQUE (meter_key, resource_id, bucket_start)
);
CREATE INDEX ix_metered_usage_bucket_start ON public.metered_usage (bucket_start);
CREATE INDEX ix_metered_usage_consumer_principal_id_bucket ON public.metered_usage (consumer_principal_id, bucket_start);
CREATE INDEX ix_metered_usage_resource_type_meter_bucket ON public.metered_usage (resource_type, meter_key, bucket_start);
CREATE INDEX ix_metered_usage_sku_bucket ON public.metered_usage (sku, bucket_start);
CREATE INDEX ix_metered_usage_creator_id_bucket ON public.metered_usage (creator_id, bucket_start);

CREATE TABLE public.metered_usage_archive (
    id integer NOT NULL,
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
    PRIMARY KEY (id)
);
CREATE INDEX ix_metered_usage_archive_bucket_start ON public.metered_usage_archive (bucket_start);
CREATE INDEX ix_metered_usage_archive_consumer_principal_id_bucket ON public.metered_usage_archive (consumer_principal_id, bucket_start);
CREATE INDEX ix_metered_usage_archive_resource_type_meter_bucket ON public.metered_usage_archive (resource_type, meter_key, bucket_start);
CREATE INDEX ix_metered_usage_archive_sku_bucket ON public.metered_usage_archive (sku, bucket_start);
CREATE INDEX ix_metered_usage_archive_creator_id_bucket ON public.metered_usage_archive (creator_id, bucket_start);

CREATE TABLE public.resource_events (
    id serial NOT NULL,
    occurred_at timestamp NOT NULL,
    owner_principal_id integer,
    owner_name varchar(255),
    consumer_principal_id integer,
    consumer_name varchar(255),
    creator_id integer,
    creator_name varchar(255),
    cluster_id integer,
    cluster_name varchar(255),
    resource_type varchar(32) NOT NULL,
    resource_id integer,
    resource_name varchar(255) NOT NULL,
    event_type varchar(64) NOT NULL,
    event_message varchar(1024),
    phase varchar(64),
    spec_snapshot json,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    deleted_at timestamp,
    PRIMARY KEY (id)
);
CREATE INDEX ix_resource_events_occurred_at ON public.resource_events (occurred_at);
CREATE INDEX ix_resource_events_owner_principal_id ON public.resource_events (owner_principal_id);
CREATE INDEX ix_resource_events_creator_id ON public.resource_events (creator_id);
CREATE INDEX ix_resource_events_resource_lookup ON public.resource_events (resource_type, resource_id, occurred_at);

CREATE TABLE public.resource_events_archive (
    id integer NOT NULL,
    occurred_at timestamp NOT NULL,
    owner_principal_id integer,
    owner_name varchar(255),
    consumer_principal_id integer,
    consumer_name varchar(255),
    creator_id integer,
    creator_name varchar(255),
    cluster_id integer,
    cluster_name varchar(255),
    resource_type varchar(32) NOT NULL,
    resource_id integer,
    resource_name varchar(255) NOT NULL,
    event_type varchar(64) NOT NULL,
    event_message varchar(1024),
    phase varchar(64),
    spec_snapshot json,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    deleted_at timestamp,
    PRIMARY KEY (id)
);
CREATE INDEX ix_resource_events_archive_occurred_at ON public.resource_events_archive (occurred_at);
CREATE INDEX ix_resource_events_archive_owner_principal_id ON public.resource_events_archive (owner_principal_id);
CREATE INDEX ix_resource_events_archive_creator_id ON public.resource_events_archive (creator_id);
CREATE INDEX ix_resource_events_archive_resource_lookup ON public.resource_events_archive (resource_type, resource_id, occurred_at);

-- 2.2.2
ALTER TABLE public.metered_usage ADD COLUMN consumer_principal_kind varchar;
ALTER TABLE public.metered_usage_archive ADD COLUMN consumer_principal_kind varchar;
ALTER TABLE public.resource_events ADD COLUMN consumer_principal_kind varchar;
ALTER TABLE public.resource_events_archive ADD COLUMN consumer_principal_kind varchar;
CREATE INDEX ix_metered_usage_meter_key_sku_id ON public.metered_usage (meter_key, sku, id);
CREATE INDEX ix_metered_usage_archive_meter_key_sku_id ON public.metered_usage_archive (meter_key, sku, id);
