#!/usr/bin/env python3
"""Makes `.venv` from `requirements-dev.txt`, once; every target of the Makefile runs this first.

The environment is finished when its stamp holds the key of what it was made from: the requirements' hash, the Python
and the place (a virtual environment does not survive being moved). The stamp is written last, so an interrupted
install is made again from nothing, and two runs side by side take turns behind a lock. Standard library only, and
nothing newer than Python 3.6 above the version check, so that an old Python gets a sentence and not a traceback.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is where it is enforced
    sys.exit(
        "This needs Python 3.11 or newer, and {} is {}.{}: run make PYTHON=/path/to/a/newer/python.".format(
            sys.executable, *sys.version_info[:2]
        )
    )

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements-dev.txt"
STAMP = ENVIRONMENT / "made-from"
LOCK = ROOT / ".cache" / "environment.lock"
# In an activated environment, possibly the very one to be made anew, the Python behind it.
PYTHON = getattr(sys, "_base_executable", None) or sys.executable


def key() -> str:
    """Names everything that asks for a new environment when it changes."""
    python = "{}.{}".format(*sys.version_info[:2])
    return f"{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()} {python} {ENVIRONMENT}\n"


def finished() -> bool:
    """Tells whether the environment stands, complete and up to date."""
    try:
        return STAMP.read_text() == key() and os.access(ENVIRONMENT / "bin" / "python", os.X_OK)
    except OSError:
        return False


@contextmanager
def alone() -> Iterator[int]:
    """Waits until no other run in this checkout makes the environment, and gives the lock's descriptor.

    The kernel frees the lock once every process that has it open is gone, however they end.
    """
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run that makes .venv …\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def say(text: str) -> None:
    """Writes to stderr: stdout belongs to the command that follows."""
    sys.stderr.write(text)
    sys.stderr.flush()


def make(lock: int) -> None:
    """Makes the environment from nothing.

    Raises:
        SystemExit: with one sentence that says what to do.
    """
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        sys.exit(
            f"{PYTHON} comes without venv or ensurepip: install them (on Debian and Ubuntu: "
            "apt install python3-venv), then run make again."
        )
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    command = [PYTHON, "-m", "venv", str(ENVIRONMENT)]
    created = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if created.returncode:
        sys.exit(f"{created.stdout}{created.stderr}{PYTHON} -m venv failed: see above what it lacks.")
    install(lock)
    STAMP.write_text(key())


def install(lock: int) -> None:
    """Installs every pinned package by its hash, and shows how far it is.

    Args:
        lock: stays open in pip, so that the pip of a killed run does not meet the next run's.

    Raises:
        SystemExit: with pip's last lines and one sentence that says what to do.
    """
    wanted = sum("==" in line for line in REQUIREMENTS.read_text().splitlines())
    options = ["--require-hashes", "--only-binary=:all:", "--progress-bar=off", "--disable-pip-version-check"]
    command = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", *options, "-r", str(REQUIREMENTS)]
    begin, seen, last = time.monotonic(), 0, deque[str](maxlen=12)
    say(f"installing {wanted} packages into .venv, once …\n")
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=[lock]
    ) as pip:
        for line in pip.stdout or ():
            last.append(line)
            seen += line.startswith("Collecting ")
            if sys.stderr.isatty():
                say(f"\r{f'  {seen} of {wanted}: {line.strip()}':.78}\x1b[K")
    if sys.stderr.isatty():
        say("\r\x1b[K")
    if pip.returncode:
        sys.exit("".join(last) + advice("".join(last).lower()))
    say(f"installed in {time.monotonic() - begin:.0f} s\n")


def advice(said: str) -> str:
    """Gives the sentence for pip's last words."""
    if any(word in said for word in ("connection", "resolve", "unreachable", "timed out", "ssl", "proxy")):
        return "The package index could not be reached: check network, proxy and pip's settings, then run make again."
    return "pip could not install requirements-dev.txt on this platform or Python: see above."


if __name__ == "__main__" and not finished():
    with alone() as held:
        if not finished():
            make(held)
