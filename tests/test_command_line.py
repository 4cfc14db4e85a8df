"""The command line as a newcomer meets it: what it can do, what was given wrongly, and where nothing answers."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import cli
from tests.command_line import CommandLine
from tests.conftest import Running

AWAY = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "DATABASE_URL": "postgresql://user:secret@127.0.0.1:1/none"}
COMMANDS = [
    *("run", "local", "demo", "migrate", "topics", "timeline", "preview", "cancel", "move", "revoke", "dead-letters"),
    *("adjustments", "verify", "import", "schemas", "export", "held", "resume", "forget"),
]
READS_POSTGRES = [
    *(["timeline", "S1"], ["verify"], ["resume", "--all"], ["export"], ["dead-letters", "list"]),
]
SENDS = [["cancel", "S1", "--earliest"], ["topics"]]


def service(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Runs the command line where no server answers: its exit code and what it wrote."""
    given = {**os.environ, **AWAY, "COLUMNS": "200", **environment}
    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "service", *arguments], env=given, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def shown(*arguments: str) -> tuple[int, str, str]:
    """The same within this process, for what ends before anything is asked of a server."""
    result = CliRunner().invoke(cli, arguments, env={**AWAY, "COLUMNS": "200"}, prog_name="python -m service")
    return result.exit_code, result.stdout, " ".join(result.stderr.replace("│", " ").split())


def test_the_help_names_every_command_and_what_exit_codes_mean() -> None:
    code, out, _ = shown("--help")
    assert code == 0
    listed = re.findall(r"^│ ([a-z][a-z-]+) +\S", out, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    assert "Exit codes: 0 done; 1 not done" in out
    assert {group.name for group in cli.registered_groups} == {"dead-letters", "schemas"}


@pytest.mark.parametrize("arguments", READS_POSTGRES, ids=" ".join)
def test_a_postgres_that_is_away_is_said_in_a_sentence(arguments: list[str]) -> None:
    code, out, err = service(*arguments)
    assert (code, out) == (1, "")
    assert err == "Postgres at DATABASE_URL cannot be used: Connection refused\n"


@pytest.mark.parametrize("arguments", SENDS, ids=" ".join)
def test_a_kafka_that_is_away_is_said_in_a_sentence(arguments: list[str]) -> None:
    assert service(*arguments) == (1, "", "Kafka does not answer at 127.0.0.1:1 (KAFKA_BOOTSTRAP_SERVERS).\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["timeline"], "Missing argument 'subscription'"),
        (["preview", "S1", "--date", "tomorrow"], "'tomorrow' does not match"),
        (["adjustments", "--older-than", "-1"], "greater than or equal to 0"),
        (["cancel", "S1"], "exactly one of --immediately"),
        (["resume"], "Name one subscription, or --all."),
        (["dead-letters", "replay"], "Name letters, or say which"),
        (["dead-letters", "discard", "x-0-0"], "Missing option '--because'"),
        (["import"], "Missing argument 'file'"),
    ],
    ids=str,
)
def test_what_was_given_wrongly_is_told_with_exit_code_2(arguments: list[str], sentence: str) -> None:
    code, out, err = shown(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("HTTP_BIND", "8080", "host:port, such as 127.0.0.1:8080"),
        ("SEAL_GRACE", "soon", "seconds, or as PT24H"),
        ("DATABASE_URL", "nonsense", "an address such as postgresql://user:password@host:5432/database"),
        ("DATABASE_URL", "postgres://user:se/cret@127.0.0.1/x", "an address such as"),
        ("DATABASE_URL", "postgres://user:secret@127.0.0.1:x/x", "an address such as"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_what_it_is_to_be(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, wanted: str
) -> None:
    monkeypatch.setitem(AWAY, name, value)
    code, out, err = shown("run")
    assert (code, out) == (1, "")
    assert err.startswith(f"The environment variable {name} cannot be used: it is to be {wanted}")
    assert "cret" not in err


@pytest.mark.parametrize(("text", "suffix"), [("", "csv"), ("", "ndjson"), ("nonsense", "ndjson"), ("\n", "csv")])
def test_a_file_that_is_none_is_refused_before_anything_is_sent(tmp_path: Path, text: str, suffix: str) -> None:
    file = tmp_path / f"book.{suffix}"
    file.write_text(text)
    code, out, err = service("import", str(file), "--dry-run")
    assert code in {0, 1}
    assert "nothing was sent" in out or len(err.splitlines()) == 1
    assert "Traceback" not in err


async def test_what_has_been_done_is_told_to_people_and_to_programs(running: Running) -> None:
    ask = CommandLine(running)
    assert await ask("migrate") == (0, "nothing to do: all of it is applied\n", "")
    code, out, err = await ask("topics", "--json")
    assert (code, json.loads(out), err) == (0, {"created": []}, "")
    outcomes = await asyncio.gather(
        *(
            ask(*arguments, "--json")
            for arguments in (["timeline", "nobody"], ["preview", "nobody"], ["resume", "nobody"])
        )
    )
    for code, out, err in outcomes:
        assert (code, out, len(err.splitlines())) == (1, "", 1)
        assert "nobody" in err
    for command in (["adjustments"], ["held"], ["dead-letters", "list"], ["verify"]):
        code, out, _ = await ask(*command, "--json")
        assert code == 0
        json.loads(out)
