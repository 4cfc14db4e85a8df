"""The pictures of the README are there and small; that they are true, `make pictures` sees to."""

from __future__ import annotations

import re
from pathlib import Path

from tests.pictures.__main__ import FOLDER, LARGEST

SHOWN = re.findall(r"!\[([^\]]+)\]\((docs/[^)]+)\)", Path("README.md").read_text("utf-8"))


def test_each_picture_says_what_it_shows_and_is_small_enough_to_fetch() -> None:
    assert {Path(file) for _, file in SHOWN} == set(FOLDER.iterdir())
    for said, file in SHOWN:
        assert len(said) > 20
        assert 0 < Path(file).stat().st_size <= LARGEST


def test_no_picture_asks_anything_from_elsewhere() -> None:
    drawn = Path("docs/demo.svg").read_text("utf-8")
    assert not re.search(r"(?:href|url|src)\W+https?:", drawn)
    assert "Mette Holm" in drawn.replace("&#160;", " ")
