"""`python -m service dead-letters …`: what could not be read or taken in, and what becomes of it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console

from service.cli.terminal import AsJson, finish, misused, settings_or_stop, stop
from service.ops import letters_shown
from service.ops.dead_letters import (
    Done,
    Letter,
    LetterError,
    Wanted,
    discard,
    editable,
    edited,
    find,
    meant,
    named,
    one,
    only,
    replay,
)
from service.settings import Settings, Topics

dead_letters = typer.Typer(
    help="What could not be read or taken in: find it, look at it, send it again, or put it away.",
    no_args_is_help=True,
)

Names: TypeAlias = Annotated[list[str] | None, typer.Argument(help="Letters by name: topic-partition-offset.")]
Reason: TypeAlias = Annotated[str | None, typer.Option(help="Only letters with this reason.")]
From: TypeAlias = Annotated[str | None, typer.Option("--topic", help="Only letters that came from this topic.")]
Since: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
        help="Only letters written at this time or later; without an offset in UTC.",
    ),
]
On: TypeAlias = Annotated[
    str | None, typer.Option("--on", help="The topic the letters lie on; by default the service's own.")
]


@dead_letters.command("list")
def list_letters(  # noqa: PLR0913  each is an option of the command
    reason: Reason = None,
    topic: From = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show, the newest first.")] = 20,
    on: On = None,
    *,
    settled: Annotated[bool, typer.Option("--all", help="Also those replayed or discarded.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the newest letters that wait for somebody, and how many there are by reason."""
    settings, topics = settings_or_stop()
    wanted = Wanted(reason, topic, _utc(since), settled)
    found = finish(find(settings, on or topics.cancellation_dead_letter, wanted, limit))
    if as_json:
        typer.echo(json.dumps(letters_shown.document(found), indent=2))
    else:
        Console().print(letters_shown.draw(found))


@dead_letters.command()
def show(
    name: Annotated[str, typer.Argument(help="The letter's name: topic-partition-offset.")], *, as_json: AsJson = False
) -> None:
    """Show one letter: where it came from, why it stands aside, its headers and value, and what would come of it."""
    settings, _ = settings_or_stop()
    letter = finish(one(settings, name))
    if as_json:
        typer.echo(json.dumps(letters_shown.document_one(letter), indent=2))
    else:
        Console().print(letters_shown.draw_one(letter))


@dead_letters.command("replay")
def replay_letters(  # noqa: PLR0913  each is an option of the command
    names: Names = None,
    *,
    reason: Reason = None,
    topic: From = None,
    since: Since = None,
    on: On = None,
    to: Annotated[str | None, typer.Option(help="Send it to this topic, not to the one it came from.")] = None,
    data: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="With the data in this file.")] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="With another event id.")] = None,
    edit: Annotated[bool, typer.Option("--edit", help="With its data as you leave it in $EDITOR.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every letter that waits.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send letters again as the records they were; one that was replayed or discarded before is left alone."""
    settings, topics = settings_or_stop()
    if edit or data is not None or event_id is not None:
        letters: AsyncIterator[Sequence[Letter]] = only(_changed(settings, names, data, event_id, edit=edit))
    else:
        letters = _chosen(settings, topics, on, names, Wanted(reason, topic, _utc(since)), everything=everything)
    _tell(
        finish(replay(settings, topics.inputs, letters, to=to)), "on their way to where they came from", as_json=as_json
    )


@dead_letters.command("discard")
def discard_letters(  # noqa: PLR0913  each is an option of the command
    because: Annotated[str, typer.Option(help="Why they are not to be replayed; it is kept.")],
    names: Names = None,
    *,
    reason: Reason = None,
    topic: From = None,
    since: Since = None,
    on: On = None,
    everything: Annotated[bool, typer.Option("--all", help="Every letter that waits.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put letters away: they are no longer listed, and never replayed. They stay on their topic for its retention."""
    settings, topics = settings_or_stop()
    letters = _chosen(settings, topics, on, names, Wanted(reason, topic, _utc(since)), everything=everything)
    _tell(finish(discard(settings, letters, because)), "discarded", as_json=as_json)


def _chosen(
    settings: Settings, topics: Topics, on: str | None, names: list[str] | None, wanted: Wanted, *, everything: bool
) -> AsyncIterator[Sequence[Letter]]:
    """The letters that a command means: those named, or those that a filter finds."""
    if bool(names) == (everything or wanted != Wanted()):
        misused("Name letters, or say which with --reason, --topic and --since, or say --all.")
    return named(settings, names) if names else meant(settings, on or topics.cancellation_dead_letter, wanted)


def _changed(
    settings: Settings, names: list[str] | None, data: Path | None, event_id: str | None, *, edit: bool
) -> Letter:
    if names is None or len(names) != 1:
        misused("Name the one letter to be changed.")

    letter: Letter = finish(one(settings, names[0]))
    try:
        text = data.read_text("utf-8") if data is not None else editable(letter)
        return edited(letter, _edited(text) if edit else text, event_id)
    except LetterError as error:
        stop(str(error))
    except UnicodeDecodeError as error:
        stop(f"{data} is not text: {error}")


def _edited(text: str) -> str:
    """The text as the operator's editor leaves it."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.json"
        file.write_text(text, "utf-8")
        if subprocess.run([*editor, str(file)], check=False).returncode:  # noqa: S603  the operator's own editor
            stop("The editor ended with an error; nothing was replayed.")
        return file.read_text("utf-8")


def _tell(done: Done, what: str, *, as_json: bool) -> None:
    if as_json:
        refused = [{"name": name, "because": why} for name, why in done.refused]
        typer.echo(json.dumps({"done": done.done, "before": done.before, "refused": refused}, indent=2))
    else:
        before = f", {done.before} replayed or discarded before" if done.before else ""
        typer.echo(f"{done.done} {what}{before}")
        for name, why in done.refused:
            typer.echo(f"{name} {why}", err=True)
    if done.refused:
        raise typer.Exit(1)


def _utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)
