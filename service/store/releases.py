"""States as two releases read them: while one replaces the other, both work on the same rows.

What this release has made of a field, the one before still requires by its old name, and drops by its new one when it
writes a state back. So both names are written, and what the release before has dropped is put back as far as it can be
known. An entry here goes when the release that it is for is nowhere deployed any more.

* Until 0.1 an adjustment had its `text` instead of its `calculation`, a pause one `resume_date` instead of `resumes`.
"""

from __future__ import annotations

import json
from typing import Any

_NOTHING = (b'"pauses":[]', b'"adjustments":[]')


def readable_before(state: bytes) -> str:
    """A state as this release writes it, with what the one before requires besides."""
    if all(nothing in state for nothing in _NOTHING):
        return state.decode()
    data = json.loads(state)
    for pause in data["pauses"]:
        pause["known_at"], pause["resume_date"] = pause["resumes"][0][0], pause["resumes"][-1][1]
    for adjustment in data["told"]["adjustments"]:
        adjustment["text"] = ""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def written_before(text: str) -> str:
    """A state that the release before has written, with what this one requires besides."""
    data: dict[str, Any] = json.loads(text)
    for pause in data["pauses"]:
        pause.setdefault("resumes", [[pause.get("known_at"), pause.get("resume_date")]])
    for adjustment in data["told"]["adjustments"]:
        charge = data["charges"].get(adjustment["charge_id"], {})
        adjustment.setdefault("calculation", {**_UNSAID, "period": charge.get("window")})
    return json.dumps(data)


_UNSAID: dict[str, Any] = {
    "language": "en",
    **dict.fromkeys(("full", "billed", "kept", "given", "credited_by_others", "active", "total"), 0),
    "unit": "day",
    "settlement": None,
    "voided": False,
}
"""How an adjustment came about that was published with its calculation in words, and is kept without one."""
