"""As much of Postgres as the store asks for: transactions, row locks, identities, session locks; all in memory.

Read committed: a statement sees what was committed when it began, and the transaction's own writes. A
row that another transaction has written or locked makes a statement wait for the end of that
transaction, and then it looks again. Identity numbers are given at the insert and seen at the commit,
so a lower one may turn up after a higher one. A statement this database has not been taught is an
error. `test_postgres` holds it against the real one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from types import TracebackType
from typing import Any, Protocol, TypeAlias

import asyncpg

from tests.simulation.schedule import TURN, Chance, Moment

Row: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str, tuple[Any, ...]]
"""A table and a primary key in it."""

Statement: TypeAlias = Callable[..., Awaitable[list[Row]]]
STATEMENTS: dict[str, Statement] = {}
"""What is known, by its SQL."""

KEYS = {
    "consumer_offset": ("consumer_group", "topic", "partition"),
    "inbox": ("event", "content"),
    "inbox_before": ("event", "content"),
    "housekeeping": ("task",),
    "subscription": ("tenant_id", "subscription_id"),
    "fact": ("tenant_id", "subscription_id", "position"),
    "parked": ("tenant_id", "subscription_id", "position"),
    "policy": ("tenant_id", "time", "position"),
    "outbox": ("id",),
}
IDENTITIES = {"fact": "position", "parked": "position", "policy": "position", "outbox": "id"}
DEFAULTS: dict[str, Row] = {
    "fact": {"content": None},
    "subscription": {
        **dict.fromkeys(
            ("customer_id", "due_at", "state", "published", "open_since", "ends_at", "held_since", "held_because")
        ),
        "sequence": 0,
    },
}


class ConnectionLostError(Exception):
    """The database is not there any more; whether the last statement was done is anyone's guess."""


class DeadlockError(Exception):
    """Two transactions wait for each other."""


class UnknownStatementError(BaseException):
    """The service asks for something that this database has never heard of. No retry is to swallow it."""


class Client(Protocol):
    """A process with connections to the database."""

    alive: bool


class Transaction:
    """What one transaction has written, and what it holds."""

    __slots__ = ("ended", "held", "waits_for", "writes")

    def __init__(self) -> None:
        self.writes: dict[Place, Row | None] = {}
        self.held: list[Place] = []
        self.waits_for: Transaction | None = None
        self.ended = False


