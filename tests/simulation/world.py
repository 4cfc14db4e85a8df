"""A world of workers around one log and one database, in which all that can go wrong does, and which then calms down.

The storm: lives are told while workers crash, hang, lose connections, lose partitions without noticing,
and read again what they have read. The dusk: the clock runs, ends are sealed and waits run out, under
the same faults. The calm: nothing goes wrong any more, and all that is left is done.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from service.consumer import in_order
from service.flow import Flow, Relay
from service.settings import Settings, Topics
from service.store import inbox
from service.store.records import Incoming
from tests.simulation import statements
from tests.simulation.inputs import LARGEST, Sent, policy, records, scrap, small_life, stranger
from tests.simulation.kafka import PARTITIONS, Log, Producer, SendingFailedError
from tests.simulation.postgres import Client, ConnectionLostError, Database, DeadlockError, Pool
from tests.simulation.schedule import TURN, Chance, Moment, Schedule

__all__ = ["Scenario", "World", "WorldError", "statements"]

Result = TypeVar("Result")
Partition = inbox.Partition

TOPICS = Topics()
DAWN = datetime(2026, 11, 23, 9, tzinfo=UTC)
GRACE, WAIT, REMEMBERED = timedelta(minutes=10), timedelta(minutes=30), timedelta(minutes=12)
FAULTY, STORM, CALM = 4_000, 30_000, 60_000
"""Steps after which a storm has no more faults, by which it must be over, and by which the calm must."""

_EXPECTED = (ConnectionLostError, DeadlockError, SendingFailedError)


class WorldError(AssertionError):
    """What must never be the case is the case."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a run is about; all else is chance."""

    seed: int
    lives: tuple[int, ...]
    workers: int = 2
    shards: int = 2
    strangers: int = 2
    policies: int = 2
    scraps: int = 2
    faults: int = 60

    @classmethod
    def drawn(cls, seed: int) -> Scenario:
        """The scenario of a seed."""
        chance = random.Random(seed)  # noqa: S311  to be repeated, not to be secret
        lives: list[int] = []
        for _ in range(chance.randint(1, 4)):
            number = chance.randrange(20_000)
            while small_life(number) is None:
                number += 1
            lives.append(number)
        return cls(
            seed=seed,
            lives=tuple(dict.fromkeys(lives)),
            workers=chance.choice((1, 2, 2, 3, 3, 4)),
            shards=chance.choice((1, 1, 2, 3)),
            strangers=chance.randint(0, 3),
            policies=chance.randint(0, 3),
            scraps=chance.randint(0, 4),
            faults=chance.choice((15, 40, 40, 150)),
        )


