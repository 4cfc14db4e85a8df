"""What is generated under `schemas/`, and whether it is fresh."""

from __future__ import annotations

import json
from pathlib import Path

from service.schemas import asyncapi, events, yaml

FOLDER = Path(__file__).parents[2] / "schemas"
"""Beside the package, in a checkout and in the image."""


def generated(folder: Path = FOLDER) -> dict[str, str]:
    """Path within the folder and text of every file; the examples are read from there."""
    shown = {name: events.examples(folder, name) for name in events.names()}
    made = {
        f"events/{events.file_name(name)}": _json(
            {**events.schema(name), "examples": [each["payload"] for each in shown[name]]}
        )
        for name in events.names()
    }
    return {**made, "asyncapi.yaml": yaml.text(asyncapi.document(shown))}


def stale(folder: Path = FOLDER) -> list[str]:
    """Files that are not as they would be generated, missing and surplus ones included."""
    wanted = generated(folder)
    found = {str(file.relative_to(folder)): file.read_text("utf-8") for file in present(folder)}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(folder: Path = FOLDER) -> None:
    """Writes them all, and removes what is no event any more."""
    wanted = generated(folder)
    for file in present(folder):
        if str(file.relative_to(folder)) not in wanted:
            file.unlink()
    for name, text in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def present(folder: Path = FOLDER) -> list[Path]:
    """The files that lie there."""
    return [*folder.glob("events/*.json"), *folder.glob("asyncapi.yaml")]


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
