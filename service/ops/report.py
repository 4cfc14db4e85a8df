"""A verification as a person watches it: how far it is, and what differs as it is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service import clients
from service.ops.verify import Finding, Scope, count, verify
from service.settings import Settings, Topics

Advance: TypeAlias = Callable[[int], None]

_KEPT = 1000
"""How many findings a document names; the rest is counted."""


async def report(settings: Settings, topics: Topics, scope: Scope, output: Console, *, as_json: bool) -> int:
    """Verifies what is in scope and tells; returns how many things differ."""
    async with clients.connected(settings) as connection:
        total = await count(connection, scope)
        subscriptions, found, kept = 0, 0, list[Finding]()
        with _progress(output, total) as advance:
            async for verified in verify(connection, settings, topics, scope):
                subscriptions += verified.subscriptions
                found += len(verified.findings)
                kept += verified.findings[: _KEPT - len(kept)] if as_json else ()
                for finding in () if as_json else verified.findings:
                    output.print(f"[red]{escape(str(finding))}[/]", soft_wrap=True, highlight=False)
                advance(verified.subscriptions)
    if as_json:
        output.print(_document(subscriptions, found, kept), soft_wrap=True, markup=False, highlight=False)
    else:
        output.print(_summary(subscriptions, found), highlight=False)
    return found


def _summary(subscriptions: int, found: int) -> str:
    differs = f"{found} differences" if found > 1 else "1 difference" if found else "all is as the facts say"
    return f"{subscriptions} {'subscription' if subscriptions == 1 else 'subscriptions'} verified: {differs}"


def _document(subscriptions: int, found: int, kept: list[Finding]) -> str:
    findings = [
        {
            "tenant_id": finding.key[0],
            "subscription_id": finding.key[1],
            "field": finding.field,
            "words": finding.words,
        }
        for finding in kept
    ]
    document = {"subscriptions": subscriptions, "differences": found, "findings": findings}
    return json.dumps(document, indent=2, ensure_ascii=False)


@contextmanager
def _progress(output: Console, total: int) -> Iterator[Advance]:
    """A bar on a terminal, a line per batch on stderr elsewhere."""
    console = output if output.is_terminal else Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console, total)
        return
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("verifying", total=total)
        yield lambda number: progress.advance(task, number)


def _lines(console: Console, total: int) -> Advance:
    done = 0

    def advance(number: int) -> None:
        nonlocal done
        done += number
        if number:
            console.print(f"{done} of {total} subscriptions verified", highlight=False)

    return advance
