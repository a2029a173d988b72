-- A further pair: GPUStack's log of what happened to instances and volumes, and its archive, as GPUStack 2.2.3 creates
-- them. On a database that GPUStack made, apply nothing of this: its own migrations would find their columns there
-- already. Safe to apply again.
--
-- A column that GPUStack adds to both tables later is moved like all others. Times are naive UTC. A row's age is
-- occurred_at, and it stays hot until a newer event of its resource takes its place: each candidate is looked for in
-- ix_resource_events_resource_lookup.

-- Nothing on the caller's search path is meant here: whoever may create objects there could have his own run instead.
-- [jooq ignore start]
SELECT pg_catalog.set_config('usage_archiver.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
-- [jooq ignore stop]

CREATE TABLE IF NOT EXISTS public.resource_events (
    id serial PRIMARY KEY,
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
    consumer_principal_kind varchar
);

-- For tables made by an earlier version of this file.
ALTER TABLE public.resource_events ADD COLUMN IF NOT EXISTS consumer_principal_kind varchar;

CREATE INDEX IF NOT EXISTS ix_resource_events_occurred_at ON public.resource_events (occurred_at);
CREATE INDEX IF NOT EXISTS ix_resource_events_owner_principal_id ON public.resource_events (owner_principal_id);
CREATE INDEX IF NOT EXISTS ix_resource_events_creator_id ON public.resource_events (creator_id);
CREATE INDEX IF NOT EXISTS ix_resource_events_resource_lookup ON public.resource_events (resource_type, resource_id, occurred_at);

-- Ids come from the hot table, so the archive has no sequence of its own.
CREATE TABLE IF NOT EXISTS public.resource_events_archive (
    id integer PRIMARY KEY,
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
    consumer_principal_kind varchar
);

-- For tables made by an earlier version of this file.
ALTER TABLE public.resource_events_archive ADD COLUMN IF NOT EXISTS consumer_principal_kind varchar;

CREATE INDEX IF NOT EXISTS ix_resource_events_archive_occurred_at ON public.resource_events_archive (occurred_at);
CREATE INDEX IF NOT EXISTS ix_resource_events_archive_owner_principal_id ON public.resource_events_archive (owner_principal_id);
CREATE INDEX IF NOT EXISTS ix_resource_events_archive_creator_id ON public.resource_events_archive (creator_id);
CREATE INDEX IF NOT EXISTS ix_resource_events_archive_resource_lookup ON public.resource_events_archive (resource_type, resource_id, occurred_at);

-- [jooq ignore start]
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('usage_archiver.search_path'), false);
-- [jooq ignore stop]
