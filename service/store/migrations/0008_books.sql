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
