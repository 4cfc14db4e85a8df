"""Who is not let in at Postgres' door, and in which words the service says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest

from service import clients
from service.refusals import described
from service.settings import load
from tests.security.attempts import attempts
from tests.security.transport.authority import Authority
from tests.security.transport.database import Locked

ATTEMPTS = attempts("3-postgres")
TRIED: Mapping[str, Callable[[Locked, Path], str]] = {
    "wrong-authority": lambda server, folder: server.url(sslrootcert=str(Authority(folder / "stranger").file)),
    "wrong-name": lambda server, _: server.url(host="127.0.0.1"),
    "expired-server": lambda server, _: server.url(),
    "wrong-password": lambda server, _: server.url(),
    "unknown-user": lambda server, _: server.url(user="somebody"),
    "no-encryption": lambda server, _: server.url(sslmode="disable"),
}


def test_each_attempt_of_the_table_is_tried() -> None:
    assert TRIED.keys() == ATTEMPTS.keys()


@pytest.mark.parametrize("name", TRIED)
async def test_whoever_has_a_wrong_key_is_refused_and_told_what_to_do(
    name: str, database_server: Locked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "not-the-password" if name == "wrong-password" else database_server.password
    monkeypatch.setenv("DATABASE_URL", TRIED[name](database_server, tmp_path))
    monkeypatch.setenv("DATABASE_PASSWORD", password)
    settings, _ = load()
    showing = database_server.showing(database_server.expired) if name == "expired-server" else nullcontext()
    async with showing:
        with pytest.raises(Exception) as refusal:  # noqa: PT011  which it is, the words say
            await clients.connect(settings)
    assert described(refusal.value) == ATTEMPTS[name].refusal
    assert password not in f"{settings!r} {described(refusal.value)}"


async def test_with_the_right_keys_a_connection_is_encrypted_and_proven_by_scram(
    database_server: Locked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_server.url())
    monkeypatch.setenv("DATABASE_PASSWORD", database_server.password)
    connection = await clients.connect(load()[0])
    assert await connection.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    kept = await connection.fetchval("select rolpassword from pg_authid where rolname = current_user")
    assert kept.startswith("SCRAM-SHA-256$")
    await connection.close()
