"""Attempts that the service or its servers refuse, as data: what the tests try, and what they must see.

Each file of `attempts/` is one group of rows. A row's id names it for the tests of that group, which try every one and
compare what they see with `refusal`, word for word.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("attempts")


@dataclass(frozen=True)
class Attempt:
    """One attempt: what is tried by whom, the refusal as it is seen, and what heals it."""

    attempt: str
    refusal: str
    heals: str


def titles() -> dict[str, str]:
    """The groups in the order of their files, each with its title."""
    return {file.stem: tomllib.loads(file.read_text("utf-8"))["title"] for file in sorted(FOLDER.glob("*.toml"))}


def attempts(group: str) -> dict[str, Attempt]:
    """The rows of a group by their ids."""
    read = tomllib.loads((FOLDER / f"{group}.toml").read_text("utf-8"))
    return {name: Attempt(**row) for name, row in read["attempts"].items()}
