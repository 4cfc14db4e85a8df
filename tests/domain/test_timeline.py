"""What the timeline says of periods, prices and pauses on either side of the end."""

from __future__ import annotations

import pytest

from service.domain.policy import Policy
from service.domain.timeline import Timeline, standing, timeline
from tests.domain.examples import END_OF_PERIOD, Item, Life, on, paid_november


def shown(life: Life, at: str) -> Timeline:
    return timeline(life.subscription, life.instant(at), life.rules)


def periods(life: Life, at: str) -> list[str]:
    return [f"{period.start} {period.state}" for period in shown(life, at).periods]


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("2026-10-31 23:59:59", "upcoming"),
        ("2026-11-01 00:00:00", "active"),
        ("2026-11-20 23:59:59", "active"),
    ],
)
def test_it_is_upcoming_until_the_day_it_starts(at: str, status: str) -> None:
    assert shown(paid_november(), at).status == status


@pytest.mark.parametrize(("at", "status"), [("2026-11-20 23:59:59", "ending"), ("2026-11-21 00:00:00", "ended")])
def test_it_is_ending_until_the_instant_it_ends(at: str, status: str) -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert shown(life, at).status == status


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-11 10:00", "2026-11-21 00:00:00"),
        ("2026-11-20 23:59:59", "2026-11-21 00:00:00"),
        ("2026-11-21 00:00:00", None),
    ],
)
def test_it_can_be_taken_back_until_the_instant_it_ends(at: str, until: str | None) -> None:
    life = paid_november()
    assert shown(life, "2026-11-11 10:00").revocable_until is None
    life.cancel("2026-11-11 09:00", on("2026-11-21"))
    assert shown(life, at).revocable_until == (None if until is None else life.instant(until))
    assert standing(life.subscription, life.instant(at), life.rules) == (shown(life, at).status, shown(life, at).end)


def test_it_is_told_in_another_language_with_every_adjustment_and_nothing_else_changed() -> None:
    life = paid_november()
    life.cancel("2026-11-11 09:00", on("2026-11-21"))
    english = shown(life, "2026-11-12 10:00")
    danish = english.told_in("da")
    assert (english.language, danish.language) == ("en", "da")
    assert [adjustment.calculation.language for adjustment, _ in danish.adjustments] == ["da"]
    assert danish.told_in("en") == english


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("2026-11-30", ["2026-11-01 shortened", "2026-12-01 cancelled"]),
        ("2026-12-01", ["2026-11-01 whole", "2026-12-01 cancelled"]),
        ("2026-12-02", ["2026-11-01 whole", "2026-12-01 shortened", "2027-01-01 cancelled"]),
    ],
)
def test_a_period_is_whole_up_to_an_end_on_its_last_day_and_cancelled_from_an_end_on_its_first(
    end: str, expected: list[str]
) -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on(end))
    assert periods(life, "2026-11-12 10:00") == expected


def test_neither_a_period_that_only_usage_is_for_nor_one_that_nobody_reports_is_shown() -> None:
    life = Life("2026-11-01")
    life.issued("2026-11-02 08:00", "INV-1", Item("U1", "2026-11-01", "2026-12-01", "12.00", kind="usage"))
    life.policy("2026-01-01 00:00", Policy(charges="implied"))
    life.cancel("2026-11-12 09:00", END_OF_PERIOD)
    life.move("2026-11-12 10:00", on("2027-01-11"))
    assert periods(life, "2027-01-05 10:00") == ["2027-01-01 shortened", "2027-02-01 cancelled"]


def test_the_period_that_would_begin_as_all_ends_is_not_the_one_that_runs() -> None:
    life = Life("2026-11-01")
    life.cancel("2026-11-12 09:00", on("2027-01-01"), name="A")
    life.cancel("2026-11-12 10:00", on("2026-11-21"), "L1", name="B")
    assert periods(life, "2026-12-31 10:00") == ["2026-11-01 whole", "2026-12-01 whole"]
    assert periods(life, "2027-01-01 10:00") == ["2026-11-01 whole", "2026-12-01 whole"]


@pytest.mark.parametrize(
    ("effective", "state"),
    [("2026-11-20", "in-force"), ("2026-11-21", "suppressed"), ("2026-11-22", "suppressed")],
)
def test_a_price_from_the_end_on_never_comes_into_force(effective: str, state: str) -> None:
    life = paid_november()
    life.price("2026-11-11 09:00", effective, "360.00")
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert [price.state for price in shown(life, "2026-11-12 10:00").prices] == ["in-force", state]


@pytest.mark.parametrize(
    ("start", "resume", "state"),
    [
        ("2026-11-14", "2026-11-20", "in-force"),
        ("2026-11-14", "2026-11-21", "in-force"),
        ("2026-11-14", "2026-11-22", "cut-off"),
        ("2026-11-20", None, "cut-off"),
        ("2026-11-21", None, "suppressed"),
        ("2026-11-21", "2026-11-25", "suppressed"),
    ],
)
def test_a_pause_that_reaches_past_the_end_is_cut_off_and_one_from_the_end_on_never_comes(
    start: str, resume: str | None, state: str
) -> None:
    life = paid_november()
    life.paused("2026-11-11 09:00", start, resume, effect="charged")
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert [pause.state for pause in shown(life, "2026-11-12 10:00").pauses] == [state]


def test_before_it_starts_the_first_period_is_shown_whole() -> None:
    life = Life("2026-11-01", activated_at="2026-10-20 12:00")
    assert [(str(p.start), str(p.end), p.state) for p in shown(life, "2026-10-25 12:00").periods] == [
        ("2026-11-01", "2026-12-01", "whole")
    ]
