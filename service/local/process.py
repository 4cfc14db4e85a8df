"""Servers as processes: start them under guards, wait until they answer, let them go."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from service.local import guard

_TAIL = 15  # lines of a log that an error shows
_START = 60.0  # seconds until a server must answer; a loaded machine takes a tenth of it
_PROBE = 10.0  # seconds for one attempt to talk to it
_PAUSE = 0.03  # seconds between two attempts


class LocalError(Exception):
    """The embedded servers cannot run.

    The message is one sentence that says what to do, followed by the end of the server's log where there is one.
    """


class Guarded:
    """One command under its guard.

    It runs until it ends, until `release`, or until this process is gone, in whatever way.
    """

    def __init__(self, order: guard.Order, log: Path, lock: int | None, ended: Callable[[int], None]) -> None:
        """Starts the command.

        Args:
            order: what to run and how to stop it.
            log: the file that takes its output; begun anew.
            lock: a file descriptor that the guard keeps open, so that a lock lasts until the server has stopped.
            ended: what the instance calls with the exit status when all have stopped.
        """
        self.ended = ended
        self._log = log
        with log.open("wb") as output:
            self._guard = subprocess.Popen(  # noqa: S603 - our own guard, with our own order
                [sys.executable, "-I", guard.__file__, order.to_json()],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=() if lock is None else (lock,),
            )

    def release(self) -> None:
        """Lets the guard stop the server; does not wait."""
        if self._guard.stdin:
            self._guard.stdin.close()

    @property
    def guard_id(self) -> int:
        """The process id of the guard, whose only child is the server."""
        return self._guard.pid

    async def end(self) -> int:
        """Waits until server and guard are gone, and gives the server's exit status."""
        return await asyncio.to_thread(self._guard.wait)

    async def answers(self, probe: Callable[[], Awaitable[bool]]) -> bool:
        """Waits until the server answers.

        Args:
            probe: tells whether this very server answers now; OSError and TimeoutError mean no.

        Returns:
            False when the server ended instead.

        Raises:
            LocalError: neither happens in a minute.
        """
        limit = time.monotonic() + _START
        while self._guard.poll() is None:
            try:
                async with asyncio.timeout(_PROBE):
                    if await probe():
                        return True
            except (OSError, TimeoutError):
                pass  # not yet
            if time.monotonic() > limit:
                raise self.failure(f"does not answer within {_START:.0f} s: give the machine more time or memory.")
            await asyncio.sleep(_PAUSE)
        return False

    def lost_its_port(self) -> bool:
        """Tells whether the server ended because another process had taken its port in the meantime."""
        return b"Address already in use" in self._log.read_bytes()

    def failure(self, sentence: str) -> LocalError:
        """Gives the error for a server that does not run.

        Args:
            sentence: what is wrong and what to do, without its subject, which is the server.
        """
        lines = self._log.read_text(errors="replace").splitlines()[-_TAIL:]
        return LocalError(
            "\n  ".join([f"The embedded {self._log.stem.capitalize()} {sentence} The end of its log:", *lines])
        )


class Guards:
    """All guards of one instance."""

    def __init__(self, *, temporary: bool, lock: int | None) -> None:
        """Starts none yet.

        Args:
            temporary: whether the data goes when the servers stop; they may then be fast instead of durable.
            lock: the file descriptor that holds the data directory's lock, if it has one.
        """
        self.temporary = temporary
        self._lock = lock
        self.started: list[Guarded] = []

    def start(
        self,
        command: list[str],
        log: Path,
        *,
        stop: Sequence[tuple[int, float]] = (),
        orphaned: int = signal.SIGKILL,
        user: tuple[int, int] | None = None,
        ended: Callable[[int], None] = lambda _: None,
    ) -> Guarded:
        """Starts a command in the directory of its log, which is removed with the server when the data is temporary.

        Args:
            command: the program and its arguments.
            log: takes the output; its name without suffix names the server in errors.
            stop: see `guard.Order`, as the other two.
            orphaned: see there.
            user: see there.
            ended: told the exit status once all servers have stopped.
        """
        home = str(log.parent)
        order = guard.Order(command, home, list(stop), orphaned, user, home if self.temporary else None)
        self.started.append(Guarded(order, log, self._lock, ended))
        return self.started[-1]

    async def stop(self) -> None:
        """Stops all servers at once and waits for them; interrupted, it leaves the rest to the guards."""
        for each in self.started:
            each.release()
        for each, status in zip(
            self.started, await asyncio.gather(*(each.end() for each in self.started)), strict=True
        ):
            each.ended(status)


def free_ports(count: int) -> list[int]:
    """Gives free TCP ports of 127.0.0.1; another process may still take one before the server does."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
