-- How far the service has come with verifying all subscriptions, round after round, whichever worker does it.
create table books (
    tenant_id text not null default '',
    subscription_id text not null default '',
    verified bigint not null default 0,
    began_at timestamptz not null,
    verified_before bigint
);
insert into books (began_at) values (now());

-- Subscriptions that are not as their facts say. They are verified again until they are.
create table out_of_balance (
    tenant_id text not null,
    subscription_id text not null,
    found_at timestamptz not null,
    verified_at timestamptz not null,
    difference text not null,
    primary key (tenant_id, subscription_id)
);

-- When access ends, while that lies ahead or is not sealed yet: what ends soon is counted by it.
alter table subscription add column ends_at timestamptz;
update subscription set ends_at = (state #>> '{told,end,access_ends_at}')::timestamptz where due_at is not null;
create index subscription_ends on subscription (ends_at) where ends_at is not null;
