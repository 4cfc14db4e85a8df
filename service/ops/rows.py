"""Files of subscriptions, read as events: NDJSON line by line, CSV subscription by subscription.

However long the file is, one row is in memory. A row knows where it ends, so that reading can go on there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, BinaryIO, Literal, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from pydantic_core import from_json

from service.messages.envelope import LARGEST_VALUE, STRUCTURED, Envelope, UnreadableError
from service.messages.inputs import INPUTS, SubscriptionActivated
from service.ops.sending import Event, Named, event, milliseconds, written
from service.schemas.asyncapi import topic_of
from service.settings import Topics

Form: TypeAlias = Literal["ndjson", "csv"]

ACTIVATED = "subscription-activated"
AGREEMENT = (
    *("tenant_id", "subscription_id", "customer_id", "currency", "time_zone", "start_date", "interval", "anchor_day"),
    *("billing", "trial_end_date", "language"),
)
TERMS = ("minimum_term", "notice", "notice_to", "settlement")
LINE = ("line_id", "amount", "description")
NEEDED = ("subscription_id", "customer_id", "currency", "time_zone", "start_date", "interval", "amount")
"""Columns of a CSV file: of the subscription, of its terms, of its line; and those it must have."""
ONLY_LINE = "1"
"""What a line is called that is the only one and has no name."""

_LONGEST_LINE = 2 * LARGEST_VALUE
_TAKEN = 65_536


class RowsError(Exception):
    """A file that cannot be read as a whole; the message says why."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on: bytes from the start, and lines before it."""

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What stands on one line or, in CSV, on the lines of one subscription: an event, or why it is none."""

    line: int
    end: Position
    event: Event | UnreadableError

    def refusal(self) -> UnreadableError | None:
        """Why the service would not take it in, as far as the row alone says."""
        if isinstance(self.event, UnreadableError):
            return self.event
        try:
            return _unfit(self.event.read())
        except UnreadableError as error:
            return UnreadableError(error.reason, str(error))


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read; `source` is the CloudEvents source of what names none, `now` when it is sent."""

    form: Form
    topics: Topics
    source: str
    now: datetime

    def rows(self, file: BinaryIO, start: Position = Position()) -> Iterator[Row]:
        """The rows from a position on.

        Raises:
            RowsError: it is no such file.
        """
        return _Ndjson(self, file, start).rows() if self.form == "ndjson" else _Csv(self, file, start).rows()

    def id(self, line: int, content: bytes) -> str:
        """The id of the event on a line: the same whenever the same is read there."""
        digest = blake2b(content, digest_size=16).hexdigest()
        return str(uuid5(NAMESPACE_URL, f"{self.source}\n{line}\n{digest}"))


def form_of(name: str, file: BinaryIO) -> Form:
    """What a file is, by its name, else by how it begins."""
    if name.endswith((".csv", ".tsv")):
        return "csv"
    if name.endswith((".ndjson", ".jsonl")):
        return "ndjson"
    file.seek(0)
    start = file.read(_TAKEN).removeprefix(b"\xef\xbb\xbf").lstrip()
    return "ndjson" if start.startswith(b"{") else "csv"


def _unfit(read: Envelope) -> UnreadableError | None:
    """What only the whole of an agreement tells: whether its amounts fit its currency, its lines differ."""
    data = read.data
    if not isinstance(data, SubscriptionActivated):
        return None
    try:
        data.body(data.currency, read.id)
    except ValueError as error:
        return UnreadableError("malformed", str(error))
    names = [line.line_id for line in data.lines]
    if len(set(names)) < len(names):
        return UnreadableError("malformed", "lines: two of them have the same line_id")
    return None


class _Lines:
    """The lines of a file, and where the last one ended; a line that is too long is cut."""

    def __init__(self, file: BinaryIO, start: Position) -> None:
        self._file, self.at = file, start
        file.seek(start.offset)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> bytes:
        line = part = self._file.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        length = len(line)
        while len(part) == _LONGEST_LINE and not part.endswith(b"\n"):
            part = self._file.readline(_LONGEST_LINE)
            length += len(part)
        before, self.at = self.at, Position(self.at.offset + length, self.at.line + 1)
        return line.removeprefix(b"\xef\xbb\xbf") if before.offset == 0 else line


class _Ndjson:
    def __init__(self, reading: Reading, file: BinaryIO, start: Position) -> None:
        self._reading, self._lines = reading, _Lines(file, start)

    def rows(self) -> Iterator[Row]:
        for line in self._lines:
            if text := line.strip():
                at = self._lines.at
                yield Row(at.line, at, self._event(text, at.line))

    def _event(self, text: bytes, line: int) -> Event | UnreadableError:
        if len(text) > LARGEST_VALUE:
            return UnreadableError("too-large", f"the line has more than {LARGEST_VALUE} bytes")
        try:
            found = from_json(text, allow_inf_nan=False)
        except ValueError as error:
            return UnreadableError("not-json", f"the line is not JSON: {error}")
        if not isinstance(found, dict):
            return UnreadableError("malformed", "the line is no JSON object")
        reading, name = self._reading, self._reading.id(line, text)
        if "data" not in found and "specversion" not in found:
            key = str(found.get("subscription_id", ""))
            return written(reading.topics, Named(reading.source, name, ACTIVATED), key, text, reading.now)
        return self._cloud_event(text, found, name)

    def _cloud_event(self, text: bytes, found: dict[str, Any], name: str) -> Event:
        """The event as it stands there; what it does not say of itself is put in front."""
        own = {"specversion": "1.0", "id": name, "source": self._reading.source}
        missing = json.dumps({attribute: value for attribute, value in own.items() if attribute not in found})
        value = text if missing == "{}" else missing.encode().removesuffix(b"}") + b", " + text.removeprefix(b"{")
        kind, data = found.get("type"), found.get("data")
        topic = topic_of(kind) if isinstance(kind, str) and kind in INPUTS else topic_of(ACTIVATED)
        about = data if isinstance(data, dict) else {}
        key = str(about.get("subscription_id") or about.get("tenant_id") or "default")
        headers = [("content-type", f"{STRUCTURED}+json".encode())]
        topics = self._reading.topics
        return Event(topics.named(topic), _utf8(key), value, headers, milliseconds(self._reading.now))


