"""What operations look at, as the tables have it: few rows of an index each, counted up to a limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import asyncpg

_OUTBOX = """
select
    (select count(*) from (select id from outbox order by id limit $1) as counted) as waiting,
    (select created_at from outbox order by id limit 1) as since
"""
_HELD = """
select
    (
        select count(*) from (
            select from subscription where held_since is not null order by held_since limit $1
        ) as counted
    ) as waiting,
    (select held_since from subscription where held_since is not null order by held_since limit 1) as since
"""
_OPEN = """
select count(*)
from (select from subscription where open_since > $1 and open_since <= $2 order by open_since limit $3) as counted
"""
_OLDEST_OPEN = "select open_since from subscription where open_since is not null order by open_since limit 1"
_LATE = """
select count(*) as waiting, min(due_at) as since
from (
    select due_at from subscription where due_at <= $1 and held_since is null order by due_at limit $2
) as counted
"""
_ENDING = """
select count(*)
from (select from subscription where ends_at > $1 and ends_at <= $2 order by ends_at limit $3) as counted
"""
_BOOKS = """
select
    verified, began_at, verified_before,
    (select count(*) from (select from out_of_balance limit $1) as counted) as out_of_balance
from books
"""
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
    return Figures(
        outbox=_waiting(await connection.fetchrow(_OUTBOX, to_outbox)),
        held=_waiting(await connection.fetchrow(_HELD, limit)),
        open=tuple([await connection.fetchval(_OPEN, since, until, limit) for until, since in pairwise(bounds)]),
        oldest_open=await connection.fetchval(_OLDEST_OPEN),
        due=_waiting(await connection.fetchrow(_LATE, now, limit)),
        ending=await connection.fetchval(_ENDING, now, now + _DAY, limit),
        books=Round(**await connection.fetchrow(_BOOKS, limit)),
    )


def _waiting(row: asyncpg.Record) -> Waiting:
    return Waiting(row["waiting"], row["since"])
