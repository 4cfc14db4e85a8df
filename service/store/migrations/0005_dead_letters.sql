-- What became of a dead letter, by its place on the dead-letter topic: nothing is replayed or discarded twice.
create table dead_letter_fate (
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    fate text not null check (fate in ('replayed', 'discarded')),
    reason text,
    decided_at timestamptz not null,
    primary key (topic, partition, "offset")
);
