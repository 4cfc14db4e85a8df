-- Hands outcomes to Debezium instead of the service's own relay: run once, by the owner of the tables, while no worker runs.
-- Topics by the names that they have with you. What else leaves by the outbox, dead letters and what is replayed, has
-- headers of its own and stays with the relay.
begin;

create table outbox_debezium (
    id uuid not null,
    topic text not null,
    key text not null,
    value text,
    ce_specversion text,
    ce_source text,
    ce_type text,
    ce_subject text,
    ce_time text,
    ce_causationid text,
    content_type text
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Debezium reads the log of what is written, not the table: a row is gone again before its transaction has ended.
create function outbox_to_debezium() returns trigger
language plpgsql security definer set search_path from current
as $$
declare
    outcomes constant text [] = array[
        'cancellation-status', 'period-shortened', 'renewal-cancelled', 'credit-adjustment', 'subscription-timeline'
    ];
begin
    insert into outbox_debezium
    select
        coalesce((header ->> 'ce_id')::uuid, gen_random_uuid()),
        added.topic,
        convert_from(added.key, 'UTF8'),
        convert_from(added.value, 'UTF8'),
        header ->> 'ce_specversion',
        header ->> 'ce_source',
        header ->> 'ce_type',
        header ->> 'ce_subject',
        header ->> 'ce_time',
        header ->> 'ce_causationid',
        header ->> 'content-type'
    from added
    cross join lateral (
        select jsonb_object_agg(convert_from(headers[at], 'UTF8'), convert_from(headers[at + 1], 'UTF8')) as header
        from generate_series(1, cardinality(headers), 2) as at
    ) as named
    where added.topic = any(outcomes)
    order by added.id;

    delete from outbox using added where outbox.id = added.id and added.topic = any(outcomes);
    delete from outbox_debezium;
    return null;
end
$$;

create trigger outbox_to_debezium after insert on outbox
referencing new table as added
for each statement execute function outbox_to_debezium();

create publication cancellation_outbox for table outbox_debezium with (publish = 'insert');

commit;
