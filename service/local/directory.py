"""The directory that holds the servers' data: temporary, or lasting and then held by one instance at a time."""

import asyncio
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from service.local.process import LocalError

_RELEASE = 30.0  # seconds for the guards of a killed instance to stop its servers


@asynccontextmanager
async def held(data_dir: Path | None) -> AsyncIterator[tuple[Path, int | None]]:
    """Gives the directory, and the descriptor that locks it if it is to last.

    Args:
        data_dir: which; without it, a temporary one.

    Raises:
        LocalError: it cannot be written, or another instance holds it.
    """
    if data_dir is None:
        with _temporary() as home:
            yield home, None
        return
    home, lock = _open(data_dir)
    try:
        await _take(lock, home)
        yield home, lock
    finally:
        os.close(lock)


@contextmanager
def _temporary() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="subscriptions-"))
    try:
        home.chmod(0o711)  # Postgres' user passes through when this is root
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)  # the guards have removed what was in it


def _open(data_dir: Path) -> tuple[Path, int]:
    home = data_dir.absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        return home, os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise LocalError(f"{home} cannot hold the data ({error.strerror}): choose another directory.") from error


async def _take(lock: int, home: Path) -> None:
    """Takes the lock, which holds the process id of its owner and lasts until the owner's guards are gone too.

    Raises:
        LocalError: its owner lives.
    """
    limit = time.monotonic() + _RELEASE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 20, 0).decode()
            if _lives(owner) or time.monotonic() > limit:
                raise LocalError(
                    f"{home} is in use by process {owner}: stop that, or choose another directory."
                ) from None
            await asyncio.sleep(0.05)  # its owner was killed, and the guards are stopping the servers
            continue
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        return


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
