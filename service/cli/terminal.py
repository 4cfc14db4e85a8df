"""What every command does the same way: settings, logs, and an end in one sentence where a person can mend it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Annotated, Any, NoReturn, TextIO, TypeAlias

import asyncpg
import structlog
import typer
import uvloop
from aiokafka.errors import KafkaConnectionError, KafkaError

from service.demo.playing import PlayError
from service.local import LocalError
from service.ops.carrying import CarryingError
from service.ops.dead_letters import LetterError
from service.ops.forgetting import ForgettingError
from service.ops.rows import RowsError
from service.ops.sending import SendingError
from service.refusals import connecting, described, unreached
from service.settings import Settings, SettingsError, Topics, load
from service.store.migrate import SchemaBehindError
from service.store.roles import RolesError

_MENDABLE = (
    *(SettingsError, LocalError, PlayError, LetterError, SendingError, RowsError, CarryingError),
    *(SchemaBehindError, RolesError, ForgettingError),
)
"""What says in its message what a person is to do."""

SEE, RUN, LOOK = "See it work", "Run it", "Look: nothing is changed"
ASK, MEND, BUILD = "Ask, through Kafka", "Mend", "Build upon it"
"""What the commands are for, as the help groups them."""

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="For programs.")]
"""The option of every command that programs read."""


def settings_or_stop() -> tuple[Settings, Topics]:
    """Settings and topic names from the environment."""
    try:
        return load()
    except SettingsError as error:
        stop(str(error))


def finish(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  whatever the work returns
    """Runs a command's work; what a person can mend ends in one sentence."""
    if not structlog.is_configured():  # a command that keeps no log: warnings are no part of what it answers
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        logging.getLogger().addHandler(logging.NullHandler())
        connecting.quiet = True
    with suppress(KeyboardInterrupt):
        try:
            return uvloop.run(work)
        except _MENDABLE as error:
            stop(str(error))
        except KafkaError as error:
            if isinstance(error, KafkaConnectionError) and not connecting.latest:
                stop(f"Kafka does not answer at {load()[0].kafka_bootstrap_servers} (KAFKA_BOOTSTRAP_SERVERS).")
            stop(f"Kafka at KAFKA_BOOTSTRAP_SERVERS cannot be used: {connecting.latest or described(error)}")
        except asyncpg.InsufficientPrivilegeError as error:
            stop(f"The user of DATABASE_URL may not do that ({error}): see `Users of the database` in the README.")
        except asyncpg.UndefinedTableError:
            stop("The database at DATABASE_URL is not set up: `python -m service migrate` does it.")
        except asyncpg.InterfaceError:
            stop("DATABASE_URL is no address that can be used; postgresql://user@host:5432/database is one.")
        except (OSError, asyncpg.PostgresError) as error:
            said = error.strerror if isinstance(error, OSError) and unreached(error) else None
            stop(f"Postgres at DATABASE_URL cannot be used: {said or described(error)}")
    raise typer.Exit(130)


def paragraphs(text: str) -> str:
    """A help text without the line breaks of its source, which the terminal sets itself."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def stop(sentence: str) -> NoReturn:
    """Ends a command that could not be done, with why."""
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


def misused(sentence: str) -> NoReturn:
    """Ends a command that was given wrongly, with what to do."""
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


def log_lines(stream: TextIO = sys.stderr) -> None:
    """One JSON object a line, and the libraries' own warnings with it."""
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(name)s: %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
