"""A short run of the enemy; `python -m tests.fuzz 10000000` is the long one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from service.batch import Batch
from tests.fuzz.mutations import Enemy
from tests.fuzz.targets import Books, Receiving, decoded, quiet


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    before = structlog.get_config()
    quiet()
    yield
    structlog.configure(**before)


def received(count: int, seed: int = 7) -> Books:
    books, mild = Books(), Enemy(seed, harm=0.25)
    path = Receiving(books)
    for _ in range(count // 50):
        path.receive([mild.record() for _ in range(50)])
    return books


def test_every_record_is_read_as_an_event_or_comes_with_a_reason() -> None:
    books, enemy = Books(), Enemy(7)
    for _ in range(20_000):
        decoded(enemy.record(), books)
    assert books.failures == []
    reasons = {name.removeprefix("decoded_as_") for name in books.counts if name.startswith("decoded_as_")}
    assert reasons >= {"event", "malformed", "not-json", "bad-header", "empty", "duplicate-key", "too-large"}
    assert sum(number for name, number in books.counts.items() if name.startswith("decoded_as_")) == 20_000


def test_every_record_is_decided_refused_a_repeat_waiting_or_a_dead_letter() -> None:
    books = received(1_000)
    assert books.failures == []
    came_to = ("decided", "refused", "policies", "dead_letters", "repeats", "said_before", "still_waiting")
    assert all(books.counts[f"received_{name}"] for name in came_to), books.counts
    assert sum(books.counts[f"received_{name}"] for name in came_to) == books.counts["received"] == 1_000


def nothing(*_: object, **__: object) -> None:
    return None


def fails(*_: object) -> None:
    raise KeyError("a bug")


@pytest.mark.parametrize(
    ("name", "instead", "noticed"),
    [
        ("_set_aside", nothing, "records came"),
        ("_set_policy", nothing, "records came"),
        ("_keep", fails, "is held because KeyError"),
        ("_set_aside", fails, "the batch raised KeyError"),
    ],
)
def test_a_record_that_is_lost_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, instead: Callable[..., Any], noticed: str
) -> None:
    monkeypatch.setattr(Batch, name, instead)
    assert any(noticed in failure for failure in received(200).failures)
