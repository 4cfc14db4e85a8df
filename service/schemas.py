"""The JSON Schemas of all events, generated from the models that read and write them."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from service.messages.inputs import INPUTS
from service.messages.outcomes import OUTCOMES

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generated() -> dict[str, str]:
    """File name and text of every schema."""
    models: dict[str, tuple[type[BaseModel], bool]] = {name: (model, True) for name, model in INPUTS.items()}
    models.update({name: (model, False) for name, (_, model) in OUTCOMES.items()})
    return {f"{name}.v1.json": _schema(name, model, incoming=incoming) for name, (model, incoming) in models.items()}


def stale(folder: Path) -> list[str]:
    """Files that are not as they would be generated, missing and surplus ones included."""
    wanted = generated()
    found = {file.name: file.read_text("utf-8") for file in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(folder: Path) -> None:
    """Writes them all, and removes what is no event any more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = generated()
    for file in folder.glob("*.json"):
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, "utf-8")


def _schema(name: str, model: type[BaseModel], *, incoming: bool) -> str:
    schema = model.model_json_schema(mode="validation" if incoming else "serialization")
    return json.dumps({"$schema": _DIALECT, "$id": f"{name}.v1.json", **schema}, indent=2, ensure_ascii=False) + "\n"
