"""Writes the tables of `deploy/SECURITY.md` from what the tests try and see: `python -m tests.security`."""

from __future__ import annotations

import re
from pathlib import Path

from service.access import Grant, Principal, principals
from service.settings import Settings, Topics
from tests.security.attempts import Attempt, attempts, titles

DOCUMENT = Path("deploy/SECURITY.md")
_TABLE = r"(<!-- {name}: .*? -->\n).*?(<!-- end -->)"


def written(document: str) -> str:
    """The document with its tables made anew."""
    for name, table in (("access", _access()), ("attempts", _attempts())):
        pattern = re.compile(_TABLE.format(name=name), re.DOTALL)
        assert pattern.search(document), f"there is no place for the table {name}"
        document = pattern.sub(lambda found, table=table: found[1] + table + found[2], document)  # type: ignore[misc]
    return document


def _access() -> str:
    rows = [_principal(each) for each in principals(Settings.model_construct(), Topics.model_construct())]
    return "\n".join(["| user | who | may |", "|---|---|---|", *rows, ""])


def _principal(principal: Principal) -> str:
    may: dict[str, list[str]] = {}
    for grant in principal.grants:
        may.setdefault(", ".join(grant.operations) + f" ({grant.why})", []).append(_resource(grant))
    says = "<br>".join(f"{operations}: {', '.join(names)}" for operations, names in may.items())
    return f"| `{principal.name}` | {principal.who} | {says} |"


def _resource(grant: Grant) -> str:
    return f"{'group ' if grant.resource == 'group' else ''}`{grant.name}{'*' if grant.prefixed else ''}`"


def _attempts() -> str:
    lines = []
    for group, title in titles().items():
        lines += [f"### {title}\n", "| attempt | refusal, as it is seen | heals |", "|---|---|---|"]
        lines += [_attempt(each) for each in attempts(group).values()]
        lines.append("")
    return "\n".join(lines)


def _attempt(attempt: Attempt) -> str:
    return f"| {attempt.attempt} | {attempt.refusal} | {attempt.heals} |"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8")), encoding="utf-8")
