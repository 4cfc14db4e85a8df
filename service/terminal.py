"""What every command does the same way: settings, logs, and an end in one sentence where a person can mend it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, NoReturn, TextIO

import asyncpg
import structlog
import typer
import uvloop
from aiokafka.errors import KafkaError

from service.demo.playing import PlayError
from service.local import LocalError
from service.ops.carrying import CarryingError
from service.ops.dead_letters import LetterError
from service.ops.forgetting import ForgettingError
from service.ops.rows import RowsError
from service.ops.sending import SendingError
from service.settings import Settings, SettingsError, Topics, load


def settings_or_stop() -> tuple[Settings, Topics]:
    """Settings and topic names from the environment."""
    try:
        return load()
    except SettingsError as error:
        stop(str(error))


def finish(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  whatever the work returns
    """Runs a command's work; what a person can mend ends in one sentence."""
    with suppress(KeyboardInterrupt):
        try:
            return uvloop.run(work)
        except (LocalError, PlayError, LetterError, SendingError, RowsError, CarryingError, ForgettingError) as error:
            stop(str(error))
        except KafkaError as error:
            stop(f"Kafka at KAFKA_BOOTSTRAP_SERVERS cannot be used: {error}")
        except (OSError, asyncpg.PostgresError) as error:
            stop(f"Postgres at DATABASE_URL cannot be used: {error}")
    raise typer.Exit(130)


def paragraphs(text: str) -> str:
    """A help text without the line breaks of its source, which the terminal sets itself."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def stop(sentence: str) -> NoReturn:
    """Ends a command with what is wrong."""
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


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