class Worker:
    """One process: it consumes, watches the clock and relays, each in a loop of its own."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.alive = True
        self.asleep_until = 0
        self.skew = timedelta(seconds=world.chance.below(3) * 20)
        self.positions: dict[Partition, int] = {}
        self.assigned: set[Partition] = set()
        self.producers: list[Producer] = []
        self.pool = Pool(world.database, self)
        self.flow = world.make_flow(self.pool, world.settings, TOPICS, lambda: world.now + self.skew)
        for what, loop in (("listen", self._listen()), ("consume", self._consume())):
            world.schedule.start(f"{name} {what}", self, loop)
        for what, loop in (("clock", self._tick()), ("relay", self._relay())):
            world.schedule.start(f"{name} {what}", self, loop)

    def crash(self) -> None:
        """Gone, in the middle of everything."""
        self.alive = False
        self.world.schedule.end(self)
        self.world.database.forget(self)
        for producer in self.producers:
            producer.die()

    @property
    def behind(self) -> list[Partition]:
        """The partitions it may read on."""
        return [p for p, position in self.positions.items() if position < len(self.world.log.read[p])]

    async def _listen(self) -> None:
        """On assignment, on it goes where the database says."""
        while True:
            await Moment(lambda: bool(self.assigned))
            assigned = sorted(self.assigned)
            offsets = await self._patiently(lambda assigned=assigned: self._offsets(assigned))  # type: ignore[misc]
            self.positions |= {partition: offsets.get(partition, 0) for partition in assigned}
            self.assigned -= set(assigned)

    async def _offsets(self, partitions: list[Partition]) -> dict[Partition, int]:
        async with self.pool.acquire() as connection:
            return await inbox.read_offsets(connection, self.world.settings.consumer_group, partitions)

    async def _consume(self) -> None:
        while True:
            await Moment(lambda: bool(self.behind))
            await self._decide(in_order(self._fetched(), TOPICS.before_commands))

    async def _decide(self, batch: list[Incoming]) -> None:
        await self._patiently(lambda: self.flow.process(batch))
        self.world.counted["batches"] += 1

    def _fetched(self) -> list[Incoming]:
        """A batch of any size, of any of its partitions."""
        fetched: list[Incoming] = []
        for partition in self.behind:
            at = self.positions[partition]
            size = 1 + self.world.chance.below(6)
            more = self.world.log.read[partition][at : at + size]
            self.positions[partition] = at + len(more)
            fetched += more
            if self.world.chance.below(3) == 1:
                break
        return fetched

    async def _tick(self) -> None:
        while True:
            await self._later_than(self.world.now)
            while await self._patiently(self.flow.end_due):
                pass
            await self._patiently(self.flow.housekeep)

    async def _later_than(self, instant: datetime) -> None:
        await Moment(lambda: self.world.now > instant)

    async def _changed_since(self, changes: int) -> None:
        await Moment(lambda: self.world.database.changes != changes)

    async def _relay(self) -> None:
        while True:
            await TURN
            connection, producer = self.world.database.connect(self), Producer(self.world, self)
            self.producers.append(producer)
            relay = self.world.make_relay(connection, producer, self.world.settings)
            try:
                while True:
                    seen = self.world.database.changes
                    if not await relay.once():
                        await self._changed_since(seen)
            except Exception as error:  # noqa: BLE001  as the service does
                self._note(error)
            await producer.stop()
            self.producers.remove(producer)
            connection.sever()

    async def _patiently(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await attempt()
            except Exception as error:  # noqa: BLE001  as the service does
                self._note(error)
            await TURN

    def _note(self, error: Exception) -> None:
        self.world.counted[f"retried after {type(error).__name__}"] += 1
        if not isinstance(error, _EXPECTED):
            raise WorldError(f"{self.name} failed: {type(error).__name__}: {error}") from error


class World:
    """One run of a scenario."""

    def __init__(
        self,
        scenario: Scenario,
        told: list[int] | None = None,
        *,
        make_flow: Callable[..., Flow] = Flow,
        make_relay: Callable[..., Relay] = Relay,
    ) -> None:
        self.scenario = scenario
        self.make_flow, self.make_relay = make_flow, make_relay
        self.chance = Chance(scenario.seed, told)
        self.schedule = Schedule(self.chance)
        self.database = Database(self.chance)
        for task in ("inbox", "fates"):
            self.database.tables["housekeeping"][task,] = {"task": task, "done_at": DAWN}
        self.log = Log()
        self.now = DAWN
        self.counted: Counter[str] = Counter()
        self.told: list[str] = []
        self.settings = Settings(
            seal_grace=GRACE,
            await_subscription=WAIT,
            inbox_retention=REMEMBERED,
            topic_retention=REMEMBERED,
            relay_shards=scenario.shards,
            relay_max_records=(1, 3, 10, 100)[scenario.seed % 4],
        )
        self.log.read = {(topic, number): [] for topic in TOPICS.inputs for number in range(PARTITIONS)}
        self.workers = [Worker(self, f"w{n}") for n in range(scenario.workers)]
        for partition in self.log.read:
            for _ in range(1 + self.chance.below(2)):  # more than one may believe that it is theirs
                self.workers[self.chance.below(scenario.workers)].assigned.add(partition)
        self.is_storm = True
        self._is_told = False
        self._elapsed = 0.0

    def run(self) -> None:
        """Storm, dusk and calm.

        Raises:
            WorldError: it does not come to rest.
        """
        try:
            self._storm()
            self._dusk()
            self._calm_down()
        finally:
            self.chance.calm = True
            for worker in self.workers:
                worker.alive = False
            self.schedule.end()
            self.counted["steps"] += self.schedule.steps
            self.counted["deadlocks"] += self.database.deadlocks
            self.counted["waits for a lock"] += self.database.waits

    def monotonic(self) -> float:
        """Seconds that pass while a worker decides: none, or now and then too many for one transaction."""
        self._elapsed += 3600.0 * self.chance.once_in(20)
        return self._elapsed

    # The three times of the day.

    def _storm(self) -> None:
        streams = [stream for number in self.scenario.lives for stream in map(self._with_repeats, records(number))]
        tenants = ("default", "acme", "nordlys")
        streams.append([policy(tenants[n % 3], n) for n in range(self.scenario.policies)])
        streams.append([scrap(n) for n in range(self.scenario.scraps)])
        self.schedule.start("others", None, self._tell([iter(stream) for stream in streams]))
        while not (self._is_told and self._is_read()):
            if self.schedule.steps > STORM:
                raise WorldError("the storm does not end: what was sent is not read")
            self._step()

    def _dusk(self) -> None:
        self.is_storm = False
        strangers = [stranger(n) for n in range(self.scenario.strangers)]
        self.schedule.start("others", None, self._tell([iter(s.early) for s in strangers]))
        for part in range(12):
            if part == 5:
                self.schedule.start("others", None, self._tell([iter(s.late) for s in strangers]))
            self.now += timedelta(minutes=5)
            for _ in range(20 + self.chance.below(60)):
                self._step()

    def _calm_down(self) -> None:
        self.chance.calm = True
        for worker in self.workers:
            worker.asleep_until = 0
        for number, partition in enumerate(self.log.read):
            self.workers[number % len(self.workers)].assigned.add(partition)
        for ahead in (timedelta(), GRACE, timedelta(days=2)):
            self.now += ahead
            until = self.schedule.steps + CALM
            while self.schedule.step() is not None:
                if self.schedule.steps > until:
                    raise WorldError("the calm does not end: there is always something to do")

    # What goes on and what goes wrong.

    def _step(self) -> None:
        if self.chance.once_in(self.scenario.faults) and not (self.is_storm and self.schedule.steps > FAULTY):
            self._go_wrong()
        if self.schedule.step() is None:
            self.now += timedelta(seconds=1)
            self.schedule.steps += 1

    def _go_wrong(self) -> None:
        faults = (self._hang, self._crash, self._sever, self._move, self._forget, self._rewind, self._hurry)
        fault = faults[self.chance.below(len(faults))]
        fault(self.workers[self.chance.below(len(self.workers))])

    def _note(self, what: str, worker: Worker, more: object = "") -> None:
        self.counted[what] += 1
        self.told.append(f"{self.schedule.steps:6} {what} {worker.name} {more}")

    def _hang(self, worker: Worker) -> None:
        worker.asleep_until = self.schedule.steps + 10 * (1 + self.chance.below(20))
        self._note("hangs", worker, f"until {worker.asleep_until}")

    def _crash(self, worker: Worker) -> None:
        self._note("crashes", worker)
        worker.crash()
        place = self.workers.index(worker)
        self.workers[place] = Worker(self, worker.name)
        self.workers[place].assigned = {*worker.positions, *worker.assigned}

    def _sever(self, worker: Worker) -> None:
        """The server ends a session; the process finds out when it next asks for something."""
        connections = [each for each in self.database.connections if each.client is worker]
        if connections:
            connections[self.chance.below(len(connections))].sever()
            self._note("connections lost", worker)

    def _move(self, worker: Worker) -> None:
        """A partition is given to a worker; whoever had it before does not hear of it yet."""
        partition = list(self.log.read)[self.chance.below(len(self.log.read))]
        worker.assigned.add(partition)
        self._note("partitions moved", worker, partition)

    def _forget(self, worker: Worker) -> None:
        """A worker hears that partitions are no longer its own, where they are another's."""
        others = {p for each in self.workers if each is not worker for p in (*each.positions, *each.assigned)}
        for partition in [p for p in worker.positions if p in others]:
            del worker.positions[partition]
        self._note("partitions let go", worker)

    def _rewind(self, worker: Worker) -> None:
        for partition in worker.positions:
            worker.positions[partition] = self.chance.below(worker.positions[partition] + 1)
        self._note("rewinds", worker)

    def _hurry(self, worker: Worker) -> None:
        self.now += timedelta(milliseconds=100)
        worker.skew = timedelta(seconds=20 * self.chance.below(4) - 30)
        self._note("clocks set", worker, worker.skew)

    # What others send.

    async def _tell(self, streams: list[Iterator[Sent]]) -> None:
        self._is_told = False
        while streams:
            stream = streams[self.chance.below(len(streams))]
            sent = next(stream, None)
            if sent is None:
                streams.remove(stream)
                continue
            self.log.tell(sent.topic, sent.key, sent.value, sent.headers, sent.timestamp)
            self.counted["records sent"] += 1
            await TURN
        self._is_told = True

    def _with_repeats(self, stream: tuple[Sent, ...]) -> list[Sent]:
        told = list(stream)
        for sent in stream:
            if self.chance.once_in(10):
                first = told.index(sent) + 1
                told.insert(first + self.chance.below(len(told) - first + 1), sent)
                self.counted["repeats sent"] += 1
        return told

    def _is_read(self) -> bool:
        offsets = self.database.tables["consumer_offset"]
        group = self.settings.consumer_group
        return all(
            offsets.get((group, *p), {"next_offset": 0})["next_offset"] >= len(told)
            for p, told in self.log.read.items()
        )


assert LARGEST * 8 < STORM, "a storm is long enough for four lives"
_: type[Client] = Worker
