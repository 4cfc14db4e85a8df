"""The faults. Each plays while events flow, and leaves everything whole when it ends."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from tests.chaos.run import Fault, Run
from tests.chaos.servers import now
from tests.chaos.workers import Slot

_BEYOND_THE_SESSION = 12.0  # the session is 8 s
_AT_START = 0.7
_PATIENCE = 6
_NEVER = 300
_WARM = 15  # seconds in which a worker has become as large as it is without an outage


async def nothing(run: Run) -> None:
    """Nothing; what all else is compared with."""
    _ = run


async def kills(run: Run, *, workers: float = 1.6, broker: float = 14, database: float = 8) -> None:
    """SIGKILL of workers, broker and database at random instants; each is started again at once."""
    async with asyncio.TaskGroup() as group:
        group.create_task(kill_workers(run, workers))
        group.create_task(kill_brokers(run, broker))
        group.create_task(kill_database(run, database))


async def kill_workers(run: Run, every: float = 1.6) -> None:
    """SIGKILL of a worker, whatever it is doing, its start included; a machine that is slow to start them is let."""
    while run.flowing:
        decided, since = run.progress[1], now()
        await run.pause(every * 0.4, every * 1.6)
        while run.progress[1] == decided and now() - since < _PATIENCE * every:
            await asyncio.sleep(0.1)
        if run.chance.choice(run.slots).signal(signal.SIGKILL):
            run.did("worker")


async def kill_brokers(run: Run, every: float = 16) -> None:
    """SIGKILL of a broker."""
    while run.flowing:
        await run.pause(every * 0.4, every * 1.6)
        await run.chance.choice(run.brokers.brokers).kill_for(run.chance.choice((0, 0, 1)))
        run.did("broker")


async def kill_database(run: Run, every: float = 14) -> None:
    """SIGKILL of the database's main process; what it has forked dies with it."""
    while run.flowing:
        await run.pause(every * 0.4, every * 1.6)
        await run.database.kill_for(run.chance.choice((0, 0, 1)))
        run.did("database")


async def kill_brokers_often(run: Run) -> None:
    """SIGKILL of the broker, as soon as it has worked for a few seconds."""
    await kill_brokers(run, 5)


async def kill_database_often(run: Run) -> None:
    """SIGKILL of the database, as soon as it has worked for a few seconds."""
    await kill_database(run, 3)


async def zombie(run: Run) -> None:
    """A worker is stopped beyond its session, loses its partitions to others, and goes on."""
    while run.flowing:
        await run.pause(1, 4)
        slot = run.chance.choice(run.slots)
        if slot.signal(signal.SIGSTOP):
            try:
                await asyncio.sleep(_BEYOND_THE_SESSION)
            finally:
                slot.signal(signal.SIGCONT)
            run.did("stopped and continued")


async def rebalances(run: Run) -> None:
    """A member that does nothing joins the group, and leaves it, every second."""
    while run.flowing:
        member = AIOKafkaConsumer(
            *(run.topics[name] for name in ("subscription-lifecycle", "cancellation-requested", "cancellation-policy")),
            bootstrap_servers=run.brokers.direct,
            group_id=run.name,
            enable_auto_commit=False,
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=6_000,
            heartbeat_interval_ms=300,
        )
        began = now()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await member.start()
        await asyncio.sleep(max(0.0, 0.5 - (now() - began)))
        await member.stop()
        run.did("join and leave")
        await asyncio.sleep(0.5)


async def clock(run: Run) -> None:
    """The workers' clock is set back and forth by up to two weeks."""
    try:
        while run.flowing:
            day = 24 * 3600
            run.clock.write_text(str(run.chance.choice((-14 * day, -day, -3600, -30, 30, 3600, day, 14 * day))))
            run.did("step")
            await run.pause(0.3, 1.5)
    finally:
        run.clock.write_text("0")


async def rolling_restart(run: Run) -> None:
    """SIGTERM to one worker after the other, each when the one before is back."""
    while run.flowing:
        for slot in run.slots:
            before = slot.ready()
            slot.signal(signal.SIGTERM)
            run.did("restart")
            while slot.ready() == before and run.flowing:
                await asyncio.sleep(0.2)
            await run.pause(0.5, 2)


