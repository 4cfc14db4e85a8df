-- The inbox in two generations: what is claimed goes into the younger, what was claimed is found in both. When the
-- younger is old enough, the older is emptied and they change places: no row is deleted, and nothing is left behind.
create table inbox_before (like inbox including all);

-- When each of the service's own chores was last done, by whichever worker came first.
create table housekeeping (
    task text primary key,
    done_at timestamptz not null
);
insert into housekeeping (task, done_at) values ('inbox', now()), ('fates', now());

-- Rows that come and go, or change all the time: cleaned up by number, not by share, and with room beside the old.
alter table outbox set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000
);
alter table parked set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
alter table consumer_offset set (
    fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500
);
alter table subscription set (
    fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05,
    toast.autovacuum_vacuum_scale_factor = 0.02
);
