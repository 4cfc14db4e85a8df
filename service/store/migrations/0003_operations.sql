-- A running digest of all outcomes published for a subscription, which leave the outbox when Kafka has them.
alter table subscription add column published bytea;

-- When the oldest adjustment was decided that nobody has carried out yet.
alter table subscription add column open_since timestamptz;
create index subscription_open on subscription (open_since) where open_since is not null;

-- All else that a decision depended on: how many of the tenant's policies were known, and whether the event's id had
-- been used before with other content. What the clock brought about stands between the facts, with the type clock.
-- digest: of the whole row as it was written.
alter table fact add column policies integer not null default 0;
alter table fact add column conflicting boolean not null default false;
alter table fact add column digest bytea;
