ALTER TABLE public.audit_event ADD COLUMN source varchar(20);
ALTER TABLE public.audit_event_archive ADD COLUMN source varchar(20);
