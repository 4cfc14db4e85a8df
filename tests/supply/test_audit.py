"""What pip-audit says is passed on, and what it could not ask is not taken for an answer."""

from __future__ import annotations

import json

import pytest

from tests.supply import audit
from tests.supply.audit import Audit, read, told

SOUND = {"name": "sound", "version": "1", "vulns": []}
HOLED = {"name": "holed", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": []}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found on PyPI"}


def said(*dependencies: object) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_what_is_known_is_named_with_what_mends_it() -> None:
    found = Audit()
    assert read("pypi", 1, said(SOUND, HOLED), "", found)
    assert told(found, whole=True).startswith("holed 2: PYSEC-1, fixed in 2.1\n")


def test_nothing_known_of_anything_is_good() -> None:
    found = Audit()
    assert read("pypi", 0, said(SOUND), "", found)
    assert told(found, whole=True) == "No known vulnerability in 1 distributions."


@pytest.mark.parametrize(
    ("out", "err", "words"),
    [
        (said(UNKNOWN), "", "NOT AUDITED: no service for vulnerabilities could be asked (pypi: does not know 1 of 1"),
        ("", "x\nConnectionError: no way\n", "NOT AUDITED: no service for vulnerabilities could be asked (pypi: Conn"),
        (said(SOUND, UNKNOWN), "", "No known vulnerability in 1 distributions; the rest was NOT AUDITED"),
    ],
)
def test_what_could_not_be_asked_is_said_and_not_called_sound(out: str, err: str, words: str) -> None:
    found = Audit()
    assert not read("pypi", 0, out, err, found)
    assert told(found, whole=False).startswith(words)


def test_one_hole_among_unknowns_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ask", lambda *_: (1, said(HOLED, UNKNOWN), ""))
    assert audit.main() == 1
