"""The short form of `make chaos`, and what a worker does before its servers are there and when it is to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.local.process import free_ports
from tests.chaos import servers
from tests.chaos.run import Place, Plan, Row, Run, made_ready
from tests.chaos.workers import CHECKOUT, kept

SEED = 20261123


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """Servers that are not started yet."""
    async with servers.home() as folder:
        yield Place(await servers.cluster(folder), servers.database(folder), folder)


async def test_killed_workers_brokers_and_databases_lose_nothing_and_contradict_nothing(tmp_path: Path) -> None:
    figures = tmp_path / "chaos.json"
    command = ("-m", "tests.chaos", "--short", "--seed", str(SEED), "--json", str(figures))
    driver = await asyncio.create_subprocess_exec(
        *(sys.executable, *command), cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await driver.communicate()
    finally:
        if driver.returncode is None:
            driver.send_signal(signal.SIGTERM)
            await driver.wait()
    assert driver.returncode == 0, said.decode()
    rows = {row["fault"]: row for row in json.loads(figures.read_text())["rows"]}
    assert rows["kills"]["times"] >= 3
    assert rows["every-point"]["times"] >= 2
    assert rows["release-before"]["times"] >= 1 or rows["release-before"]["skipped"]


async def test_a_worker_that_starts_before_its_servers_answers_its_probes_and_goes_to_work_when_they_come(
    place: Place,
) -> None:
    run = Run(Plan(events=1, rate=100, seed=SEED, workers=1), Row("early", "", SEED), place, place.folder)
    broker, database = place.brokers.brokers[0], place.database
    async with servers.running(broker, database):
        await made_ready(run)
        await broker.kill()
        await database.kill()
        port, nobody = free_ports(2)
        slot = run.slot(0)
        several = f"127.0.0.1:{nobody}, {run.brokers.direct}"
        slot.environment = {
            **slot.environment,
            "HTTP_BIND": f"127.0.0.1:{port}",
            "KAFKA_BOOTSTRAP_SERVERS": several,
        }
        async with kept([slot]):
            await database.start()
            await _until(lambda: answer(port, "livez") == (200, {"status": "live"}))
            code, said = await asyncio.to_thread(answer, port, "readyz")
            assert (code, said["missing"]) == (503, ["assignment", "relay"])
            await broker.start()
            await _until(lambda: answer(port, "readyz") == (200, {"status": "ready"}))
            await database.kill()
            await _until(lambda: "database" in answer(port, "readyz")[1].get("missing", ()))
            assert (await asyncio.to_thread(answer, port, "livez"))[0] == 200
            await database.start()
            await _until(lambda: answer(port, "readyz")[0] == 200)
            assert (slot.ended, slot.starts) == ({}, 1)
        assert "Unclosed" not in slot.log.read_text()


async def test_a_worker_that_is_to_stop_publishes_what_it_has_decided(place: Place) -> None:
    run = Run(Plan(events=3000, rate=100_000, seed=SEED, workers=1), Row("stopped", "", SEED), place, place.folder)
    async with servers.running(*place.brokers.brokers, place.database):
        await made_ready(run)
        await run.sender.run(run.brokers.direct, run.topics)
        slot = run.slot(0)
        slot.restarts = False
        async with kept([slot]):
            connection = await asyncpg.connect(run.url)
            decided = 0
            while not decided:
                try:
                    decided = await connection.fetchval("select coalesce(sum(next_offset), 0) from consumer_offset")
                except asyncpg.UndefinedTableError:
                    await asyncio.sleep(0.02)
            slot.signal(signal.SIGTERM)
            assert slot.process is not None
            assert await slot.process.wait() == 0
            assert 0 < await connection.fetchval("select sum(next_offset) from consumer_offset") < run.sender.total
            assert await connection.fetchval("select count(*) from outbox") == 0
            await connection.close()


def answer(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """What a worker says to a probe; 0 when it says nothing."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except OSError:
        return 0, {}


async def _until(reached: Any) -> None:  # noqa: ANN401  a question that may block
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(reached):
            await asyncio.sleep(0.1)
