"""`python -m service import | export`: existing subscriptions from a file through Kafka, and timelines into one."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, BinaryIO, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from service.cli.terminal import ASK, LOOK, finish, paragraphs, settings_or_stop, stop
from service.flow import utc_now
from service.ops import exporting
from service.ops.carrying import Carried, Checked, Checkpoint, Import, stamp
from service.ops.rows import AGREEMENT, LINE, NEEDED, TERMS, Form, Reading, Row, RowsError, form_of
from service.settings import Settings

_SHOWN = 20
"""Refused rows that are told on the terminal."""

_HELP = f"""
Send existing subscriptions, or any events, from a file through Kafka.

NDJSON: each line is the data of a `subscription-activated`, or a CloudEvent with `type` and `data`, whose `id`,
`source` and `specversion` may be left out. CSV: a row for each line of a subscription, the rows of one together, with
the columns {", ".join(NEEDED)} and, as needed, {", ".join(n for n in (*AGREEMENT, *TERMS, *LINE) if n not in NEEDED)}.

All of it is checked before the first event is sent; if anything is refused, nothing is sent, unless with
--skip-refused. How far it has come is kept beside the file: the same command goes on there. Whatever is sent twice
counts once.
"""
_CODES = """
Exit codes: 0 when all of it is sent (with --dry-run: can be), 1 when something was refused or Kafka took no more, 2
when the command is wrong.
"""


def add_to(cli: typer.Typer) -> None:
    """Adds the two commands."""
    cli.command("import", help=paragraphs(_HELP), epilog=paragraphs(_CODES), rich_help_panel=ASK)(import_file)
    cli.command("export", rich_help_panel=LOOK)(export_timelines)


def import_file(  # noqa: PLR0913  each is an option of the command
    file: Annotated[Path, typer.Argument(help="The file, or - for stdin.")],
    *,
    form: Annotated[
        Form | None, typer.Option("--format", help="What it is; by default as its name or its beginning says.")
    ] = None,
    source: Annotated[str, typer.Option(help="The CloudEvents source of the events that name none.")] = "/import",
    refused: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write what was refused there: line, reason and error as NDJSON."),
    ] = None,
    skip_refused: Annotated[bool, typer.Option("--skip-refused", help="Send the rest all the same.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check; needs no Kafka.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Where to keep how far it has come; by default FILE.import.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="From the beginning, whatever was sent before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The summary for programs.")] = False,
) -> None:
    """See _HELP, which names the columns."""
    settings, topics = settings_or_stop()
    with _opened(file) as opened, _bar() as bar:
        reading = Reading(form or form_of(file.name, opened), topics, source, utc_now())
        kept = checkpoint or (None if str(file) == "-" else file.with_name(f"{file.name}.import"))
        work = Import(opened, reading, kept, stamp(opened))
        start: Checkpoint | None = None if dry_run else finish(work.begin(settings, again=again))
        begun = start is not None and start.refused is not None
        checked = Checked(refused=start.refused or 0) if start and begun else _checked(work, bar, refused)
        carried = None
        if start is not None and (skip_refused or not checked.refused):
            carried = finish(_sent(work, settings, start.model_copy(update={"refused": checked.refused}), bar))
    if as_json:
        typer.echo(json.dumps({**asdict(checked), **asdict(carried or Carried())}))
    else:
        typer.echo(_told(checked, carried))
    if checked.refused:
        raise typer.Exit(1)


def export_timelines(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    output: Annotated[Path | None, typer.Option(dir_okay=False, help="Into this file; by default to stdout.")] = None,
) -> None:
    """Write the timelines of all subscriptions as NDJSON, as they are published, in the order of tenant and id.

    Exit code 1 when the state of one cannot be read; stderr names it, and the others are written.
    """
    settings, _ = settings_or_stop()
    with _to(output) as into:

        def write(line: bytes) -> None:
            try:
                into.write(line)
            except BrokenPipeError:  # whoever reads has seen enough
                raise typer.Exit(1) from None
            except OSError as error:
                stop(f"{output or 'stdout'} cannot be written: {error.strerror}.")

        unreadable = finish(exporting.export(settings, tenant, write, utc_now()))
    for key, why in unreadable:
        typer.echo(f"{key[0]} {key[1]} cannot be read: {why}", err=True)
    if unreadable:
        raise typer.Exit(1)


def _checked(work: Import, bar: Progress, refused: Path | None) -> Checked:
    """Checks the file; what was refused is told on the terminal, the first few, and in a file, all of it."""
    told: list[str] = []
    with ExitStack() as stack:
        report = None if refused is None else stack.enter_context(_written(refused))

        def refuse(row: Row, reason: str, error: str) -> None:
            if len(told) < _SHOWN:
                told.append(f"line {row.line}: {reason}: {error}")
            if report is not None:
                line = {"line": row.line, "reason": reason, "error": error}
                report.write(json.dumps(line, ensure_ascii=False) + "\n")

        try:
            checked = work.check(refuse, _shown(bar, "checked", work.file))
        except RowsError as error:
            stop(str(error))
    more = checked.refused - len(told)
    for line in (*told, *([f"and {more:,} more"] if more else [])):
        bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
    return checked


async def _sent(work: Import, settings: Settings, start: Checkpoint, bar: Progress) -> Carried:
    return await work.send(settings, start, _shown(bar, "sent", work.file))


def _shown(bar: Progress, what: str, file: BinaryIO) -> Callable[[int, int], None]:
    """Shows how far something is, in bytes and in rows."""
    task = bar.add_task(what, total=os.fstat(file.fileno()).st_size, rows=0)
    return lambda at, rows: bar.update(task, completed=at, rows=rows)


def _told(checked: Checked, carried: Carried | None) -> str:
    refused = f"{checked.refused:,} refused"
    if carried is None:
        return f"{checked.rows:,} checked, {refused}; nothing was sent"
    return f"{carried.sent:,} sent, {carried.before:,} before, {refused}"


def _to(output: Path | None) -> AbstractContextManager[BinaryIO]:
    try:
        return nullcontext(sys.stdout.buffer) if output is None else output.open("wb")
    except OSError as error:
        stop(f"{output} cannot be written: {error.strerror}.")


def _written(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        stop(f"{path} cannot be written: {error.strerror}.")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file; stdin as a copy on disk, for it is read twice."""
    if str(file) != "-":
        try:
            opened = file.open("rb")
        except OSError as error:
            stop(f"{file} cannot be read: {error.strerror}.")
        with opened:
            yield opened
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        yield copy


@contextmanager
def _bar() -> Iterator[Progress]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield bar
