"""What `make rehearse` and deploy/RESTORE.md rely on: a database as it was at an instant."""

from __future__ import annotations

import asyncpg

from tests.chaos import servers
from tests.rehearsal.backup import Backup


async def test_a_database_that_is_lost_is_restored_as_it_was_at_an_instant() -> None:
    async with servers.home() as folder:
        database = servers.database(folder)
        async with servers.running(database):
            backup = Backup(database.address, folder / "backup", folder / "postgres/password")
            async with backup.archiving():
                connection = await asyncpg.connect(database.address)
                await connection.execute("create table said as select 1 as number")
                await backup.take()
                await connection.execute("insert into said values (2)")
                instant = await connection.fetchval("select clock_timestamp()")
                await connection.execute("insert into said values (3)")
                await connection.close()
                await backup.received()
            await database.kill()
            restored = await backup.restored(folder / "restored", instant)
            try:
                connection = await asyncpg.connect(database.address)
                assert await connection.fetchval("select array_agg(number order by number) from said") == [1, 2]
                await connection.execute("insert into said values (4)")
                await connection.close()
            finally:
                await restored.stop()