class Database:
    """The committed rows, who holds what, and who is connected."""

    def __init__(self, chance: Chance) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = {name: {} for name in KEYS}
        self.chance = chance
        self.changes = 0
        self.appended: list[Row] = []
        self.connections: list[Connection] = []
        self.advisory: dict[int, Connection] = {}
        self.deadlocks = 0
        self.waits = 0
        self._locks: dict[Place, Transaction] = {}
        self._sharing: dict[str, dict[Transaction, None]] = defaultdict(dict)
        self._identities = {name: count(1) for name in IDENTITIES}

    # What a transaction sees.

    def see(self, transaction: Transaction, table: str, key: tuple[Any, ...]) -> Row | None:
        """A row as it stands for a transaction."""
        place = (table, key)
        return transaction.writes[place] if place in transaction.writes else self.tables[table].get(key)

    def scan(self, transaction: Transaction, table: str) -> list[Row]:
        """All rows of a table as they stand for a transaction."""
        own = {key: row for (name, key), row in transaction.writes.items() if name == table}
        if not own:
            return list(self.tables[table].values())
        return [row for row in ({**self.tables[table], **own}).values() if row is not None]

    # What a transaction does. Rows are never changed in place.

    async def lock(self, transaction: Transaction, table: str, key: tuple[Any, ...]) -> Row | None:
        """Waits until the row is the transaction's alone; the row as it stands by then."""
        place = (table, key)
        while (holder := self._locks.get(place, transaction)) is not transaction:
            await self._wait(transaction, holder)
        if place not in self._locks:
            self._locks[place] = transaction
            transaction.held.append(place)
        return self.see(transaction, table, key)

    async def share(self, transaction: Transaction, table: str) -> None:
        """Waits until no other transaction has the whole table to itself, and keeps any from it."""
        while transaction not in self._sharing[table]:
            holder = self._locks.get((table, ()), transaction)
            if holder is transaction:
                self._sharing[table][transaction] = None
            else:
                await self._wait(transaction, holder)

    async def lock_table(self, transaction: Transaction, table: str) -> None:
        """Waits until the whole table is the transaction's alone; those that come later wait behind it.

        Raises:
            LockNotAvailableError: that took too long.
        """
        await self.lock(transaction, table, ())
        while others := [each for each in self._sharing[table] if each is not transaction]:
            if self.chance.once_in(3):
                raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
            await self._wait(transaction, others[0])

    def is_free(self, transaction: Transaction, table: str, key: tuple[Any, ...]) -> bool:
        """Whether the row could be locked without waiting."""
        return self._locks.get((table, key), transaction) is transaction

    async def insert_unless_there(self, transaction: Transaction, table: str, row: Row) -> bool:
        """Inserts a row; where another transaction is writing one of that key, waits to see what comes of it."""
        key = tuple(row[name] for name in KEYS[table])
        place = (table, key)
        while place in (holder := self._locks.get(place, transaction)).writes and holder is not transaction:
            await self._wait(transaction, holder)
        if self.see(transaction, table, key) is not None:
            return False
        if await self.lock(transaction, table, key) is not None:  # whoever held the place has filled it
            return False
        self.write(transaction, table, key, {**DEFAULTS.get(table, {}), **row})
        return True

    def insert(self, transaction: Transaction, table: str, row: Row) -> None:
        """Inserts a row of a table that numbers its rows."""
        numbered = {**DEFAULTS.get(table, {}), **row, IDENTITIES[table]: next(self._identities[table])}
        self.write(transaction, table, tuple(numbered[name] for name in KEYS[table]), numbered)

    def write(self, transaction: Transaction, table: str, key: tuple[Any, ...], row: Row | None) -> None:
        """Writes, or deletes, a row that is the transaction's alone."""
        transaction.writes[table, key] = None if row is None else {name: _in_utc(value) for name, value in row.items()}

    def commit(self, transaction: Transaction) -> None:
        """Makes it all seen at once."""
        self.changes += bool(transaction.writes)
        for (table, key), row in transaction.writes.items():
            if row is None:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = row
                if table == "outbox":
                    self.appended.append(row)
        self.end(transaction)

    def end(self, transaction: Transaction) -> None:
        """Lets go of what it holds; what has not been committed has never been."""
        for place in transaction.held:
            del self._locks[place]
        transaction.held, transaction.ended, transaction.writes = [], True, {}
        for sharing in self._sharing.values():
            sharing.pop(transaction, None)

    def connect(self, client: Client) -> Connection:
        """A connection of its own."""
        return Connection(self, client)

    def forget(self, client: Client) -> None:
        """Notices that a process is gone."""
        for connection in [each for each in self.connections if each.client is client]:
            connection.sever()

    async def _wait(self, transaction: Transaction, holder: Transaction) -> None:
        self.waits += 1
        ahead: Transaction | None = holder
        while ahead is not None:
            if ahead is transaction:
                self.deadlocks += 1
                raise DeadlockError("two transactions wait for each other")
            ahead = ahead.waits_for
        transaction.waits_for = holder
        try:
            await Moment(lambda: holder.ended or transaction.ended)
        finally:
            transaction.waits_for = None
        if transaction.ended:
            raise ConnectionLostError("the connection was lost while it waited")


