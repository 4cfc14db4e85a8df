"""Kafka's jars: the ones in `kafka.lock`, byte by byte, kept in the cache.

A jar is in the cache whole or not at all, and every start compares all of them with the lock again (a tenth of a
second). Which jars those are is decided in `lock.py`, and `fetch.py` gets them.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.local.process import LocalError

LOCK = Path(__file__).with_name("kafka.lock")


@dataclass(frozen=True)
class Jar:
    """A line of the lock."""

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        """Its name in the repository and in the cache."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def locked() -> list[Jar]:
    """Reads the lock: `group:artifact:version sha256` a line, in the order of the class path."""
    lines = LOCK.read_text().splitlines()
    return [Jar(*line.split()) for line in lines if not line.startswith("#")]


def cache() -> Path:
    """Gives the directory for what can be fetched or made again: `SERVICE_CACHE`, or `.cache` in the checkout."""
    if given := os.environ.get("SERVICE_CACHE"):
        return Path(given).absolute()
    checkout = Path(__file__).parents[2]
    return checkout / ".cache" if (checkout / "pyproject.toml").exists() else Path.home() / ".cache" / "subscriptions"


async def ensure(jars: list[Jar], folder: Path, repository: str | None = None) -> list[Path]:
    """Gives the paths of jars that are what the lock says, after fetching what is missing or broken.

    Args:
        jars: which.
        folder: where they are kept.
        repository: the URL of a Maven repository; by default Maven Central.

    Raises:
        LocalError: they cannot be had.
    """
    abandoned = threading.Event()
    try:
        await asyncio.to_thread(_ensure, jars, folder, repository, abandoned)
    except OSError as error:
        raise LocalError(f"{folder} cannot be written ({error}): set SERVICE_CACHE to a directory that can.") from error
    finally:
        abandoned.set()  # a thread cannot be cancelled: it looks here
    return [folder / jar.filename for jar in jars]


def sha256(path: Path) -> str | None:
    """Gives a file's hash; None if there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _ensure(jars: list[Jar], folder: Path, repository: str | None, abandoned: threading.Event) -> None:
    if not _missing(jars, folder):
        return
    try:
        from service.local import fetch  # noqa: PLC0415 - half a second of imports, for the first start only
    except ImportError as error:
        raise LocalError("The Python package jgo is missing: run make, or pip install jgo.") from error
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, abandoned):
        if missing := _missing(jars, folder):
            fetch.fetch(missing, folder, repository, abandoned)


def _missing(jars: list[Jar], folder: Path) -> list[Jar]:
    return [jar for jar in jars if sha256(folder / jar.filename) != jar.sha256]


@contextlib.contextmanager
def _alone(folder: Path, abandoned: threading.Event) -> Iterator[None]:
    """Waits until no other run fetches; the kernel frees the lock of a killed one."""
    with (folder / "lock").open("w") as lock:
        while not abandoned.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                abandoned.wait(0.1)
        yield
