"""The picture: each date in its place, nothing outside the frame, nothing over anything else."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from service.messages.outcomes import SubscriptionTimeline
from service.web.picture import NARROW, WIDE, Bar, Picture, draw
from service.web.writing import Writer
from tests.stories.stories import GROUPS
from tests.stories.story import Story
from tests.stories.telling import Played
from tests.web.stage import titled

STORIES = [story for group in GROUPS.values() for story in group]


def drawn(story: Story, width: int = WIDE, today: date = date(2026, 11, 13)) -> Picture:
    timeline = Played(story).timeline
    assert timeline is not None
    found = draw(SubscriptionTimeline.model_validate(timeline), today, Writer("en"), width)
    assert found is not None
    return found


def bars(picture: Picture, *kinds: str) -> list[Bar]:
    return [bar for bar in picture.bars if bar.kind in kinds]


def test_what_is_active_ends_at_the_mark_and_what_is_shortened_begins_there() -> None:
    picture = drawn(titled("a price change after the end"))
    (active,), (unused,), (cancelled,) = (bars(picture, kind) for kind in ("active", "unused", "cancelled"))
    (end,) = (mark for mark in picture.marks if mark.kind == "end")
    assert active.x + active.width < end.x < unused.x
    assert unused.x + unused.width < cancelled.x
    assert active.width / (active.width + unused.width) == pytest.approx(
        20 / 30, abs=0.01
    )  # but for the least there is
    said = {words.text for words in picture.words}
    assert {"Ends 21 Nov 2026", "20 of 30 days", "stopped", "Today", "300.00 kr.", "372.00 kr."} <= {
        text.replace("\N{NO-BREAK SPACE}", " ") for text in said
    }


def test_one_day_of_a_year_can_be_seen() -> None:
    picture = drawn(titled("on 29 February, at once, of a year that begins that day"), NARROW, date(2024, 2, 29))
    assert min(bar.width for bar in bars(picture, "active", "unused")) >= 2


def test_a_pause_covers_the_days_it_takes_and_no_day_after_the_end() -> None:
    picture = drawn(titled("a pause that reaches past the end"))
    (paused,), (end,) = bars(picture, "paused"), [mark for mark in picture.marks if mark.kind == "end"]
    (active,) = bars(picture, "active")
    assert paused.x + paused.width == pytest.approx(end.x)
    assert paused.width / (active.width + 2) == pytest.approx(5 / 20, abs=0.01)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.title)
def test_of_every_story_all_stays_within_the_frame_and_apart(story: Story, width: int) -> None:
    timeline = Played(story).timeline
    if timeline is None:
        return
    shown = SubscriptionTimeline.model_validate(timeline)
    for write in (Writer("en"), Writer("da")):
        picture = draw(shown, date(2026, 11, 13), write, width)
        assert picture is not None
        for bar in picture.bars:
            assert 0 <= bar.x <= bar.x + bar.width <= width
            assert 0 <= bar.y <= bar.y + bar.height <= picture.height
        assert all(0 <= words.x <= width and 0 <= words.y <= picture.height for words in picture.words)
        lanes = {bar.y for bar in bars(picture, "active", "unused", "cancelled")}
        for lane in lanes:
            row = sorted((bar for bar in picture.bars if bar.y == lane and bar.kind != "paused"), key=lambda bar: bar.x)
            assert all(one.x + one.width <= other.x + 0.2 for one, other in pairwise(row))
