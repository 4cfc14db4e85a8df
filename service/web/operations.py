"""What the operations page shows, live: one document every two seconds, as server-sent events."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from time import monotonic, time
from typing import Any

from starlette.responses import StreamingResponse

from service import metrics
from service.ops.watching import Watch
from service.retry import pause

SECONDS = 2.0
_KEPT = 450
"""A quarter of an hour."""


class Operations:
    """Takes a sample whenever somebody looks, and keeps the last ones, so that a chart does not begin empty."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._samples: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._sampled_at = -SECONDS

    def stream(self) -> StreamingResponse:
        """Samples for as long as somebody looks and the service runs: first those that are kept, then each new one."""
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[str]:
        await self._sample()
        yield f"event: samples\ndata: {json.dumps(list(self._samples))}\n\n"
        while not self._watch.closing.is_set():
            await pause(self._watch.closing, SECONDS)
            yield f"event: samples\ndata: {json.dumps([await self._sample()])}\n\n"

    async def _sample(self) -> dict[str, Any]:
        if not self._samples or monotonic() - self._sampled_at >= SECONDS / 2:
            await self._watch.seen.wait()
            self._sampled_at = monotonic()
            self._samples.append(sample())
        return self._samples[-1]


def sample() -> dict[str, Any]:
    """What the metrics stand at: counts since the worker's start, ages in seconds, `at` in seconds since 1970."""
    return {
        "at": time(),
        "database": metrics.value(metrics.DATABASE_UP),
        "kafka": metrics.value(metrics.KAFKA_UP),
        "events": metrics.total(metrics.CONSUMED),
        "lag": sum(metrics.by_label(metrics.LAG, "topic").values()),
        "repeats": metrics.total(metrics.REPEATS),
        "rebalances": metrics.total(metrics.REBALANCES),
        "retries": metrics.by_label(metrics.RETRIES, "what"),
        "refusals": metrics.by_label(metrics.REFUSED, "code"),
        "dead_letters": metrics.by_label(metrics.DEAD_LETTERS, "reason"),
        "open": metrics.by_label(metrics.OPEN, "age"),
        **{
            name: metrics.value(gauge)
            for name, gauge in {
                "outbox": metrics.OUTBOX_ROWS,
                "outbox_age": metrics.OUTBOX_AGE,
                "held": metrics.HELD,
                "due": metrics.DUE,
                "due_age": metrics.DUE_AGE,
                "next_day": metrics.ENDING_NEXT_DAY,
                "open_age": metrics.OPEN_AGE,
                "out_of_balance": metrics.OUT_OF_BALANCE,
                "books_round": metrics.BOOKS_ROUND,
                "books_round_age": metrics.BOOKS_ROUND_AGE,
                "books_last_round": metrics.BOOKS_LAST_ROUND,
            }.items()
        },
    }
