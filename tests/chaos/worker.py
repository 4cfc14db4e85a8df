"""One worker of the service, that may be told to die at a named point and that has a clock somebody else can step.

    python tests/chaos/worker.py

The service itself knows nothing of this: its functions are wrapped here, from outside. `CHAOS_POINT` is the point and
the chance of dying at it (`after-commit:0.05`), `CHAOS_SEED` makes the dice, `CHAOS_CLOCK` names a file with the
seconds by which the clock is off. Only what every release has is wrapped without a point, for releases older than this
file are run through it too.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

Wrapped = Callable[..., Any]


def main() -> None:
    """Wraps what is to be wrapped and runs the service."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # it does not outlive the driver
    sys.path.pop(0)  # this folder: the release to run is on PYTHONPATH
    from service.cli import cli  # noqa: PLC0415  of the release on PYTHONPATH

    point, _, chance = os.environ.get("CHAOS_POINT", "").partition(":")
    if point:
        dice = random.Random(os.environ["CHAOS_SEED"])  # noqa: S311  to be repeated, not secret
        POINTS[point](lambda: dice.random() < float(chance or 1))
    if clock := os.environ.get("CHAOS_CLOCK"):
        _step_clock(Path(clock))
    sys.argv = ["service", "run"]
    cli()


def die() -> None:
    """The end, as the kernel's out-of-memory killer brings it about."""
    os.kill(os.getpid(), signal.SIGKILL)


def _wrap(owner: object, name: str, before: Callable[..., None] | None, after: Callable[..., None] | None) -> None:
    wrapped: Wrapped = getattr(owner, name)

    async def around(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  whatever is wrapped
        if before is not None:
            before(*args)
        result = await wrapped(*args, **kwargs)
        if after is not None:
            after(*args)
        return result

    setattr(owner, name, around)


def _within_the_transaction(dies: Callable[[], bool]) -> None:
    """All is written, nothing is committed."""
    from service.store import inbox  # noqa: PLC0415  only when wanted

    _wrap(inbox, "advance_offsets", None, lambda *_: die() if dies() else None)


def _after_commit(dies: Callable[[], bool]) -> None:
    """Postgres has it, and Kafka's committed offset does not know."""
    from service.flow import Flow  # noqa: PLC0415

    _wrap(Flow, "process", None, lambda *_: die() if dies() else None)


def _between_produce_and_acknowledgement(dies: Callable[[], bool]) -> None:
    """Some of what was handed to the producer is on Kafka, and nobody was told."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    def soon(*_: object) -> None:
        if dies():
            asyncio.get_running_loop().call_later(0.003, die)

    _wrap(AIOKafkaProducer, "send", None, soon)


def _before_the_relay_deletes(dies: Callable[[], bool]) -> None:
    """Kafka has acknowledged all of it, and the outbox still holds it."""
    from service.store import outbox  # noqa: PLC0415

    _wrap(outbox, "delete", lambda _, ids: die() if ids and dies() else None, None)


def _after_the_relay_deletes(dies: Callable[[], bool]) -> None:
    """The outbox has forgotten what Kafka has."""
    from service.store import outbox  # noqa: PLC0415

    _wrap(outbox, "delete", None, lambda _, ids: die() if ids and dies() else None)


def _in_a_migration(dies: Callable[[], bool]) -> None:
    """A migration has run and is neither recorded nor committed."""
    from asyncpg.connection import Connection  # noqa: PLC0415

    def recording(_: object, query: str, *__: object) -> None:
        if query.startswith("insert into schema_migration") and dies():
            die()

    _wrap(Connection, "execute", recording, None)


def _while_offsets_are_sought(dies: Callable[[], bool]) -> None:
    """At start-up, or in a rebalance: partitions are assigned, and where to go on has just been read."""
    from service.store import inbox  # noqa: PLC0415

    _wrap(inbox, "read_offsets", None, lambda *_: die() if dies() else None)


POINTS: dict[str, Callable[[Callable[[], bool]], None]] = {
    "within-the-transaction": _within_the_transaction,
    "after-commit": _after_commit,
    "between-produce-and-acknowledgement": _between_produce_and_acknowledgement,
    "before-the-relay-deletes": _before_the_relay_deletes,
    "after-the-relay-deletes": _after_the_relay_deletes,
    "in-a-migration": _in_a_migration,
    "while-offsets-are-sought": _while_offsets_are_sought,
}


def _step_clock(offset: Path) -> None:
    """The clock of the flow, off by what the file says at the time."""
    from service import app  # noqa: PLC0415
    from service.flow import Flow, utc_now  # noqa: PLC0415

    def stepped() -> Any:  # noqa: ANN401  an instant
        return utc_now() + timedelta(seconds=float(offset.read_text("ascii") or 0))

    class Stepped(Flow):
        """A flow that is told the time by the file."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            super().__init__(*args, **{**kwargs, "clock": stepped})

    setattr(app, "Flow", Stepped)  # noqa: B010  it is only imported there


if __name__ == "__main__":
    main()
