-- Where each consumer group goes on; Kafka's own committed offsets are for lag tools only.
create table consumer_offset (
    consumer_group text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    primary key (consumer_group, topic, partition)
);

-- Which events have been taken in. event: digest of source and id; content: digest of type and data.
-- A second content under one event is a conflict, and is remembered so that it is answered once.
create table inbox (
    event bytea not null,
    content bytea not null,
    received_at timestamptz not null,
    primary key (event, content)
);

-- One row per subscription. state is null while it is only waited for: something came for it, but no activation.
create table subscription (
    tenant_id text not null,
    subscription_id text not null,
    customer_id text,
    sequence bigint not null default 0,
    due_at timestamptz,
    state json,
    updated_at timestamptz not null,
    primary key (tenant_id, subscription_id)
);
create index subscription_due on subscription (due_at) where due_at is not null;

-- Everything that was taken in for a subscription, in the order it was decided; the state is a fold of it.
create table fact (
    tenant_id text not null,
    subscription_id text not null,
    position bigint generated always as identity,
    source text not null,
    event_id text not null,
    type text not null,
    time timestamptz not null,
    recorded_at timestamptz not null,
    data bytea not null,
    primary key (tenant_id, subscription_id, position)
);

-- Records for a subscription nobody has activated yet, byte for byte, until it is or until they expire.
create table parked (
    tenant_id text not null,
    subscription_id text not null,
    position bigint generated always as identity,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    timestamp_ms bigint not null,
    key bytea,
    value bytea,
    headers bytea [] not null,
    recorded_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (tenant_id, subscription_id, position)
);
create index parked_expires on parked (expires_at);

-- What is decided but not yet on Kafka. headers: name, value, name, value, …; a value may be null.
create table outbox (
    id bigint generated always as identity primary key,
    shard smallint not null,
    topic text not null,
    key bytea,
    value bytea,
    headers bytea [] not null,
    created_at timestamptz not null
);
