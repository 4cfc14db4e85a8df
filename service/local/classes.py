"""Kafka's classes, parsed and verified once: that halves its start.

A Java usually comes with an archive of its own classes, but the one in the wheel does not, so the first start makes it
(under a second). A broker that finds no archive of Kafka's classes on top of that one writes it when it stops (two
seconds). Java compares an archive with what it was made from, and does without one that does not fit.
"""

import contextlib
import hashlib
import shutil
import signal
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from service.local import jars
from service.local.process import Guards

_WRITTEN = 128 + signal.SIGTERM  # the status of a broker that was asked to end and did so in its own time


@dataclass(frozen=True)
class Sharing:
    """Java options, and what to do when the broker has ended.

    Attributes:
        use: for every Java that runs Kafka's classes.
        make: for the broker besides.
        made: the archive that the broker then writes.
        place: where that goes.
    """

    use: list[str] = field(default_factory=list)
    make: list[str] = field(default_factory=list)
    made: Path | None = None
    place: Path | None = None

    def keep(self, status: int) -> None:
        """Keeps the archive, unless the broker ended otherwise than asked to: then it may be half of one."""
        if self.made and self.place and status == _WRITTEN:
            _publish(self.made, self.place)


async def sharing(guards: Guards, home: Path, java: list[str], classpath: Sequence[Path]) -> Sharing:
    """Gives the options that use the archives, or make them.

    Args:
        guards: what runs Java here.
        home: a directory to work in.
        java: the command that runs Java, with its options.
        classpath: Kafka's jars.
    """
    folder = jars.cache() / "classes" / _key([Path(java[0]), *classpath])
    javas, kafkas = folder / "java.jsa", folder / "kafka.jsa"
    if kafkas.exists():
        return Sharing(use=[f"-XX:SharedArchiveFile={javas}:{kafkas}"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*-*.jsa"):  # of runs that were killed
            left.unlink()
    except OSError:
        return Sharing()
    if not javas.exists():
        made = home / "java.jsa"
        dump = guards.start([*java, "-Xshare:dump", f"-XX:SharedArchiveFile={made}"], home / "classes.log")
        if await dump.end():
            return Sharing()
        _publish(made, javas)
    made = folder / f"{uuid.uuid4()}.jsa"
    return Sharing([f"-XX:SharedArchiveFile={javas}"], [f"-XX:ArchiveClassesAtExit={made}"], made, kafkas)


def _key(files: Sequence[Path]) -> str:
    """Names what Java compares: an archive made from other files would be of no use and not be made anew."""
    status = ((str(file), file.stat()) for file in files)
    lines = (f"{path} {each.st_size} {each.st_mtime_ns}\n" for path, each in status)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def _publish(made: Path, place: Path) -> None:
    """Moves an archive into place, whole or not at all, and removes those made from other files."""
    with contextlib.suppress(OSError):  # another run was first, or the disk is full: the next start does without
        shutil.move(made, scratch := place.with_name(f"{uuid.uuid4()}.jsa"))
        scratch.replace(place)
        for other in set(place.parent.parent.iterdir()) - {place.parent}:
            shutil.rmtree(other, ignore_errors=True)
