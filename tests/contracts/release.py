"""Keeps the schemas of the version that is to be released: `make release-schemas`, once pyproject.toml names it.

What is kept is never changed again; every later schema is held against all of it.
"""

from __future__ import annotations

import filecmp
import shutil
import sys
import tomllib
from pathlib import Path

from service.schemas.files import FOLDER
from tests.contracts.compatibility import RELEASED, against_released

EVENTS = FOLDER / "events"


def version(project: Path = Path("pyproject.toml")) -> str:
    """The version that is being worked on."""
    return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])


def unreleased(named: str) -> bool:
    """Whether it is on the way to a version, not one itself."""
    return any(word in named for word in ("dev", "a", "b", "rc"))


def differing(kept: Path, events: Path = EVENTS) -> list[str]:
    """Schemas that are not as they were kept."""
    names = {file.name for folder in (kept, events) for file in folder.glob("*.json")}
    _, other, missing = filecmp.cmpfiles(kept, events, sorted(names), shallow=False)
    return sorted([*other, *missing])


def keep(named: str, released: Path = RELEASED, events: Path = EVENTS) -> str:
    """Puts the schemas aside under the version's name.

    Returns:
        What speaks against it; nothing if it was done, now or before.
    """
    kept = released / named
    if unreleased(named):
        return f"{named} is no version to release: set it in pyproject.toml first."
    if found := against_released(released, events):
        return "\n".join([*found, "The schemas break what was released."])
    if kept.exists():
        other = differing(kept, events)
        return f"{kept} is released, and other: {', '.join(other)}." if other else ""
    shutil.copytree(events, kept)
    return ""


if __name__ == "__main__":
    sys.exit(keep(version()) or None)
