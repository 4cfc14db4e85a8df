"""The command line as a process, as a person or a script gives it."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.conftest import Running


class CommandLine:
    """The command line, against the running service's Kafka and Postgres."""

    def __init__(self, running: Running) -> None:
        names = {f"TOPIC_{name.replace('-', '_').upper()}": actual for name, actual in running.topics.items()}
        servers = {"KAFKA_BOOTSTRAP_SERVERS": running.kafka, "DATABASE_URL": running.postgres}
        self.environment = {**os.environ, **names, **servers, "COLUMNS": "200"}

    async def __call__(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", *arguments),
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(given.encode())
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()
