"""The service as a process whose log is read as it grows; it need not come up."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

Line = dict[str, Any]
_REFUSALS = {"kafka-not-connected", "retrying", "consumer-interrupted", "relay-interrupted"}


class Worker:
    """What its log has said so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._grown = asyncio.Condition()

    async def until(self, what: Callable[[Line], bool], seconds: float = 30) -> Line:
        """The first line that is what is waited for, from now on."""
        seen = len(self.lines)

        def found() -> Line | None:
            return next((line for line in map(_parsed, self.lines[seen:]) if what(line)), None)

        try:
            async with asyncio.timeout(seconds), self._grown:
                await self._grown.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise AssertionError("what was waited for was not said:\n" + "\n".join(self.lines)) from None
        line = found()
        assert line is not None
        return line

    async def read(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            async with self._grown:
                self.lines.append(line.decode().rstrip())
                self._grown.notify_all()


def _parsed(line: str) -> Line:
    """A line of the log; one that is no event is none."""
    return json.loads(line) if line.startswith("{") else {}


def refused(words: str) -> Callable[[Line], bool]:
    """A line that tells of a refusal in these words."""
    return lambda line: line.get("event") in _REFUSALS and words in line["error"]


def ready(line: Line) -> bool:
    """The line that says that it consumes."""
    return line.get("event") == "ready"


@asynccontextmanager
async def worker(environment: Mapping[str, str]) -> AsyncIterator[Worker]:
    """The service with these settings, until the context ends; it must then have ended well."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "run"),
        env={**os.environ, "HTTP_BIND": "127.0.0.1:0", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    started = Worker()
    reading = asyncio.create_task(started.read(process.stderr))
    try:
        yield started
    finally:
        process.terminate()
        async with asyncio.timeout(30):
            await reading
            code = await process.wait()
    assert code == 0, f"the service ended with {code}:\n" + "\n".join(started.lines)
