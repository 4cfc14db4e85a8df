"""The embedded Kafka and Postgres, as real processes."""

import contextlib
import hashlib
import http.server
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from service.local import LocalError, Servers, servers
from service.local.jars import Jar, ensure

PATIENCE = 60  # seconds until a test gives up; a broker alone is given 20 of them to stop
STARTS = """
import asyncio, pathlib, signal, sys
from service.local import servers
signal.signal(signal.SIGINT, signal.default_int_handler)  # who tests in the background has it ignored
async def main():
    async with servers(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None) as running:
        print(running.postgres, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
async def started() -> AsyncIterator[Servers]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
        environment.delenv("DATABASE_URL", raising=False)
        async with servers() as both:
            yield both


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that Postgres' own user may enter, unlike pytest's, when this is root."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o711)
        yield Path(path)


async def test_both_servers_answer(started: Servers) -> None:
    assert await topics(started) == set()
    assert await sql(started, "select current_setting('server_version_num')::int / 10000") == 18


async def test_a_topic_that_nobody_created_does_not_come_by_itself(started: Servers) -> None:
    async with admin(started) as client:
        (described,) = await client.describe_topics(["unheard-of"])
    assert described["error_code"] == 3
    assert await topics(started) == set()


async def test_two_instances_run_side_by_side(started: Servers) -> None:
    async with servers() as other:
        assert {started.kafka, started.postgres}.isdisjoint({other.kafka, other.postgres})
        await create(other, "here")
        assert await topics(started) == set()


async def test_a_data_directory_survives_a_restart(directory: Path) -> None:
    async with servers(directory / "data") as first:
        cluster = await cluster_id(first)
        await create(first, "kept")
        await sql(first, "create table kept as select 42 as answer")
    async with servers(directory / "data") as second:
        assert await cluster_id(second) == cluster
        assert await topics(second) == {"kept"}
        assert await sql(second, "select answer from kept") == 42


async def test_a_data_directory_belongs_to_one_instance_at_a_time(directory: Path) -> None:
    async with servers(directory, kafka=False):
        with pytest.raises(LocalError, match=f"in use by process {os.getpid()}: stop that"):
            async with servers(directory, kafka=False):
                pass


async def test_a_data_directory_whose_owner_was_killed_starts_again_at_once(directory: Path) -> None:
    with child(str(directory)) as owner:
        owner.kill()
    async with servers(directory) as again:
        assert await sql(again, "select 1") == 1


async def test_servers_that_the_environment_names_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "mine:9092,mine:9093")
    monkeypatch.setenv("DATABASE_URL", "postgresql://mine/service")
    async with servers() as given:
        assert given == Servers(kafka="mine:9092,mine:9093", postgres="postgresql://mine/service")


async def test_only_what_the_environment_does_not_name_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "mine:9092")
    async with servers() as given:
        assert given.kafka == "mine:9092"
        assert await sql(given, "select 1") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes through /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_no_process_and_no_data_outlive_whoever_started_them(
    how: signal.Signals, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(directory))
    with child() as parent:
        left = processes_in(directory)
        assert {"java", "postgres", "python"} <= {name.rstrip("0123456789.") for name in left.values()}
        with ends_of(left) as ends:
            os.killpg(parent.pid, how)  # as a terminal does on Ctrl-C
            assert ends(PATIENCE)
    assert list(directory.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_a_killed_guard_takes_its_server_with_it(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(directory))
    with child():
        left = processes_in(directory)
        with ends_of(left) as ends:
            for pid, name in left.items():
                if name.startswith("python"):
                    os.kill(pid, signal.SIGKILL)
            assert ends(PATIENCE)


async def test_a_missing_jar_and_a_broken_jar_in_the_cache_are_fetched_again(repository: "Repository") -> None:
    jars = [repository.publish("missing", b"one"), repository.publish("broken", b"two")]
    repository.cache.mkdir()
    (repository.cache / "broken-1.jar").write_bytes(b"tw")
    paths = await ensure(jars, repository.cache, repository.url)
    assert [path.read_bytes() for path in paths] == [b"one", b"two"]
    assert {path.name for path in repository.cache.iterdir()} == {"missing-1.jar", "broken-1.jar", "lock"}


async def test_jars_in_the_cache_are_not_fetched(repository: "Repository", capfd: pytest.CaptureFixture[str]) -> None:
    jars = [repository.publish("cached", b"one")]
    await ensure(jars, repository.cache, repository.url)
    capfd.readouterr()
    await ensure(jars, repository.cache, "http://127.0.0.1:1/nothing-listens-here")
    assert capfd.readouterr() == ("", "")


async def test_another_jar_than_the_locks_ends_in_one_sentence(repository: "Repository") -> None:
    repository.publish("forged", b"evil")
    expected = Jar("example:forged:1", hashlib.sha256(b"good").hexdigest())
    with pytest.raises(
        LocalError, match=r"^example:forged:1 as fetched has the sha256 \w+, not the one in .*make lock\.$"
    ):
        await ensure([expected], repository.cache, repository.url)
    assert not (repository.cache / "forged-1.jar").exists()


async def test_a_repository_that_cannot_be_reached_ends_in_one_sentence(repository: "Repository") -> None:
    with pytest.raises(
        LocalError, match=r"^Kafka's jars could not be fetched .*: ConnectionError\): check network, proxy"
    ):
        await ensure([Jar("example:any:1", "0")], repository.cache, "http://127.0.0.1:1")


class Repository:
    """A Maven repository of one's own, and a cache for what comes from it."""

    def __init__(self, root: Path, url: str) -> None:
        self.root, self.url, self.cache = root, url, root / "cache"

    def publish(self, artifact: str, content: bytes) -> Jar:
        jar = Jar(f"example:{artifact}:1", hashlib.sha256(content).hexdigest())
        place = self.root / "example" / artifact / "1" / jar.filename
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
        return jar


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Repository(tmp_path, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


@contextlib.asynccontextmanager
async def admin(started: Servers) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=started.kafka)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def topics(started: Servers) -> set[str]:
    async with admin(started) as client:
        return set(await client.list_topics())


