"""One run: workers, events and a fault together, then quiet, then the check."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from service import topics as topic_creation
from service.settings import Settings, Topics
from tests.chaos.checker import OUTCOMES, Findings, examine
from tests.chaos.proxies import Proxy
from tests.chaos.sender import Sender
from tests.chaos.servers import Cluster, Server, new_database, now
from tests.chaos.workers import CHECKOUT, Slot, kept

_PARTITIONS = 4
_QUIET = 300  # seconds in which nothing at all happens, after which a run is given up
_A_LONG_TIME = 90 * 24 * 3600.0  # no end is sealed while events are told: they are told too fast for that
FUTURE = 3 * 365 * 24 * 3600.0  # when every end has been reached
_INPUTS = ("subscription-lifecycle", "cancellation-requested", "cancellation-policy")

Fault = Callable[["Run"], Coroutine[Any, Any, None]]


@dataclass
class Row:
    """What is shown of a fault."""

    fault: str
    what: str
    seed: int
    times: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    seconds: float = 0
    events: int = 0
    resent: int = 0
    stall_s: float = 0
    resumed_s: float = 0
    largest_mb: int = 0
    crashes: int = 0
    notes: list[str] = field(default_factory=list)
    found: Findings = field(default_factory=Findings)
    as_undisturbed: bool | None = None
    skipped: str = ""

    @property
    def good(self) -> bool:
        """Whether the promises held."""
        return bool(self.skipped) or (self.found.good and not self.crashes and self.as_undisturbed is not False)

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {**asdict(self), "good": self.good}


@dataclass(frozen=True)
class Plan:
    """How much of what."""

    events: int
    rate: float
    seed: int
    workers: int = 2
    static: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    seals: bool = True
    migrated: bool = True
    points: tuple[str, ...] = ()
    releases: tuple[Path, ...] = ()


@dataclass
class Place:
    """Where a run takes place."""

    brokers: Cluster
    database: Server
    folder: Path
    proxies: Mapping[str, Proxy] = field(default_factory=dict)
    small: Path = Path()


class Run:
    """What a fault can get at."""

    def __init__(self, plan: Plan, row: Row, place: Place, logs: Path) -> None:
        self.plan, self.row, self.logs = plan, row, logs
        self.brokers, self.database, self.proxies, self.small = (
            place.brokers,
            place.database,
            place.proxies,
            place.small,
        )
        self.chance = random.Random(f"{plan.seed}-{row.fault}")  # noqa: S311  a run is to be repeated
        self.sender = Sender(plan.seed, plan.events, plan.rate)
        self.name = f"c{secrets.token_hex(4)}"
        self.topics = {
            name.replace("_", "-"): f"{self.name}-{default}" for name, default in Topics().model_dump().items()
        }
        self.clock = place.folder / f"{self.name}.clock"
        self.slots: list[Slot] = []
        self.url = ""
        self.progress: tuple[float, int, int] = (0, 0, 0)  # when, decided, waiting in the outbox
        self.arrivals = 0
        self.heard = 0.0
        self.stalls: list[float] = []
        self.memory: list[tuple[float, int]] = []

    @property
    def flowing(self) -> bool:
        """Whether events are still being sent."""
        return self.sender.sent < self.sender.total

    def did(self, what: str, times: int = 1) -> None:
        """Counts what was done to whom."""
        self.row.kills[what] = self.row.kills.get(what, 0) + times
        self.row.times += times

    async def pause(self, low: float, high: float | None = None) -> None:
        """Waits, by the dice."""
        await asyncio.sleep(self.chance.uniform(low, low if high is None else high))

    def slot(self, number: int) -> Slot:
        """A place for a worker of this run."""
        environment = {
            **{f"TOPIC_{name.replace('-', '_').upper()}": actual for name, actual in self.topics.items()},
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.proxies['broker'].port}"
            if self.proxies
            else self.brokers.direct,
            "DATABASE_URL": self._through(self.url),
            "HTTP_BIND": "127.0.0.1:0",
            "CONSUMER_GROUP": self.name,
            "SEAL_GRACE": str(_A_LONG_TIME),
            "AWAIT_SUBSCRIPTION": str(_A_LONG_TIME),
            "CLOCK_INTERVAL": "1",
            "CHAOS_CLOCK": str(self.clock),
            **({"INSTANCE_ID": f"worker-{number}"} if self.plan.static else {}),
            **self.plan.environment,
        }
        log = self.logs / f"{self.row.fault}-{number}.log"
        log.write_bytes(b"")
        releases = self.plan.releases or (CHECKOUT,)
        points = self.plan.points[number:] + self.plan.points[:number]
        return Slot(number, environment, log, releases[number % len(releases)], points, f"{self.plan.seed}")

    def _through(self, url: str) -> str:
        if not self.proxies:
            return url
        head, _, name = url.rpartition("/")
        return f"{head.rpartition(':')[0]}:{self.proxies['database'].port}/{name}"


async def play(run: Run, fault: Fault) -> Row:
    """Plays one fault from the first event to the verdict."""
    row, plan = run.row, run.plan
    began = now()
    await made_ready(run)
    run.slots = [run.slot(number) for number in range(plan.workers)]
    async with kept(run.slots) as slots, _watched(run):
        if plan.migrated:
            await _until(run, lambda: all(slot.ready() for slot in slots), "workers ready")
        sending = asyncio.create_task(run.sender.run(run.brokers.direct, run.topics))
        run.heard = now()
        disturbing = asyncio.create_task(fault(run))
        try:
            await asyncio.wait({sending, disturbing}, return_when=asyncio.FIRST_EXCEPTION)
            await asyncio.gather(sending, disturbing)
        finally:
            sending.cancel()
            disturbing.cancel()
            await asyncio.gather(sending, disturbing, return_exceptions=True)
        quiet = now()
        for slot in slots:
            slot.points = ()
        await settled(run, "events", 0)
        row.resumed_s = round(now() - quiet, 1)
        if plan.seals:
            run.clock.write_text(str(FUTURE))
            await settled(run, "ends", FUTURE)
        row.stall_s = round(max(run.stalls, default=0), 1)
    row.found = await examine(run.brokers.direct, run.topics, run.sender.lives, sealed=plan.seals)
    row.events, row.resent = run.sender.sent, run.sender.again
    row.largest_mb = round(max(slot.largest for slot in run.slots) / 1e6)
    ended = [code for slot in run.slots for code, times in slot.ended.items() for _ in range(times)]
    row.crashes = sum(code not in {0, -9} for code in ended)
    if plan.points:
        run.did("dead at the point", sum(code == -9 for code in ended))
    row.seconds = round(now() - began, 1)
    return row


async def made_ready(run: Run) -> None:
    """Makes what a run needs besides its servers: topics, an empty database, a clock that is right."""
    run.clock.write_text("0")
    settings = Settings(
        kafka_bootstrap_servers=run.brokers.direct,
        topic_partitions=_PARTITIONS,
        topic_replication_factor=min(len(run.brokers.brokers), 3),
    )
    named = Topics.model_validate({name.replace("-", "_"): actual for name, actual in run.topics.items()})
    await topic_creation.create(settings, named)
    run.url = await new_database(run.database, run.name)


def tell(text: str) -> None:
    """Says how far it is."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@asynccontextmanager
