"""What the service clears away by itself: the older generation of the inbox, and fates of letters long gone."""

from __future__ import annotations

from datetime import datetime

import asyncpg

_DUE = """
update housekeeping
set done_at = $2
where task = $1 and done_at <= $3
returning task
"""
_LOCK_INBOX = "lock table inbox, inbox_before in access exclusive mode"
_ROTATE_INBOX = "select rotate_inbox()"
_WAIT = "set local lock_timeout = '5s'"
_FORGET_FATES = "delete from dead_letter_fate where decided_at <= $1"


async def rotate_inbox(connection: asyncpg.Connection, now: datetime, before: datetime) -> bool:
    """Empties the older generation and lets them change places, if that was last done before; whether it was done.

    Waits for the claims that are under way, and no claim begins meanwhile: none is missed by another.

    Raises:
        LockNotAvailableError: the claims under way take long; nothing has happened.
    """
    if await connection.fetchval(_DUE, "inbox", now, before) is None:
        return False
    await connection.execute(_WAIT)
    await connection.execute(_LOCK_INBOX)
    await connection.execute(_ROTATE_INBOX)
    return True


async def forget_fates(connection: asyncpg.Connection, now: datetime, hour_ago: datetime, before: datetime) -> bool:
    """Forgets what became of letters that their topic holds no more; whether it was an hour since that was done."""
    if await connection.fetchval(_DUE, "fates", now, hour_ago) is None:
        return False
    await connection.execute(_FORGET_FATES, before)
    return True
