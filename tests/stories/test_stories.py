"""Every story comes out as it was worked out by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.stories.__main__ import TABLE, table
from tests.stories.stories import GROUPS
from tests.stories.story import Expected, Story
from tests.stories.telling import Played, adjusted, cancelled_renewals, charges, last_told, named

STORIES = [story for group in GROUPS.values() for story in group]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.title)
def test_story(story: Story) -> None:
    played, expected = Played(story), story.expected
    assert _summary(played, expected) == _wanted(expected)
    _add_up(played)


def _summary(played: Played, expected: Expected) -> dict[str, Any]:
    """What a story says of itself, said by the service."""
    shown = played.timeline or {"status": "never heard of", "end_date": None, "last_active_day": None}
    status = [outcome for outcome in played.outcomes if "requested_end_date" in outcome]
    told: dict[str, Any] = {
        "status": shown["status"],
        "end_date": shown["end_date"],
        "last_active_day": shown["last_active_day"],
        "charges": charges(played),
        "renewals": cancelled_renewals(played),
        "refused": tuple(outcome["code"] for outcome in played.of_type("cancellation-rejected")),
        "dead": played.dead,
    }
    more: dict[str, Callable[[], Any]] = {
        "ends_at": lambda: shown["access_ends_at"],
        "requested": lambda: status[-1]["requested_end_date"],
        "permitted": lambda: status[-1]["earliest_permitted_end_date"],
        "settlement": lambda: shown["settlement"],
        "cutoff": lambda: played.of_type("subscription-ended")[-1]["usage_cutoff"],
        "shortened": lambda: tuple(
            f"{period['start']} to {period['shortened_to']}"
            for period in shown["periods"]
            if period["state"] == "shortened"
        ),
        "pauses": lambda: {pause["pause_id"]: pause["state"] for pause in shown["pauses"]},
        "prices": lambda: {price["effective_date"]: price["state"] for price in shown["prices"]},
        "adjustments": lambda: tuple(
            f"{each['direction']} {each['amount']} on {each['charge_id']}, {each['state']}"
            for each in shown["adjustments"]
        ),
        "told": lambda: tuple(outcome["type"] for outcome in played.outcomes),
    }
    return told | {name: say() for name, say in more.items() if getattr(expected, name) is not None}


def _wanted(expected: Expected) -> dict[str, Any]:
    return {
        name: value
        for name in expected.__dataclass_fields__
        if (value := getattr(expected, name)) is not None or name in {"end_date", "last_active_day"}
    }


def _add_up(played: Played) -> None:
    """What holds at the end of every story, whatever it is about."""
    numbers = [outcome["sequence"] for outcome in played.outcomes if outcome["sequence"]]
    assert numbers == list(range(1, len(numbers) + 1))
    for shown in [] if played.timeline is None else played.timeline["charges"]:
        assert adjusted(played, named(shown), "amount") == Decimal(shown["credited"])
        if shown["state"] == "planned":
            assert last_told(played, named(shown)) in {None, shown["kept"]}


def test_there_are_enough_of_them_and_no_two_have_the_same_title() -> None:
    assert len(STORIES) >= 60
    assert len({story.title for story in STORIES}) == len(STORIES)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.title)
def test_every_amount_and_the_end_of_a_story_stand_in_its_text(story: Story) -> None:
    figures = {figure for sentence in story.expected.charges.values() for figure in re.findall(r"[\d.]+", sentence)}
    missing = {figure for figure in figures if Decimal(figure) and figure not in story.text}
    assert not missing
    end, last = story.expected.end_date, story.expected.last_active_day
    if end is not None and last is not None:
        assert date.fromisoformat(end) - timedelta(days=1) == date.fromisoformat(last)


def test_the_table_for_people_who_do_not_read_python_is_up_to_date() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), "run: make stories"


def test_what_stops_for_one_line_alone_names_that_line() -> None:
    """An extra ends, and its renewal with it; the other line, and its renewal, go on."""
    told = Played(next(story for story in STORIES if story.title.startswith("an extra that ends next month"))).outcomes
    named = [(outcome["type"], outcome["line_ids"]) for outcome in told if "line_ids" in outcome]
    assert named == [
        ("cancellation-scheduled", ["L2"]),
        ("renewal-cancelled", ["L2"]),
        ("period-shortened", ["L2"]),
    ]


def test_a_timeline_names_the_ends_of_single_lines_and_the_policy_it_was_decided_by() -> None:
    shown = Played(next(story for story in STORIES if story.title.startswith("an extra that ends next month"))).timeline
    assert shown is not None
    assert [(own["line_id"], own["end_date"]) for own in shown["line_ends"]] == [("L2", "2026-12-11")]
    assert (shown["policy"]["charges"], shown["policy"]["settlement"]) == ("implied", "prorate")
