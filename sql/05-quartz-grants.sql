-- What a role needs on Quartz's job store to run a scheduler node. The role is a parameter: psql -v role=NAME.
-- Safe to apply again. Where Quartz's tables are in another database, apply it there, or not at all.
GRANT USAGE ON SCHEMA public TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_job_details TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_triggers TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_simple_triggers TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_cron_triggers TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_simprop_triggers TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_blob_triggers TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_calendars TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_paused_trigger_grps TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_fired_triggers TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_scheduler_state TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON public.qrtz_locks TO :"role";
