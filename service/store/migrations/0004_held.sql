-- A subscription whose decision failed is held: what comes for it waits, in order and without limit, until an operator
-- resumes it. Since when, and why.
alter table subscription add column held_since timestamptz;
alter table subscription add column held_because text;
create index subscription_held on subscription (held_since) where held_since is not null;

-- What waits for a held subscription does not expire; one that used its id for the second time is answered as such.
alter table parked alter column expires_at drop not null;
alter table parked add column conflicting boolean not null default false;
