-- The ledger and the backlog of public.model_usage_details for any SQL client or dashboard. Safe to apply again
-- as a superuser, or as a role that has the rights of the owners of the view and of the function, which are two where the
-- function went to the owner of the hot table (see below); `usage-archiver init` leaves what it may not replace.
--
-- The view has one row a sweep, the newest first. The columns of the backlog are null in all rows but that of the
-- newest sweep, and there, too, unless the hot table is an ordinary table of the function's owner:
--   newest                whether it is the newest sweep of the table
--   expired_before        what a sweep now would have as its cutoff: the newest sweep's retention period before now
--   backlog_rows          rows that are expired now, those under a hold among them; from 10,001 on they are not all
--                         counted
--   backlog_rows_exact    whether they are all counted; backlog_behind tells more where they are not
--   backlog_oldest_age    the age of the oldest row of the backlog, naive UTC
--   backlog_behind        how long that row has been expired; null if its age is infinite
--
-- Reading it costs the ledger, and of the hot table up to 20,002 entries of its indexes and the rows behind them: some
-- milliseconds, however large the table is.
--
-- A dashboard's role needs nothing but
--   GRANT USAGE ON SCHEMA public TO grafana;
--   GRANT SELECT ON public.usage_archive_status TO grafana;
--   GRANT EXECUTE ON FUNCTION public.usage_archive_backlog(timestamp) TO grafana;
-- The last one is also made by applying this file after the one before it.

-- Nothing on the caller's search path is meant here: whoever may create objects there could have his own run instead.
SELECT pg_catalog.set_config('usage_archiver.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);

-- The backlog as of a cutoff. A function, so that no view depends on the hot table: that would keep the application from
-- altering it. It has its owner's rights, and the planner's settings of a sweep. So it reads nothing but an ordinary
-- table of that owner: a view, or somebody else's table, could bring code along that would run with these rights.
CREATE OR REPLACE FUNCTION public.usage_archive_backlog(expired_before timestamp)
RETURNS TABLE (backlog_rows bigint, backlog_rows_exact boolean, backlog_oldest_age timestamp)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    -- Before the table is touched, and again once the lock keeps the name from going to another one.
    FOR look IN 1..2 LOOP
        IF NOT EXISTS (
            SELECT FROM pg_class t
            WHERE t.oid = to_regclass('public.model_usage_details') AND t.relkind IN ('r', 'p')
                AND pg_get_userbyid(t.relowner) = current_user AND has_table_privilege(t.oid, 'SELECT')
        ) THEN
            RETURN;
        END IF;
        LOCK TABLE ONLY public.model_usage_details IN ACCESS SHARE MODE;
    END LOOP;
    RETURN QUERY
    SELECT completed.n + pending.n, completed.n <= 10000 AND pending.looked_at <= 10000,
        least(completed.oldest, pending.oldest)
    FROM (
        SELECT count(*) AS n, min(h.completed_at) AS oldest
        FROM (
            SELECT d.completed_at FROM public.model_usage_details d
            WHERE d.completed_at < expired_before
            ORDER BY d.completed_at LIMIT 10001
        ) h
    ) completed
    -- Filtered after the limit, so that no more rows are read where all that is old has completed.
    CROSS JOIN (
        SELECT count(*) FILTER (WHERE h.completed_at IS NULL) AS n, count(*) AS looked_at,
            min(h.created_at) FILTER (WHERE h.completed_at IS NULL) AS oldest
        FROM (
            SELECT d.completed_at, d.created_at FROM public.model_usage_details d
            WHERE d.created_at < expired_before
            ORDER BY d.created_at LIMIT 10001
        ) h
    ) pending;
END
$$;

CREATE OR REPLACE VIEW public.usage_archive_status AS
SELECT
    s.table_name, s.sweep_id, s.direction, s.state, s.node, s.fired_by, s.cutoff,
    s.batches, s.rows_moved, s.rows_already_archived, s.rows_in_conflict, s.rows_rejected,
    s.started_at, s.last_batch_at, s.finished_at,
    round(extract(epoch FROM coalesce(s.finished_at, timezone('UTC', now())) - s.started_at), 3) AS seconds,
    -- While rows were moving: a sweep whose node died was closed long after that.
    round(s.rows_moved / greatest(extract(epoch FROM s.last_batch_at - s.started_at), 0.001)) AS rows_per_second,
    s.message,
    backlog.sweep_id IS NOT NULL AS newest,
    backlog.expired_before, backlog.backlog_rows, backlog.backlog_rows_exact, backlog.backlog_oldest_age,
    -- PostgreSQL before 17 cannot subtract infinity.
    CASE WHEN isfinite(backlog.backlog_oldest_age) THEN backlog.expired_before - backlog.backlog_oldest_age END
        AS backlog_behind
FROM public.usage_archive_sweep s
LEFT JOIN (
    SELECT retention.sweep_id, retention.expired_before, b.backlog_rows, b.backlog_rows_exact, b.backlog_oldest_age
    FROM (
        SELECT n.sweep_id, timezone('UTC', now()) - make_interval(months =>
            cast(extract(year FROM age(n.started_at, n.cutoff)) * 12
                + extract(month FROM age(n.started_at, n.cutoff)) AS integer)) AS expired_before
        FROM public.usage_archive_sweep n
        WHERE n.table_name = 'public.model_usage_details' AND n.direction = 'ARCHIVE'
        ORDER BY n.sweep_id DESC
        LIMIT 1
    ) retention
    LEFT JOIN LATERAL public.usage_archive_backlog(retention.expired_before) b ON true
) backlog ON backlog.sweep_id = s.sweep_id
ORDER BY s.sweep_id DESC;

-- The function belongs to the owner of the hot table, where whoever applies this may give it to him: a superuser, or a
-- role that has both owners' rights. Elsewhere there is no backlog to be seen. The role that creates tables need not be
-- the one that owns the hot table.
DO $$
DECLARE
    missing text;
BEGIN
    FOR missing IN
        SELECT format('ALTER FUNCTION public.usage_archive_backlog(timestamp) OWNER TO %I', o.rolname)
        FROM pg_class t
        JOIN pg_roles o ON o.oid = t.relowner
        JOIN pg_proc f ON f.oid = to_regprocedure('public.usage_archive_backlog(timestamp)')
        WHERE t.oid = to_regclass('public.model_usage_details') AND t.relowner <> f.proowner
            AND pg_has_role(f.proowner, 'USAGE') AND pg_has_role(t.relowner, 'USAGE')
            AND (has_schema_privilege(t.relowner, 'public', 'CREATE')
                OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper))
    LOOP
        EXECUTE missing;
    END LOOP;