async def _watched(run: Run) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_observe(run)), asyncio.create_task(_poll(run))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _observe(run: Run) -> None:
    """Hears outcomes as they come, for the longest silence while there was something to tell."""
    partitions = [TopicPartition(run.topics[name], number) for name in OUTCOMES for number in range(_PARTITIONS)]
    while True:
        consumer = AIOKafkaConsumer(bootstrap_servers=run.brokers.direct, auto_offset_reset="latest")
        with suppress(Exception):
            try:
                await consumer.start()
                consumer.assign(partitions)
                while True:
                    batches = await consumer.getmany(timeout_ms=200, max_records=5000)
                    count = sum(map(len, batches.values()))
                    run.arrivals += count
                    if count:
                        run.stalls.append(now() - run.heard)
                        run.heard = now()
            finally:
                with suppress(Exception):
                    await consumer.stop()
        await asyncio.sleep(0.2)


async def _poll(run: Run) -> None:
    """Measures once a second, and says every ten how far it is."""
    began = last = now()
    connection: asyncpg.Connection | None = None
    while True:
        await asyncio.sleep(1)
        run.memory.append((now() - began, max((slot.measure() for slot in run.slots), default=0)))
        try:
            async with asyncio.timeout(3):
                if connection is None or connection.is_closed():
                    connection = await asyncpg.connect(run.url)
                row = await connection.fetchrow(
                    "select (select coalesce(sum(next_offset), 0) from consumer_offset), (select count(*) from outbox)"
                )
                run.progress = (now(), int(row[0]), int(row[1]))
        except Exception:  # noqa: BLE001  the database is away, as it should be now and then
            if connection is not None:
                connection.terminate()
            connection = None
        if now() - last > 10:
            last = now()
            done = " ".join(f"{name} {times}" for name, times in sorted(run.row.kills.items()))
            tell(
                f"  {run.row.fault} {now() - began:.0f} s: sent {run.sender.sent}/{run.sender.total}, decided"
                f" {run.progress[1]}, outbox {run.progress[2]}, heard {run.arrivals}; {done}"
            )


async def _until(run: Run, reached: Callable[[], bool], what: str) -> None:
    limit = now() + 120
    while not reached():
        if now() > limit:
            tails = "\n".join(line for slot in run.slots for line in slot.log.read_text().splitlines()[-8:])
            raise RuntimeError(f"{run.row.fault}: no {what} within two minutes:\n{tails}")
        await asyncio.sleep(0.1)


async def settled(run: Run, what: str, ahead: float) -> None:
    """Waits until all that was sent is decided, all that is due by then is done, and the outbox is empty."""
    inputs = await _sent(run)
    limit, before = now() + _QUIET, (0, 0, 0)
    while True:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            state = await _state(run, ahead)
            if state == (inputs, 0, 0):
                return
            if state != before:
                limit, before = now() + _QUIET, state
        if now() > limit:
            raise RuntimeError(
                f"{run.row.fault}: stands still with {what}: {before} of {inputs} (decided, outbox, due)"
            )
        await asyncio.sleep(0.3)


async def _state(run: Run, ahead: float) -> tuple[int, int, int]:
    async with asyncio.timeout(10):
        connection = await asyncpg.connect(run.url)
        try:
            row = await connection.fetchrow(
                """
                select
                    (select coalesce(sum(next_offset), 0) from consumer_offset),
                    (select count(*) from outbox),
                    (select count(*) from subscription where due_at <= now() + $1 * interval '1 second')
                """,
                ahead,
            )
        finally:
            await connection.close()
    return int(row[0]), int(row[1]), int(row[2])


async def _sent(run: Run) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=run.brokers.direct)
    await consumer.start()
    try:
        partitions = [TopicPartition(run.topics[name], n) for name in _INPUTS for n in range(_PARTITIONS)]
        return sum((await consumer.end_offsets(partitions)).values())
    finally:
        await consumer.stop()


def keep(rows: list[Row], place: Path, seed: int) -> None:
    """Keeps the figures as JSON."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"seed": seed, "rows": [row.document() for row in rows]}, indent=1))


CACHE = CHECKOUT / ".cache"
