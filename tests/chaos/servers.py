"""A broker and a database as processes that may be killed at any instant and started again where they were."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from service.local import kafka, postgres
from service.local.process import Guards, LocalError, free_ports

_ATTEMPTS = 5


class Server:
    """One server on its own directory and port; `kill` is SIGKILL, `start` brings it back on the same data."""

    def __init__(self, name: str, run: Callable[[Guards], Awaitable[str]]) -> None:
        self.name = name
        self.address = ""
        self.starts = 0
        self._run = run
        self._guards = Guards(temporary=False, lock=None)  # the server ends with this process, however that ends
        self._process = 0

    async def start(self) -> None:
        """Starts it and waits until it answers; what ends at its start is started again."""
        for attempt in range(_ATTEMPTS):
            try:
                self.address = await self._run(self._guards)
                break
            except LocalError:
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(0.5)
        self.starts += 1
        self._process = _child(self._guards.started[-1].guard_id)

    def signal(self, number: int) -> None:
        """Sends the server a signal."""
        with suppress(ProcessLookupError):
            os.kill(self._process, number)

    async def kill(self) -> None:
        """Kills it and waits until nothing of it is left."""
        self.signal(signal.SIGKILL)
        await self._guards.started[-1].end()

    async def kill_for(self, seconds: float = 0) -> None:
        """Kills it, leaves it dead for so long and starts it again."""
        await self.kill()
        await asyncio.sleep(seconds)
        await self.start()

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return not Path(f"/proc/{self._process}").exists()

    async def stop(self) -> None:
        """Stops it for good, gently first."""
        self.signal(signal.SIGCONT)
        await self._guards.stop()

    @property
    def pid(self) -> int:
        """The process id of the server itself."""
        return self._process


class Cluster:
    """Brokers and what a client needs to know of them."""

    def __init__(self, brokers: list[Server], through: list[tuple[int, int]]) -> None:
        self.brokers = brokers
        self.through = through
        """For each broker the port of its second listener, and the port of the proxy that it sends its clients to."""

    @property
    def direct(self) -> str:
        """Bootstrap servers."""
        return ",".join(broker.address for broker in self.brokers)


def _child(guard: int) -> int:
    """The process that a guard guards."""
    children = Path(f"/proc/{guard}/task/{guard}/children").read_text("ascii").split()
    return int(children[0])


@asynccontextmanager
async def home(size: str | None = None) -> AsyncIterator[Path]:
    """A directory to be removed; with a size, a file system of its own that can be full."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o711)
    mounted = size is not None and await _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0711", "tmpfs", folder)
    try:
        if size is not None and not mounted:
            raise LocalError("A small file system could not be mounted: that needs root.")
        yield folder
    finally:
        if mounted:
            await _run("umount", "--lazy", folder)
        shutil.rmtree(folder, ignore_errors=True)


async def _run(*command: str | Path) -> bool:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait() == 0


@asynccontextmanager
async def running(*servers: Server) -> AsyncIterator[None]:
    """All of them, started at once (of brokers none answers before most are there), until the context ends."""
    try:
        await asyncio.gather(*(server.start() for server in servers))
        yield
    finally:
        await asyncio.gather(*(server.stop() for server in servers))


def database(folder: Path) -> Server:
    """A Postgres with its default durability, on a port that stays."""
    (port,) = free_ports(1)
    return Server("database", lambda guards: postgres.start(guards, folder / "postgres", port))


async def cluster(folder: Path, count: int = 1, properties: str = "") -> Cluster:
    """One broker or several, each with a second listener that sends its clients through a proxy."""
    classpath = await kafka.classpath()
    ports = [free_ports(4) for _ in range(count)]
    identity = kafka.new_id()
    voters = ",".join(f"{n}@127.0.0.1:{port[1]}" for n, port in enumerate(ports, 1))
    brokers = []
    for n, (broker, controller, inner, outer) in enumerate(ports, 1):
        more = [
            f"node.id = {n}",
            f"controller.quorum.voters = {voters}",
            f"listeners = DIRECT://127.0.0.1:{broker},THROUGH://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners = DIRECT://127.0.0.1:{broker},THROUGH://127.0.0.1:{outer}",
            "listener.security.protocol.map = DIRECT:PLAINTEXT,THROUGH:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name = DIRECT",
            # A killed broker may come back once its controller has given up on the one that was killed.
            "broker.session.timeout.ms = 1500",
            "broker.heartbeat.interval.ms = 300",
            *(_REPLICATED if count > 1 else ()),
            properties,
        ]
        place = kafka.Place(broker, controller, identity, "\n".join(more) + "\n")
        brokers.append(_broker(folder / f"kafka-{n}", classpath, place))
    return Cluster(brokers, [(inner, outer) for _, _, inner, outer in ports])


_REPLICATED = (
    "default.replication.factor = 3",
    "min.insync.replicas = 2",
    "offsets.topic.replication.factor = 3",
    "transaction.state.log.replication.factor = 3",
    "transaction.state.log.min.isr = 2",
    "unclean.leader.election.enable = false",
)


def _broker(folder: Path, classpath: list[Path], place: kafka.Place) -> Server:
    return Server(folder.name, lambda guards: kafka.start(guards, folder, classpath, place))


async def new_database(server: Server, name: str) -> str:
    """An empty database; gives its URL."""
    connection = await asyncpg.connect(server.address)
    try:
        await connection.execute(f"create database {name}")
    finally:
        await connection.close()
    return server.address.rpartition("/")[0] + f"/{name}"


def now() -> float:
    """Seconds on a clock that nobody steps."""
    return time.monotonic()
