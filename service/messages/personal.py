"""What an event can say of a person, and what is left of it once that person is to be forgotten.

Every field of free text is one of four: the customer's id, which gives way to a pseudonym; words about a person, each
of which gives way to one of its own, for whether two requests said the same decides what becomes of the second; the
description of a line, which is left out; or a reference that the books of others name too, which stays. Fields that we
do not know are left out: they decide nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import blake2b
from secrets import token_hex
from typing import Any, TypeAlias

from service.messages.envelope import canonical_json
from service.messages.inputs import INPUTS

CUSTOMER = "customer_id"
WORDS = frozenset({"requested_by", "code", "comment", "by", "why"})
LEFT_OUT = frozenset({"description"})
REFERENCES = frozenset({
    *("tenant_id", "subscription_id", "line_id", "line_ids", "pause_id", "cancellation_id"),
    *("invoice_id", "charge_id", "corrects_charge_id", "settles_adjustment_id"),
})  # fmt: skip

Replacement: TypeAlias = Callable[[str], str]

_PSEUDONYM = re.compile(r"forgotten-[0-9a-f]{16}")


def new_pseudonym() -> str:
    """A name that says nothing."""
    return f"forgotten-{token_hex(8)}"


def is_pseudonym(text: str) -> bool:
    """Whether a text is a name that says nothing."""
    return _PSEUDONYM.fullmatch(text) is not None


def worded(secret: bytes) -> Replacement:
    """Gives texts that are equal one pseudonym, others another; nobody finds the text again without the secret."""

    def replaced(text: str) -> str:
        if not text or is_pseudonym(text):
            return text
        return f"forgotten-{blake2b(text.encode(), key=secret, digest_size=8).hexdigest()}"

    return replaced


def impersonal(event_type: str, data: bytes, pseudonym: str, words: Replacement) -> bytes:
    """The data of an event without the person: what is decided on it is the same.

    Raises:
        ValidationError: it is not the data of such an event.
    """
    known = INPUTS[event_type].model_validate_json(data).model_dump(mode="json", exclude_unset=True)
    return canonical_json(_without(json.loads(data), known, pseudonym, words))


def _without(said: Any, known: Any, pseudonym: str, words: Replacement) -> Any:  # noqa: ANN401  any part of a document
    if isinstance(known, list):
        return [_without(one, other, pseudonym, words) for one, other in zip(said, known, strict=True)]
    if not isinstance(known, dict):
        return said
    kept: dict[str, Any] = {}
    for name, inner in known.items():
        value = said[name]
        if name == CUSTOMER:
            kept[name] = pseudonym
        elif name in WORDS and isinstance(value, str):
            kept[name] = words(value)
        elif name not in LEFT_OUT:
            kept[name] = _without(value, inner, pseudonym, words)
    return kept
