"""What is said of the figures, and of large installations, follows from what was measured."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.benchmarks import report
from tests.benchmarks.capacity import FIGURES, PAGE, Assumed, Cost, need, page

COST = Cost(
    worker_us=1000,
    postgres_us=500,
    broker_us=200,
    wal_bytes=5000,
    outcome_bytes=6000,
    subscription_bytes=1500,
    fact_bytes=400,
    inbox_bytes=300,
)


def test_the_page_of_figures_says_what_was_measured() -> None:
    assert report.PAGE.read_text("utf-8") == report.page(*report.kept()), "run: python -m tests.benchmarks.report"


def test_the_page_of_capacity_says_what_the_figures_come_to() -> None:
    figures = json.loads(FIGURES.read_text("utf-8"))
    assert PAGE.read_text("utf-8") == page(figures, Assumed()), "run: python -m tests.benchmarks.capacity"


def test_every_goal_has_its_figure() -> None:
    figures, _ = report.kept()
    elsewhere = {"growth_ratio_at_10000000"}  # make bench-big
    assert {goal.name for goal in report.GOALS} - elsewhere <= figures.keys()


def test_a_hundred_million_by_hand() -> None:
    # 3.039 events a month and subscription; half of them in six hours: 303.9 M / 2 / 21,600 s = 7,034.7 a second.
    hundred_million = need(100_000_000, COST, Assumed())
    assert hundred_million.peak_rate == pytest.approx(7034.7, abs=0.1)
    assert hundred_million.workers == 12  # 7.03 cores of work, 60 % busy: 11.7
    assert hundred_million.partitions == 24
    assert hundred_million.postgres_cores == 6
    assert hundred_million.facts_gb == pytest.approx(2880)  # 72 facts each of 400 bytes
    assert hundred_million.state_gb == pytest.approx(720)  # 1,500 bytes for 15 facts, so 7,200 for 72
    assert hundred_million.wal_mb == pytest.approx(35.2, abs=0.1)


def test_ten_times_as_many_need_ten_times_as_much() -> None:
    few, many = (need(number, COST, Assumed()) for number in (100_000_000, 1_000_000_000))
    for name in ("events_a_month", "peak_rate", "state_gb", "facts_gb", "inbox_gb", "wal_mb", "topics_gb"):
        assert getattr(many, name) == pytest.approx(10 * getattr(few, name))


def test_what_costs_twice_needs_twice_the_workers() -> None:
    once, twice = (need(10**9, replace(COST, worker_us=cost), Assumed()) for cost in (1000, 2000))
    assert twice.workers in {2 * once.workers, 2 * once.workers - 1}


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (report.Goal("", "", least=10), 10, True),
        (report.Goal("", "", least=10), 9.9, False),
        (report.Goal("", "", most=2), 2, True),
        (report.Goal("", "", most=2), 2.1, False),
    ],
)
def test_a_goal_is_met_or_missed(goal: report.Goal, value: float, *, met: bool) -> None:
    assert goal.met(value) is met
