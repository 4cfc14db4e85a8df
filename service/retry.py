"""One answer to a fault that may pass: report it, wait a little longer each time, try again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
import structlog

from service import metrics
from service.refusals import described

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

stamina.instrumentation.set_on_retry_hooks(())  # each failure is reported here, once, with what it was


async def patiently(
    what: str, attempt: Callable[[], Awaitable[Result]], turn: Callable[[], None] = lambda: None
) -> Result:
    """Tries for as long as the fault lasts, with jitter, at most five seconds apart; `turn` is told of each attempt."""
    async for trial in stamina.retry_context(on=Exception, attempts=None, timeout=None, wait_initial=0.1, wait_max=5):
        with trial:
            turn()
            try:
                return await attempt()
            except Exception as error:
                metrics.RETRIES.labels(what).inc()
                log.warning("retrying", what=what, attempt=trial.num, error=described(error))
                raise
    raise AssertionError("a retry without limit does not end")


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Waits for the event, but no longer than so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