@dataclass(slots=True)
class _Group:
    """The rows of one subscription, one for each of its lines; `fault` is what is wrong with one of them."""

    key: tuple[str, str] | None
    line: int
    end: Position
    rows: list[dict[str, str]] = field(default_factory=list)
    fault: str | None = None


class _Csv:
    def __init__(self, reading: Reading, file: BinaryIO, start: Position) -> None:
        self._reading, self._broken = reading, False
        self._lines = _Lines(file, Position())
        first = next(self._lines, b"").decode(errors="replace").strip()
        separator = max(",;\t", key=first.count)
        self._columns = self._header(next(csv.reader([first], delimiter=separator), []))
        if start.offset:
            self._lines = _Lines(file, start)
        self._reader = csv.reader(self._texts(), delimiter=separator, strict=True)

    def rows(self) -> Iterator[Row]:
        group: _Group | None = None
        for cells, fault, line, end in self._read():
            key = _key(cells)
            if group is not None and key is not None and group.key not in {key, None}:
                yield self._row(group)
                group = None
            group = group or _Group(key, line, end)
            group.key = key  # none: whose row it was is not known, so that those beside it stand or fall with it
            group.rows += [cells] if cells else []
            group.fault, group.end = group.fault or fault, end
        if group is not None:
            yield self._row(group)

    def _header(self, names: list[str]) -> list[str]:
        columns = [name.strip().lower() for name in names]
        known = {*AGREEMENT, *TERMS, *LINE}
        if unknown := [name for name in columns if name not in known]:
            raise RowsError(f"There is no column {unknown[0]!r}; there are {', '.join((*AGREEMENT, *TERMS, *LINE))}.")
        if len(set(columns)) < len(columns):
            raise RowsError("A column is there twice.")
        if missing := [name for name in NEEDED if name not in columns]:
            raise RowsError(f"The columns {', '.join(missing)} are missing.")
        return columns

    def _texts(self) -> Iterator[str]:
        for line in self._lines:
            try:
                yield line.decode()
            except UnicodeDecodeError:
                self._broken = True
                yield line.decode(errors="replace")

    def _read(self) -> Iterator[tuple[dict[str, str] | None, str | None, int, Position]]:
        """Each row: its cells by column, the empty ones left out; what is wrong with it; where it begins and ends."""
        while True:
            line, self._broken = self._lines.at.line + 1, False
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield None, f"line {line} is no CSV: {error}", line, self._lines.at
                continue
            if not cells:
                continue
            fault = f"line {line} is not UTF-8" if self._broken else None
            if len(cells) != len(self._columns):
                fault = f"line {line} has {len(cells)} cells, the header {len(self._columns)}"
            elif not cells[self._columns.index("subscription_id")].strip():
                fault = f"line {line} has no subscription_id"
            named = zip(self._columns, (cell.strip() for cell in cells), strict=False)
            yield {name: cell for name, cell in named if cell}, fault, line, self._lines.at

    def _row(self, group: _Group) -> Row:
        if group.fault is not None:
            return Row(group.line, group.end, UnreadableError("malformed", group.fault))
        first = group.rows[0]
        for row in group.rows[1:]:
            for name in (*AGREEMENT, *TERMS):
                if name in row and row[name] != first.get(name):
                    why = f"{name}: {row[name]!r} and {first.get(name)!r} for one subscription"
                    return Row(group.line, group.end, UnreadableError("malformed", why))
        data = _agreement(group.rows)
        name = self._reading.id(group.line, json.dumps(data).encode())
        named = Named(self._reading.source, name, ACTIVATED)
        return Row(group.line, group.end, event(self._reading.topics, named, data, self._reading.now))


def _key(cells: dict[str, str] | None) -> tuple[str, str] | None:
    """Whose row it is, if that can be read."""
    if cells is None or "subscription_id" not in cells:
        return None
    return cells.get("tenant_id", "default"), cells["subscription_id"]


def _agreement(rows: list[dict[str, str]]) -> dict[str, Any]:
    """The data of an activation: the agreement of the first row, and a line of each."""
    data: dict[str, Any] = {name: rows[0][name] for name in AGREEMENT if name in rows[0]}
    if (day := data.get("anchor_day", "")).isdecimal():
        data["anchor_day"] = int(day)
    if terms := {name: rows[0][name] for name in TERMS if name in rows[0]}:
        data["terms"] = terms
    unnamed = {"line_id": ONLY_LINE} if len(rows) == 1 else {}
    data["lines"] = [{**unnamed, **{name: row[name] for name in LINE if name in row}} for row in rows]
    return data


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")
