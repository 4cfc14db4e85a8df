"""The guard: a small process that keeps one server from outliving whoever started it.

    python guard.py '{"command": […], …}'      (the fields of `Order`)

It starts the server and then waits for one of three things. Its standard input ends: whoever started it has let go or
is dead, even by SIGKILL, for the kernel closes the pipe either way. A signal asks it to stop. Or the server ends by
itself. In the first two cases it stops the server, gently first, and removes what it was told to remove.

It sits in a session of its own, where the terminal's Ctrl-C does not reach it. On Linux the server dies with a killed
guard too, and whatever the server forks off is adopted here and ends here. Standard library only, and run by its path:
it must start fast and not depend on what it guards.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # of Linux' prctl
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_ASKS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LAST_GRACE = 2.0  # seconds for what the server forked off to notice that it is gone


@dataclass(frozen=True)
class Order:
    """What a guard is told, as JSON in its only argument.

    Attributes:
        command: the server and its arguments.
        directory: the server's working directory.
        stop: signals that ask it to end, each with the seconds it is given; SIGKILL follows.
        orphaned: the signal it gets when the guard itself is killed (Linux only).
        user: user and group id to run it as, for a guard that runs as root.
        remove: a directory to remove after stopping; its parent goes too once it is empty.
    """

    command: list[str]
    directory: str
    stop: list[tuple[int, float]]
    orphaned: int = signal.SIGKILL
    user: tuple[int, int] | None = None
    remove: str | None = None

    def to_json(self) -> str:
        """Gives the argument for a guard."""
        return json.dumps(asdict(self))


def guard(order: Order) -> int:
    """Runs the server until it ends or is to end.

    Returns:
        The server's exit status; 128 and more when it died of a signal.
    """
    wakeups = _signals_as_bytes()
    if _LIBC:
        _LIBC.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = _start(order)
    asked = _asked_to_stop(server, wakeups)
    if asked:
        _stop(server, order.stop)
    _bury()
    if asked and order.remove:
        _remove(Path(order.remove))
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _signals_as_bytes() -> int:
    """Turns signals into bytes of a pipe, so that one `select` waits for everything."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    for number in (*_ASKS, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def _start(order: Order) -> "subprocess.Popen[bytes]":
    """Starts the server in a clean environment: the caller's PG* and JAVA_* variables would change what it does."""
    guard_pid = os.getpid()

    def die_with_guard() -> None:
        if _LIBC:
            _LIBC.prctl(_SET_PDEATHSIG, order.orphaned, 0, 0, 0)
            if os.getppid() != guard_pid:
                os._exit(1)

    user, group = order.user or (None, None)
    return subprocess.Popen(  # noqa: S603 - to run what it is told is all that a guard is for
        order.command,
        cwd=order.directory,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        process_group=0,
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        preexec_fn=die_with_guard,  # noqa: PLW1509 - this process has one thread
    )


def _asked_to_stop(server: "subprocess.Popen[bytes]", wakeups: int) -> bool:
    """Waits until the server ended by itself (False) or is to end (True)."""
    while server.poll() is None:
        ready, _, _ = select.select([sys.stdin, wakeups], [], [])
        if sys.stdin in ready:  # nobody ever writes there: it has ended
            return True
        if set(os.read(wakeups, 64)) & set(_ASKS):
            return True
    return False


def _stop(server: "subprocess.Popen[bytes]", stop: list[tuple[int, float]]) -> None:
    for number, seconds in stop:
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(seconds)
            return
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _bury() -> None:
    """Waits for what the server left behind, and kills what does not end by itself."""
    limit = time.monotonic() + _LAST_GRACE
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if ended:
            continue
        if time.monotonic() > limit and children.exists():
            for pid in children.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.01)


def _remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(OSError):  # another server's directory is still in there: its guard removes the rest
        directory.parent.rmdir()


if __name__ == "__main__":
    sys.exit(guard(Order(**json.loads(sys.argv[1]))))