async def create(started: Servers, topic: str) -> None:
    async with admin(started) as client:
        await client.create_topics([NewTopic(topic, 1, 1)])


async def cluster_id(started: Servers) -> str:
    async with admin(started) as client:
        return str((await client.describe_cluster())["cluster_id"])


async def sql(started: Servers, query: str) -> object:
    connection = await asyncpg.connect(started.postgres)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@contextlib.contextmanager
def child(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has started servers, in a session of its own, as a terminal has one."""
    with subprocess.Popen(  # noqa: S603 - a test's own command
        [sys.executable, "-c", STARTS, *arguments],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        try:
            assert process.stdout.readline().startswith("postgresql://")
            yield process
        finally:
            process.kill()


def processes_in(directory: Path) -> dict[int, str]:
    """Pids and names of the processes that work in a directory, or were told of it."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = str(directory) in (process / "cmdline").read_text()
            if told or (process / "cwd").readlink().is_relative_to(directory):
                found[int(process.name)] = (process / "comm").read_text().strip()
    return found


@contextlib.contextmanager
def ends_of(pids: dict[int, str]) -> Iterator["Ends"]:
    with contextlib.ExitStack() as stack:
        poll = select.poll()
        for pid in pids:
            descriptor = os.pidfd_open(pid)
            stack.callback(os.close, descriptor)
            poll.register(descriptor, select.POLLIN)
        yield Ends(poll, len(pids))


class Ends:
    """Waits until all of some processes have ended; False if some have not, after so many seconds."""

    def __init__(self, poll: select.poll, count: int) -> None:
        self.poll, self.count = poll, count

    def __call__(self, seconds: float) -> bool:
        while self.count:
            ended = self.poll.poll(seconds * 1000)
            if not ended:
                return False
            for descriptor, _ in ended:
                self.poll.unregister(descriptor)
                self.count -= 1
        return True
