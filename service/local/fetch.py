"""Fetching jars from a Maven repository, through jgo, which knows where Maven Central is.

Each jar goes into a scratch directory first, is compared with the lock there, and is then moved into place, so that
whoever looks finds it whole or not at all.
"""

import contextlib
import os
import shutil
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver
from rich.console import Console
from rich.progress import Progress, TaskID

from service.local.jars import Jar, sha256
from service.local.process import LocalError

_ROUNDS = 3  # of attempts at what failed
_AT_ONCE = 8
_TIMEOUT = 15  # seconds for the repository to answer
_SCRATCH = "fetching-"


class _AbandonedError(Exception):
    """Nobody waits for the jars any more."""


class _OtherJarError(Exception):
    """The repository gave another jar than the one in the lock."""


def fetch(jars: list[Jar], folder: Path, repository: str | None, abandoned: threading.Event) -> None:
    """Fetches jars, and shows on stderr how far it is. Only one run at a time may work on a folder.

    Args:
        jars: which.
        folder: where they go.
        repository: the URL of a Maven repository; by default Maven Central.
        abandoned: set when the jars are no longer wanted.

    Raises:
        LocalError: they cannot be had.
    """
    for left in folder.glob(f"{_SCRATCH}*"):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    console = Console(stderr=True, highlight=False)
    console.print(f"fetching Kafka, {len(jars)} jars, once …")
    begin = time.monotonic()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        whole = progress.add_task("jars", total=len(jars))
        failures = _Fetch(folder, repository, abandoned, progress, whole).all(jars)
    if failures:
        raise _explained(failures)
    console.print(f"fetched in {time.monotonic() - begin:.0f} s")


@dataclass(frozen=True)
class _Fetch:
    folder: Path
    repository: str | None
    abandoned: threading.Event
    progress: Progress
    whole: TaskID

    def all(self, jars: list[Jar]) -> dict[Jar, Exception]:
        """Fetches one, which shows whether there is a way at all, then the rest; gives what failed in the end."""
        return self._rounds(jars[:1]) or self._rounds(jars[1:])

    def _rounds(self, jars: list[Jar]) -> dict[Jar, Exception]:
        failures: dict[Jar, Exception] = {}
        for _ in range(_ROUNDS):
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=_SCRATCH) as scratch:
                maven = MavenContext(
                    resolver=PythonResolver(progress_callback=self._shown),
                    repo_cache=Path(scratch),
                    remote_repos={"given": self.repository} if self.repository else None,
                    timeout=_TIMEOUT,
                )
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    ends = list(pool.map(self._one, jars, repeat(maven)))
            failures = {jar: failure for jar, failure in zip(jars, ends, strict=True) if failure}
            if not failures or self.abandoned.is_set():
                break
            if any("SSL" in type(failure).__name__ for failure in failures.values()):
                _trust_the_system()
            jars = list(failures)
        return failures

    def _one(self, jar: Jar, maven: MavenContext) -> Exception | None:
        try:
            if self.abandoned.is_set():
                raise _AbandonedError  # noqa: TRY301 - as from within the download
            path = maven.create_dependency(jar.coordinate).artifact.resolve()
            if (found := sha256(path)) != jar.sha256:
                return _OtherJarError(f"{jar.coordinate} as fetched has the sha256 {found}")
            path.replace(self.folder / jar.filename)
            self.progress.advance(self.whole)
        except (
            OSError,
            RuntimeError,
            _AbandonedError,
        ) as failure:  # requests' errors are OSErrors, jgo's RuntimeErrors
            return failure
        return None

    @contextlib.contextmanager
    def _shown(self, filename: str, size: int) -> Iterator[Callable[[int], None]]:
        """Shows one download; jgo tells the size and then each piece, in bytes."""
        task = self.progress.add_task(filename, total=size)

        def advance(count: int) -> None:
            if self.abandoned.is_set():
                raise _AbandonedError
            self.progress.advance(task, count)

        try:
            yield advance
        finally:
            self.progress.remove_task(task)


def _trust_the_system() -> None:
    """Makes requests believe the system's certificates, where a company's own may be, instead of certifi's."""
    paths = ssl.get_default_verify_paths()
    if store := paths.cafile or paths.capath:
        os.environ.setdefault("REQUESTS_CA_BUNDLE", store)


def _explained(failures: dict[Jar, Exception]) -> LocalError:
    for failure in failures.values():
        if isinstance(failure, _OtherJarError):
            return LocalError(
                f"{failure}, not the one in kafka.lock: fetch it from elsewhere, or renew it by make lock."
            )
    jar, failure = next(iter(failures.items()))
    why = getattr(failure, "strerror", None) or type(failure).__name__
    return LocalError(
        f"Kafka's jars could not be fetched from Maven Central ({jar.coordinate}: {why}): "
        "check network, proxy and disk, then start again."
    )