async def leaders(run: Run) -> None:
    """SIGKILL of one broker of three after the other; the next when all are back and in step."""
    while run.flowing:
        await run.pause(2, 5)
        await run.chance.choice(run.brokers.brokers).kill_for(2)
        run.did("leader")


async def at_start_up(run: Run) -> None:
    """SIGKILL of workers within two seconds of their start, most of the time, else soon after."""
    async with asyncio.TaskGroup() as group:
        for slot in run.slots:
            group.create_task(_never_up_for_long(run, slot))


async def _never_up_for_long(run: Run, slot: Slot) -> None:
    known = slot.starts
    while run.flowing:
        early = run.chance.random() < _AT_START
        await run.pause(0, 2) if early else await run.pause(4, 6)
        if slot.signal(signal.SIGKILL):
            run.did("worker at its start" if early else "worker")
        while slot.starts == known:
            await asyncio.sleep(0.02)
        known = slot.starts


def outage(what: str, seconds: float) -> Fault:
    """A server is killed, stays away for so long, and is started again."""

    async def fault(run: Run) -> None:
        await run.pause(10)
        began = now()
        server = run.database if what == "database" else run.brokers.brokers[0]
        await server.kill_for(seconds)
        run.did(f"{what} away")
        back, before = now(), run.arrivals
        while run.arrivals == before and now() - back < _NEVER:
            await asyncio.sleep(0.05)
        run.row.notes.append(f"away {back - began:.0f} s; first outcome {now() - back:.1f} s after it was back")
        sizes = [size / 1e6 for at, size in run.memory if at > _WARM and size]
        run.row.notes.append(f"a worker's memory {min(sizes):.0f} to {max(sizes):.0f} MB")

    return fault


def toxic(way: str, kind: str) -> Fault:
    """One poison on one way, again and again."""
    poisons: dict[str, tuple[str, dict[str, int], tuple[str, ...], tuple[float, float]]] = {
        "latency": ("latency", {"latency": 700, "jitter": 500}, ("downstream",), (4, 8)),
        "slow": ("bandwidth", {"rate": 30}, ("upstream", "downstream"), (4, 8)),
        "reset": ("reset_peer", {"timeout": 50}, ("upstream",), (0.5, 2)),
        "half-open": ("timeout", {"timeout": 0}, ("downstream",), (10, 20)),
        "black-hole": ("timeout", {"timeout": 0}, ("upstream", "downstream"), (10, 20)),
    }

    async def fault(run: Run) -> None:
        proxy = run.proxies[way]
        try:
            while run.flowing:
                await run.pause(1, 4)
                if kind == "down":
                    await proxy.down(down=True)
                    await run.pause(1, 6)
                    await proxy.down(down=False)
                else:
                    name, attributes, streams, spell = poisons[kind]
                    await proxy.add(name, attributes, *streams)
                    await run.pause(*spell)
                    await proxy.heal()
                run.did(kind)
        finally:
            await proxy.heal()

    return fault


def disk_full(what: str) -> Fault:
    """The file system of a server has no byte left for a while; a server that gave up is started again."""

    async def fault(run: Run) -> None:
        server, folder = (run.database, run.small) if what == "database" else (run.brokers.brokers[0], run.small)
        filler = folder / "filler"
        while run.flowing:
            await run.pause(3, 6)
            try:
                await asyncio.to_thread(_fill, filler)
                await run.pause(6, 12)
            finally:
                filler.unlink(missing_ok=True)
            run.did("disk full")
            await asyncio.sleep(1)
            if server.ended:
                run.did("server gave up and was started again")
                run.row.times -= 1
                await server.start()

    return fault


def _fill(filler: Path) -> None:
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))


async def beside(run: Run) -> None:
    """The release before beside this one; now the one and now the other is killed."""
    while run.flowing:
        await run.pause(4, 8)
        if run.chance.choice(run.slots).signal(signal.SIGKILL):
            run.did("worker")
