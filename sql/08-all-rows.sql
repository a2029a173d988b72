-- All rows of public.model_usage_details, hot or archived, for auditors and reports: the view
-- public.model_usage_details_all. Made where both tables are; safe to apply again, and made anew when they have got or
-- lost columns. `usage-archiver init` applies it, and `init --create-archive` does the same for other pairs.
--
-- A sweep moves a row in one transaction. So whatever reads one snapshot, as one statement does, or a REPEATABLE READ
-- transaction, finds each row once. Only where a row is in conflict, its key is in both tables (`verify` lists them).
-- A query by age, user or any other column with an index uses the indexes of both tables.
--
-- The view reads the tables through a function of its name, which the planner takes apart: a view of the tables
-- themselves would keep the application from altering a column's type or dropping one. Where it has done so, the view
-- may be an error until this file is applied again. Its rights are those of whoever reads it:
--   GRANT SELECT ON public.model_usage_details, public.model_usage_details_archive, public.model_usage_details_all TO auditor;
-- To be rid of it: DROP VIEW public.model_usage_details_all; DROP FUNCTION public.model_usage_details_all();

-- Nothing on the caller's search path is meant here: whoever may create objects there could have his own run instead.
SELECT pg_catalog.set_config('usage_archiver.search_path', pg_catalog.current_setting('search_path'), false);
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);

-- Left alone: what is another's of these names, what other objects depend on, and tables in the middle of a migration.
DO $$
DECLARE
    missing text;
BEGIN
    FOR missing IN
        WITH pair AS (
            SELECT hot.oid AS hot, twin.oid AS twin, hot.relnamespace AS schema,
                format('%I.%I', n.nspname, hot.relname) AS hot_name,
                (SELECT string_agg(quote_ident(u.part), '.' ORDER BY u.nr)
                    FROM unnest(parse_ident(p.archive)) WITH ORDINALITY u (part, nr)) AS archive_name,
                format('%I.%I', n.nspname, hot.relname || '_all') AS name
            -- The hot table, its archive, and the table whose columns the archive has.
            FROM (VALUES ('public.model_usage_details', 'public.model_usage_details_archive', 'public.model_usage_details_archive')) p (hot, archive, twin)
            JOIN pg_class hot ON hot.oid = to_regclass(p.hot)
            JOIN pg_class twin ON twin.oid = to_regclass(p.twin)
            JOIN pg_namespace n ON n.oid = hot.relnamespace
            WHERE octet_length(hot.relname || '_all') < 64 AND has_schema_privilege(n.oid, 'CREATE')
        ), shape AS (
            SELECT p.hot, string_agg(quote_ident(h.attname), ', ' ORDER BY h.attnum) AS names,
                string_agg(format('h.%I', h.attname), ', ' ORDER BY h.attnum) AS of_hot,
                string_agg(format('a.%I', h.attname), ', ' ORDER BY h.attnum) AS of_archive,
                string_agg(format('%I %s', h.attname, format_type(h.atttypid, NULL)), ', ' ORDER BY h.attnum) AS columns,
                -- What a function returns has no collation of its own, and an index is of one.
                string_agg(quote_ident(h.attname)
                    || CASE WHEN c.oid IS NULL THEN '' ELSE format(' COLLATE %I.%I', cn.nspname, c.collname) END, ', '
                    ORDER BY h.attnum) AS selected
            FROM pair p
            JOIN pg_attribute h ON h.attrelid = p.hot AND h.attnum > 0 AND NOT h.attisdropped
            JOIN pg_attribute a ON a.attrelid = p.twin AND a.attname = h.attname AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_type t ON t.oid = h.atttypid
            LEFT JOIN pg_collation c ON c.oid = h.attcollation AND c.oid <> t.typcollation
            LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace
            GROUP BY p.hot
            HAVING bool_and(a.atttypid = h.atttypid)
        ), wanted AS (
            SELECT p.name, p.schema, p.hot_name, p.archive_name, s.names, s.selected, format('TABLE(%s)', s.columns) AS result,
                format('SELECT %s FROM %s h UNION ALL SELECT %s FROM %s a', s.of_hot, p.hot_name, s.of_archive,
                    p.archive_name) AS body
            FROM pair p JOIN shape s ON s.hot = p.hot
        ), work AS (
            SELECT w.*, v.oid AS view, v.relowner AS view_owner, v.relacl AS view_acl, f.oid AS function,
                f.oid IS NOT NULL AND f.prosrc = w.body AND pg_get_function_result(f.oid) = w.result AS current
            FROM wanted w
            LEFT JOIN pg_class v ON v.oid = to_regclass(w.name)
            LEFT JOIN pg_proc f ON f.oid = to_regprocedure(w.name || '()')
            WHERE (v.oid IS NULL OR (v.relkind = 'v' AND f.oid IS NOT NULL AND pg_has_role(v.relowner, 'USAGE')))
                AND (f.oid IS NULL OR (f.prosrc LIKE 'SELECT % UNION ALL SELECT %' AND pg_has_role(f.proowner, 'USAGE')))
                AND NOT EXISTS (
                    SELECT FROM pg_depend d
                    WHERE d.deptype = 'n'
                        AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = v.oid
                            OR d.refclassid = 'pg_proc'::regclass AND d.refobjid = f.oid)
                        AND NOT (d.classid = 'pg_rewrite'::regclass
                            AND d.objid IN (SELECT r.oid FROM pg_rewrite r WHERE r.ev_class = v.oid)))
        ), statement AS (
            SELECT 1 AS nr, format('DROP VIEW %s', name) AS sql FROM work WHERE NOT current AND view IS NOT NULL
            UNION ALL
            SELECT 2, format('DROP FUNCTION %s()', name) FROM work WHERE NOT current AND function IS NOT NULL
            UNION ALL
            SELECT 3, format('CREATE FUNCTION %s () RETURNS %s LANGUAGE sql STABLE PARALLEL SAFE AS %L', name, result, body)
            FROM work WHERE NOT current
            UNION ALL
            SELECT 4, format('COMMENT ON FUNCTION %s () IS %L', name, 'For the view of the same name.')
            FROM work WHERE NOT current
            UNION ALL
            SELECT 5, format('CREATE VIEW %s (%s) WITH (security_invoker = true) AS SELECT %s FROM %s()', name, names,
                selected, name)
            FROM work WHERE NOT current OR view IS NULL
            UNION ALL
            SELECT 6, format('COMMENT ON VIEW %s IS %L', name, 'All rows of ' || hot_name || ', hot or archived in '
                || archive_name || '. Within one statement, or one snapshot, each row is there once; only the key of a row '
                || 'in conflict is in both tables.')
            FROM work WHERE NOT current OR view IS NULL
            UNION ALL
            SELECT 7, format('GRANT %s ON %s TO %s%s', acl.privilege_type, name,
                CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE cast(cast(acl.grantee AS regrole) AS text) END,
                CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
            FROM work CROSS JOIN aclexplode(view_acl) acl
            WHERE NOT current AND acl.grantee <> view_owner
        )
        SELECT s.sql FROM statement s ORDER BY s.nr
    LOOP
        EXECUTE missing;
    END LOOP;
END
$$;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('usage_archiver.search_path'), false);