class Connection:
    """One session, as the service sees it."""

    def __init__(self, database: Database, client: Client) -> None:
        self.database, self.client = database, client
        self.is_open = True
        self.under_way: Transaction | None = None
        self._statement: Transaction | None = None
        database.connections.append(self)

    async def fetch(self, sql: str, *arguments: object) -> list[Row]:
        """Rows."""
        statement = STATEMENTS.get(sql)
        if statement is None:
            raise UnknownStatementError(sql)
        return await self._run(lambda transaction: statement(self, transaction, *arguments))

    async def fetchrow(self, sql: str, *arguments: object) -> Row | None:
        """The first row."""
        rows = await self.fetch(sql, *arguments)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *arguments: object) -> Any:  # noqa: ANN401  whatever the column holds
        """The first value of the first row."""
        rows = await self.fetch(sql, *arguments)
        return next(iter(rows[0].values())) if rows else None

    async def execute(self, sql: str, *arguments: object) -> str:
        """Nothing of interest."""
        await self.fetch(sql, *arguments)
        return ""

    async def cursor(self, sql: str, *arguments: object, prefetch: int = 0) -> AsyncIterator[Row]:
        """Rows, one by one."""
        assert prefetch, "the default of the real one is small"
        for row in await self.fetch(sql, *arguments):
            yield row

    async def copy_records_to_table(
        self, table: str, *, records: Sequence[Sequence[object]], columns: Sequence[str]
    ) -> str:
        """Inserts rows."""

        async def copy(transaction: Transaction) -> list[Row]:
            for record in records:
                self.database.insert(transaction, table, dict(zip(columns, record, strict=True)))
            return []

        await self._run(copy)
        return ""

    def transaction(self, **_: object) -> _Block:
        """All of what follows, or nothing."""
        return _Block(self)

    def sever(self) -> None:
        """The server has lost this session: what was under way is undone, and what it held is free."""
        if not self.is_open:
            return
        self.is_open = False
        self.database.connections.remove(self)
        for transaction in (self.under_way, self._statement):
            if transaction is not None:
                self.database.end(transaction)
        self.under_way = self._statement = None
        for name in [name for name, holder in self.database.advisory.items() if holder is self]:
            del self.database.advisory[name]
            self.database.changes += 1

    async def travel(self) -> None:
        """The way there or back, on which a connection may be lost."""
        await TURN
        if self.is_open and self.database.chance.once_in(400):
            self.sever()
        if not self.is_open:
            raise ConnectionLostError("the connection is closed")

    async def _run(self, statement: Callable[[Transaction], Awaitable[list[Row]]]) -> list[Row]:
        await self.travel()
        transaction = self._statement = self.under_way or Transaction()
        try:
            rows = await statement(transaction)
        except (DeadlockError, asyncpg.LockNotAvailableError):
            self.database.end(transaction)
            raise
        self._statement = None
        if self.under_way is None:
            self.database.commit(transaction)
        if self.database.chance.once_in(400):
            self.sever()
            raise ConnectionLostError("the connection was lost before the answer came")
        return rows


class _Block:
    """One transaction as a context."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        await self._connection.travel()
        assert self._connection.under_way is None, "the service nests no transactions"
        self._connection.under_way = Transaction()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = self._connection
        if kind is not None and not connection.client.alive:
            return
        try:
            await connection.travel()
        except ConnectionLostError:
            if kind is None:
                raise
            return
        transaction, connection.under_way = connection.under_way, None
        assert transaction is not None, "an open connection keeps its transaction"
        assert kind is not None or not transaction.ended, "a transaction that failed is not committed"
        if kind is not None:
            connection.database.end(transaction)
            return
        connection.database.commit(transaction)
        if connection.database.chance.once_in(100):
            connection.sever()
            raise ConnectionLostError("the connection was lost before the commit was answered")


class Pool:
    """Connections for the asking."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database, self._client = database, client

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """A connection until the context ends."""
        connection = self._database.connect(self._client)
        try:
            yield connection
        finally:
            connection.sever()


def knows(sql: str) -> Callable[[Statement], Statement]:
    """Teaches the database a statement."""

    def teach(statement: Statement) -> Statement:
        assert sql not in STATEMENTS, f"taught twice: {sql}"
        STATEMENTS[sql] = statement
        return statement

    return teach


def columns(*lists: Iterable[object]) -> list[tuple[Any, ...]]:
    """`unnest` of several arrays."""
    return list(zip(*lists, strict=True))


def _in_utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
