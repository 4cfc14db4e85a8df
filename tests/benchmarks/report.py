"""The figures as a page: `README.md` beside them, written by `python -m tests.benchmarks --keep`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.capacity import FIGURES

PAGE = FIGURES.with_name("README.md")


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure, what it is, and what it is to be at least (or at most)."""

    name: str
    what: str
    least: float | None = None
    most: float | None = None
    digits: int = 0

    @property
    def wanted(self) -> str:
        """The goal as it is read."""
        if self.least is not None:
            return f"≥ {self.least:,g}"
        return "none" if self.most is None else f"≤ {self.most:,g}"

    def met(self, value: float) -> bool:
        """Whether a value reaches it."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


GOALS = (
    Goal("cancellations_per_s", "commands a second, first consumed to last outcome published, one worker", least=2500),
    Goal("per_event_ratio", "events a second ÷ those of one transaction an event", least=10, digits=1),
    Goal("floor_ratio", "events a second ÷ those of the same bytes without a decision", least=0.6, digits=2),
    Goal("p99_ratio", "p99 from request to last outcome at half load ÷ that without a decision", most=3, digits=2),
    Goal("growth_ratio", "events a second at 1,000,000 subscriptions ÷ at 10,000", least=0.9, digits=2),
    Goal("growth_ratio_at_10000000", "the same at 10,000,000", least=0.9, digits=2),
    Goal("facts_ratio", "cost of an event on a subscription with 9,900 facts ÷ with 10", most=2, digits=1),
    Goal("due_per_s", "ends a second when 100,000 subscriptions end at the same midnight", least=2000),
    Goal("due_p99_ratio", "p99 of requests meanwhile ÷ that of a quiet hour", most=2, digits=2),
    Goal("relay_ratio", "an outbox of 1,000,000 rows drained ÷ what a producer alone does", least=0.8, digits=2),
    Goal("relay_last_to_first_quarter", "how fast its last quarter goes ÷ its first", least=0.8, digits=2),
    Goal("rss_mb", "MB of a worker at most, with 500,000 events behind", most=150),
    Goal(
        "pages_slowest_p99_ms", "ms, p99 of the slowest page at 1,000,000 subscriptions, the stream running", most=100
    ),
    Goal("workers_ratio", "two workers ÷ one, on two cores that broker and database need too", digits=2),
)
_BESIDE = (
    ("events_per_s", "events a second"),
    ("floor_per_s", "events a second without a decision"),
    ("per_event_per_s", "events a second, one transaction each"),
    ("cpu_us_per_event", "µs of the worker's processor an event"),
    ("floor_cpu_us_per_event", "µs without a decision"),
    ("p50_ms", "ms from request to last outcome, p50"),
    ("p99_ms", "ms, p99"),
    ("relay_per_s", "records a second out of a full outbox"),
    ("import_seconds", "seconds for `import` to send 1,000,000 subscriptions, killed in the middle and called again"),
    ("import_rss_mb", "MB of the command at most"),
    ("import_decided_seconds", "seconds until one worker behind it had decided them all"),
    ("import_subscriptions", "subscriptions that there are then"),
    ("import_facts", "facts that there are then: none lost, none doubled"),
)


_PROFILE = (
    ("decide", "deciding: the rule, the difference, the laws"),
    ("outcomes", "outcomes: their fields, their words, their ids"),
    ("snapshot", "the snapshot of the timeline"),
    ("read_events", "reading events"),
    ("read_state", "reading states"),
    ("write_state", "writing states"),
    ("outbox", "filling the outbox"),
    ("relay", "the relay"),
    ("rest", "all else: consuming, statements, waiting for turns"),
)
_BEFORE = FIGURES.with_name("before.json")
"""The same figures of the profile of commit efac087, before what the profile showed was mended."""


def page(figures: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """The whole page, as Markdown."""
    rows = [
        f"| `{goal.name}` | {goal.what} | {goal.wanted} "
        f"| {figures[goal.name]:,.{goal.digits}f} | {_word(goal, figures[goal.name])} |"
        for goal in GOALS
        if goal.name in figures
    ]
    beside = [f"| `{name}` | {what} | {figures[name]:,.0f} |" for name, what in _BESIDE if name in figures]
    profile = [
        f"| {what} | {before[name]:,.0f} % | {figures[name]:,.0f} % |"
        for name, what in ((f"profile_{part}_percent", what) for part, what in _PROFILE)
    ]
    asked = [name.removesuffix("_p50_ms") for name in figures if name.startswith("page_") and name.endswith("_p50_ms")]
    pages = [
        f"| {name.removeprefix('page_').replace('_', ' ')} "
        f"| {figures[f'{name}_p50_ms']:,.1f} | {figures[f'{name}_p99_ms']:,.1f} |"
        for name in asked
    ]
    return _TEXT.format(
        rows="\n".join(rows),
        beside="\n".join(beside),
        profile="\n".join(profile),
        pages="\n".join(pages),
        before=f"{before['profile_cpu_us_per_event']:,.0f}",
        now=f"{figures['profile_cpu_us_per_event']:,.0f}",
    )


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(*kept()), encoding="utf-8")
    print(PAGE)


def kept() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The figures, and those of the profile before."""
    figures, before = (json.loads(file.read_text(encoding="utf-8")) for file in (FIGURES, _BEFORE))
    return figures, before


