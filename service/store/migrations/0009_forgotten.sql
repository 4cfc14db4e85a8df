-- Each time that a customer was forgotten: on whose behalf, when, and what stands for the customer's id since. Who it
-- was is written only until it is done, so that what was interrupted goes on.
create table erasure (
    erasure_id uuid primary key,
    tenant_id text not null,
    customer_id text,
    pseudonym text not null,
    asked_by text not null,
    began_at timestamptz not null,
    done_at timestamptz,
    subscriptions integer not null default 0,
    dead_letters integer not null default 0,
    check ((customer_id is null) = (done_at is not null))
);
create unique index erasure_under_way on erasure (tenant_id, customer_id) where customer_id is not null;

-- What an event said, as a digest, where a person was taken out of it since: the ids of its outcomes come from that.
alter table fact add column content bytea;