END
$$;

-- Who may read the view may execute the function, which PostgreSQL asks of the view's reader, and nobody else may.
DO $$
DECLARE
    missing text;
BEGIN
    FOR missing IN
        WITH reader AS (
            SELECT acl.grantee
            FROM pg_class v CROSS JOIN aclexplode(coalesce(v.relacl, acldefault('r', v.relowner))) acl
            WHERE v.oid = to_regclass('public.usage_archive_status') AND acl.privilege_type = 'SELECT'
        ), executor AS (
            SELECT acl.grantee
            FROM pg_proc f CROSS JOIN aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) acl
            WHERE f.oid = to_regprocedure('public.usage_archive_backlog(timestamp)')
        ), statement AS (
            SELECT 'REVOKE EXECUTE ON FUNCTION public.usage_archive_backlog(timestamp) FROM PUBLIC' AS sql
            FROM executor e WHERE e.grantee = 0 AND NOT EXISTS (SELECT FROM reader r WHERE r.grantee = 0)
            UNION ALL
            SELECT format('GRANT EXECUTE ON FUNCTION public.usage_archive_backlog(timestamp) TO %s',
                CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE cast(cast(r.grantee AS regrole) AS text) END)
            FROM reader r WHERE NOT EXISTS (SELECT FROM executor e WHERE e.grantee = r.grantee)
        )
        SELECT s.sql
        FROM statement s JOIN pg_proc f ON f.oid = to_regprocedure('public.usage_archive_backlog(timestamp)')
        WHERE pg_has_role(f.proowner, 'USAGE')
    LOOP
        EXECUTE missing;
    END LOOP;
END
$$;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('usage_archiver.search_path'), false);
