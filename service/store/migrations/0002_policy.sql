-- Every policy a tenant has set: a request is decided by the one in force at its own time.
create table policy (
    tenant_id text not null,
    time timestamptz not null,
    position bigint generated always as identity,
    recorded_at timestamptz not null,
    source text not null,
    event_id text not null,
    data json not null,
    primary key (tenant_id, time, position)
);
