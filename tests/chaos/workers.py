"""Workers as processes: each slot has one, and whatever ends it, another takes its place."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
_ENTRY = Path(__file__).with_name("worker.py")
_PAUSE = 0.2
_DRAIN = 40


@dataclass
class Slot:
    """One place for a worker; `ended` counts how its workers have ended."""

    number: int
    environment: Mapping[str, str]
    log: Path
    checkout: Path = CHECKOUT
    points: tuple[str, ...] = ()
    seed: str = "0"
    restarts: bool = True
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    ended: dict[int, int] = field(default_factory=dict)
    largest: int = 0
    http: str = ""

    async def keep(self) -> None:
        """Runs workers one after the other until cancelled."""
        try:
            while self.restarts or not self.starts:
                await self._start()
                assert self.process is not None
                code = await self.process.wait()
                self.ended[code] = self.ended.get(code, 0) + 1
                await asyncio.sleep(_PAUSE)
        finally:
            await self.stop()

    async def _start(self) -> None:
        self.starts += 1
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(self.checkout)}
        if self.points:
            point = self.points[(self.starts - 1) % len(self.points)]
            environment |= {"CHAOS_POINT": point, "CHAOS_SEED": f"{self.seed}-{self.number}-{self.starts}"}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-B", str(_ENTRY)),
                env=environment,
                cwd=self.checkout,
                stderr=log,
                stdout=log,
                start_new_session=True,
            )

    def signal(self, number: int) -> bool:
        """Sends the worker a signal; False if there is none just now."""
        if self.process is None or self.process.returncode is not None:
            return False
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
            return True
        return False

    def measure(self) -> int:
        """The worker's resident memory in bytes, now; the largest ever is kept."""
        if self.process is None or self.process.returncode is not None:
            return 0
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        except (OSError, IndexError):
            return 0
        size = pages * os.sysconf("SC_PAGE_SIZE")
        self.largest = max(self.largest, size)
        return size

    def ready(self) -> int:
        """How many times a worker of this slot has said that it is ready; its address is kept."""
        lines = [line for line in self.log.read_text("utf-8", "replace").splitlines() if '"event": "ready"' in line]
        if lines:
            self.http = json.loads(lines[-1])["http"]
        return len(lines)

    async def stop(self) -> None:
        """Asks the worker to end, and ends it if it does not."""
        if self.process is None or self.process.returncode is not None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_DRAIN):
                await self.process.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.process.wait()


@asynccontextmanager
async def kept(slots: list[Slot]) -> AsyncIterator[list[Slot]]:
    """Workers in all slots for as long as the context lasts."""
    keeping = [asyncio.create_task(slot.keep()) for slot in slots]
    try:
        yield slots
    finally:
        for slot in slots:
            slot.restarts = False
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
