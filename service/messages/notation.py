"""How values are written on the wire, as the schemas state it: patterns, and a note on unit and form for each.

The notes and patterns only describe. What comes in is judged by the types of `inputs`; what goes out
was computed, and is not looked at again.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic.config import JsonValue

NOTE = "x-note"
"""Under which a type says how it is written; the generator adds that to the description of each field."""
KNOWN = "x-extensible-enum"
"""The values that there are so far, where more may come and a reader must expect it."""

_DAY = r"-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_TIME_OR_NONE = f"({_TIME})?"
DATE, GIVEN_DATE = f"^[0-9]{{4}}{_DAY}$", f"^(19|2[01])[0-9]{{2}}{_DAY}$"
"""As published; as taken in, from 1900 to 2199."""
INSTANT, GIVEN_INSTANT = f"^[0-9]{{4}}{_DAY}{_TIME}$", f"^(19[7-9]|2[01][0-9])[0-9]{_DAY}{_TIME}$"
"""Likewise, taken in from 1970 to 2199."""
MOMENT, GIVEN_MOMENT = f"^[0-9]{{4}}{_DAY}{_TIME_OR_NONE}$", f"^(19|2[01])[0-9]{{2}}{_DAY}{_TIME_OR_NONE}$"
DURATION = r"^P(?=[0-9])([0-9]{1,4}Y)?([0-9]{1,4}M)?([0-9]{1,4}W)?([0-9]{1,4}D)?$"
WRITTEN_DURATION = r"^P([0-9]{1,4}M)?([0-9]{1,5}D)?$"
"""As this service writes them."""
INTERVAL = r"^P(?=.*[1-9])(([0-9]{1,4}Y)?([0-9]{1,4}M)?|([0-9]{1,4}W)?([0-9]{1,4}D)?)$"
ZONE = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
CURRENCY = r"^[A-Z]{3}$"
WORD = r"^[a-z]+(-[a-z]+)*$"

A_DATE = "A date (YYYY-MM-DD) in the subscription's time zone."
AN_INSTANT = "An RFC 3339 instant with an offset."
A_DURATION = "An ISO 8601 duration of whole units; at most 100 years; P1M and P30D are different things."
A_CURRENCY = "An ISO 4217 code."
A_ZONE = "An IANA time zone."


def written(note: str, **keywords: JsonValue) -> Any:  # noqa: ANN401 - a field, of whatever type
    """A field that is written in a certain way.

    Args:
        note: unit and form, as a sentence.
        keywords: of JSON Schema, besides those that follow from the type.
    """
    return Field(json_schema_extra={NOTE: note, **keywords})


def known(*values: str) -> Any:  # noqa: ANN401 - a field, of whatever type
    """A word out of a list that may grow."""

    def extensible(schema: dict[str, Any]) -> None:
        schema.pop("enum", None)
        schema.update({"type": "string", "pattern": WORD, KNOWN: list(values), NOTE: "More values may come."})

    return Field(json_schema_extra=extensible)
