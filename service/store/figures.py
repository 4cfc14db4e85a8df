"""What operations look at, as the tables have it: few rows of an index each, counted up to a limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

_READ = """
select
    (select count(*) from (select id from outbox order by id limit $1) as counted) as in_outbox,
    (select created_at from outbox order by id limit 1) as in_outbox_since,
    (
        select count(*) from (
            select from subscription where held_since is not null order by held_since limit $2
        ) as counted
    ) as held,
    (select held_since from subscription where held_since is not null order by held_since limit 1) as held_since,
    (
        select array_agg(counted.number order by age.position)
        from unnest($3::timestamptz [], $4::timestamptz []) with ordinality as age (since, until, position)
        cross join lateral (
            select count(*) as number
            from (
                select from subscription
                where open_since > age.since and open_since <= age.until
                order by open_since
                limit $2
            ) as counted
        ) as counted
    ) as open_by_age,
    (select open_since from subscription where open_since is not null order by open_since limit 1) as oldest_open,
    late.number as late,
    late.since as late_since,
    (
        select count(*)
        from (select from subscription where ends_at > $5 and ends_at <= $6 order by ends_at limit $2) as counted
    ) as ending,
    b.verified,
    b.began_at,
    b.verified_before,
    (select count(*) from (select from out_of_balance limit $2) as counted) as out_of_balance
from books b
cross join (
    select count(*) as number, min(due_at) as since
    from (
        select due_at from subscription where due_at <= $5 and held_since is null order by due_at limit $2
    ) as counted
) as late
"""
"""All of it at once: a worker that is busy deciding has one turn for it."""
_DAY = timedelta(days=1)
_EVER = datetime.fromisoformat("1900-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many there are, and since when the first of them."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Round:
    """How many subscriptions are verified in the round under way, and were in the last; how many differ."""

    verified: int
    began_at: datetime
    verified_before: int | None
    out_of_balance: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`open` by the ages asked for, all older last; `due` is what the clock is late for, `ending` what comes next."""

    outbox: Waiting
    held: Waiting
    open: tuple[int, ...]
    oldest_open: datetime | None
    due: Waiting
    ending: int
    books: Round


async def read(
    connection: asyncpg.Connection,
    now: datetime,
    ages: tuple[timedelta, ...],
    limits: tuple[int, int],
) -> Figures:
    """Reads them; `ages` are the bounds between which open adjustments are counted, youngest first.

    `limits` are where counting the outbox, and all else, stops.
    """
    to_outbox, limit = limits
    bounds = [now, *(now - age for age in ages), _EVER]
    row = await connection.fetchrow(_READ, to_outbox, limit, bounds[1:], bounds[:-1], now, now + _DAY)
    return Figures(
        outbox=Waiting(row["in_outbox"], row["in_outbox_since"]),
        held=Waiting(row["held"], row["held_since"]),
        open=tuple(row["open_by_age"]),
        oldest_open=row["oldest_open"],
        due=Waiting(row["late"], row["late_since"]),
        ending=row["ending"],
        books=Round(row["verified"], row["began_at"], row["verified_before"], row["out_of_balance"]),
    )