def _word(goal: Goal, value: float) -> str:
    if goal.wanted == "none":
        return ""
    return "met" if goal.met(value) else "**missed**"


_TEXT = """\
<!-- Written by python -m tests.benchmarks --keep; edit report.py instead. -->
# How fast

`make bench` measures all of this on the embedded servers; every figure is the median of interleaved runs. Absolute
figures move with the machine (here two cores, shared by worker, broker, database and load); the ratios, taken side by
side in one run, do not.

![The figures as a picture](figures.svg)

| figure | what | goal | measured | |
|---|---|---|---|---|
{rows}

| beside them | | |
|---|---|---|
{beside}

The workload is described in [workload.py](workload.py): subscriptions with half a year behind them, then cancellations,
moves, revokes, renewals and invoices that race them. *Without a decision* is the floor: the same bytes consumed, the
same rows locked, read and written in the same batches, the same bytes produced ([workers.py](workers.py)). *One
transaction each* is the same domain behind a subscriber that takes one event at a time, with the best concurrency it
can have.

## Where a worker's time goes

Samples of its stack while it works off the stream: {before} µs of its processor an event before what they showed was
mended, {now} µs now.

| | before | now |
|---|---|---|
{profile}

## How long pages take

Beside 1,000,000 subscriptions, from a worker that decides half of what it can meanwhile; milliseconds from the request
sent to the answer read. What each query does there: [plans.txt](plans.txt).

| page or endpoint | p50 | p99 |
|---|---|---|
{pages}

## What is missed, and why

* **cancellations_per_s**, **floor_ratio** and **per_event_ratio**: a worker is one process on one core, and most of
  what it does beyond the floor is deciding, wording and drawing (the table above); there is no hot spot left. Of what
  was mended since the first figures the floor got as much as the service, so the ratio stayed where the rate rose by
  a third. What would close it: more cores, with a worker on each. Tried and not taken, for what they cost to hold in
  mind: the domain compiled with mypyc as it is (a decision in 157 instead of 231 µs, and states that pydantic reads
  no more), Python 3.13 (3 to 5 % of deciding and drawing), a rarer collection of garbage (nothing).
* **facts_ratio**: the snapshot is the whole timeline and has megabytes then, and so has the state, which is read and
  written whole: nearly all of the 240 ms is reading the state, drawing the snapshot, and writing both; the decision
  itself takes a few. What would close it: a snapshot that may leave out what no end can reach any more, which the
  contract does not allow today, and the state of such charges in a row of its own.
* **due_per_s** and **due_p99_ratio**: an end is decided, sealed and drawn again like any other decision, on the same
  core and event loop as the requests and the relay; meanwhile a request waits its turn at each of its statements.
  Tried and not taken: requests and ends one transaction after the other (twice as slow for requests with a hundred
  ends in a transaction; with thirty a fifth faster, and a tenth fewer ends). What would close it: workers that only
  end what is due, beside those that consume.
"""

if __name__ == "__main__":
    main()
