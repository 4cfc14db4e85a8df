"""Writes the stories as a table for people who do not read Python: `python -m tests.stories`."""

from __future__ import annotations

from pathlib import Path

from tests.stories.stories import GROUPS
from tests.stories.story import Expected, Story

TABLE = Path(__file__).with_name("README.md")
_COMMAND = "make stories"
_HEAD = f"""# The stories

What becomes of a subscription that is cancelled in the middle of something: cases with their dates, each with its
figures worked out by hand in its text. The tests play every one of them through the service and compare the outcome
with the right-hand columns. End dates are the first day that is not active; amounts are per charge.

Written from the tests by `{_COMMAND}`; the tests say so if it is not up to date.
"""


def table() -> str:
    """All stories as one Markdown document."""
    return "\n".join([_HEAD, *(_group(sentence, stories) for sentence, stories in GROUPS.items())])


def _group(sentence: str, stories: tuple[Story, ...]) -> str:
    rows = [
        f"| **{story.title}**<br>{_text(story.text)} | {_end(story.expected)} | {_books(story)} |" for story in stories
    ]
    return "\n".join([f"## {sentence}\n", "| story | ends | books |", "|---|---|---|", *rows, ""])


def _text(paragraph: str) -> str:
    return " ".join(paragraph.split()).replace("|", "\\|")


def _end(expected: Expected) -> str:
    end = "no end" if expected.end_date is None else f"{expected.end_date} (last active day {expected.last_active_day})"
    refused = "".join(f"<br>refused: {code}" for code in expected.refused)
    return f"{end}<br>{expected.status}{refused}"


def _books(story: Story) -> str:
    charges = [f"{name}: {said}" for name, said in story.expected.charges.items()]
    renewals = [f"renewal of {start} cancelled" for start in story.expected.renewals]
    return "<br>".join([*charges, *renewals]) or "-"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
