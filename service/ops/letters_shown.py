"""Dead letters as a person reads them, and as programs do."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from service.messages.dead_letters import original
from service.messages.envelope import Envelope
from service.ops.dead_letters import Found, Letter
from service.store.dead_letters import Fate

_BYTES = 256
"""How much of a value that is no text is shown."""
_CHARACTERS = 20_000


def draw(found: Found) -> RenderableType:
    """A row for each letter, and how many there are by reason."""
    if not found.letters:
        return "There is no such dead letter."
    table = Table(box=SIMPLE_HEAD, header_style="bold")
    for name in ("letter", "written", "reason", "from", "key", "error", "fate"):
        table.add_column(name, overflow="fold")
    for letter in found.letters:
        written = f"{letter.written_at:%Y-%m-%d %H:%M:%S}"
        error = _short(letter.origin.error, 160)
        row = (letter.name, written, letter.origin.reason, _from(letter), _text(letter.key), error, _fate(letter.fate))
        table.add_row(*map(Text, row))
    counted = ", ".join(f"{reason}: {count}" for reason, count in found.by_reason.most_common())
    return Group(table, Text(f"{found.by_reason.total()} in all, {len(found.letters)} shown; {counted}"))


def document(found: Found) -> dict[str, Any]:
    """The same for programs."""
    return {
        "total": found.by_reason.total(),
        "by_reason": dict(found.by_reason.most_common()),
        "letters": [_fields(letter) for letter in found.letters],
    }


def draw_one(letter: Letter) -> RenderableType:
    """All there is to know of one letter."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, words in (
        ("letter", letter.name),
        ("written", letter.written_at.isoformat()),
        ("from", _from(letter)),
        ("reason", letter.origin.reason),
        ("error", letter.origin.error),
        ("now", _now(letter)),
        ("fate", _fate(letter.fate)),
        ("key", _text(letter.key)),
        *((f"header {name}", _text(value)) for name, value in original(letter.headers)),
    ):
        facts.add_row(name, Text(words))
    return Group(facts, Text(f"\n{_value(letter.value)}"))


def document_one(letter: Letter) -> dict[str, Any]:
    """The same for programs."""
    headers = [[name, None if value is None else _text(value)] for name, value in original(letter.headers)]
    return {**_fields(letter), "now": _now(letter), "headers": headers, "value": _value(letter.value)}


def _fields(letter: Letter) -> dict[str, Any]:
    fate = letter.fate
    return {
        "letter": letter.name,
        "written_at": letter.written_at.isoformat(),
        "reason": letter.origin.reason,
        "error": letter.origin.error,
        "topic": letter.origin.topic,
        "partition": letter.origin.partition,
        "offset": letter.origin.offset,
        "key": None if letter.key is None else _text(letter.key),
        "fate": None
        if fate is None
        else {"fate": fate.fate, "reason": fate.reason, "decided_at": fate.decided_at.isoformat()},
    }


def _now(letter: Letter) -> str:
    """What this release would make of it."""
    read = letter.read()
    if isinstance(read, Envelope):
        return f"can be read: {read.type} {read.id} of {read.source}"
    return f"would be set aside again: {read.reason}: {read}"


def _from(letter: Letter) -> str:
    of = letter.origin
    return "?" if of.topic is None else f"{of.topic}-{_known(of.partition)}-{_known(of.offset)}"


def _known(number: int | None) -> str:
    return "?" if number is None else str(number)


def _fate(fate: Fate | None) -> str:
    if fate is None:
        return ""
    because = "" if fate.reason is None else f": {fate.reason}"
    return f"{fate.fate} {fate.decided_at:%Y-%m-%d %H:%M:%S}{because}"


def _value(value: bytes | None) -> str:
    """As JSON laid out, else as text, else the first bytes."""
    if value is None:
        return "no value"
    try:
        return _short(json.dumps(from_json(value), indent=2, ensure_ascii=False), _CHARACTERS)
    except (ValueError, RecursionError):
        pass
    try:
        return _short(value.decode(), _CHARACTERS)
    except UnicodeDecodeError:
        shown = value[:_BYTES].hex(" ")
        return f"{len(value)} bytes that are no text: {shown}{' …' if len(value) > _BYTES else ''}"


def _text(value: bytes | None) -> str:
    return "no value" if value is None else _short(value.decode(errors="replace"), 1000)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"
