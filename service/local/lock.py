"""Writes `kafka.lock` anew: `python -m service.local.lock [VERSION]`, by default for the version that it has.

The binding of log4j to slf4j is resolved apart from Kafka, whose own jars expect it but do not name it: together, jgo
would let log4j's bill of materials choose the versions of Kafka's clients.
"""

import re
import sys
import tempfile
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver

from service.local.jars import LOCK, sha256

_HEAD = "# Kafka, what it needs at run time, and its log4j binding, in class path order; `make lock` writes this.\n"
_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"


def lock(version: str) -> str:
    """Resolves a version of Kafka and fetches its jars.

    Args:
        version: such as 4.3.1.

    Returns:
        The lock's text.
    """
    with tempfile.TemporaryDirectory() as scratch:
        maven = MavenContext(resolver=PythonResolver(), repo_cache=Path(scratch), timeout=30)
        kafka, needed = maven.resolver.resolve([maven.create_dependency(f"org.apache.kafka:kafka_2.13:{version}")])
        artifacts = [each.artifact for each in (*kafka, *needed)]
        (log4j,) = (each.version for each in artifacts if each.artifactId == "log4j-core")
        artifacts.append(maven.create_dependency(f"{_BINDING}:{log4j}").artifact)
        lines = [f"{each.groupId}:{each.artifactId}:{each.version} {sha256(each.resolve())}\n" for each in artifacts]
    return _HEAD + "".join(lines)


def _version() -> str:
    (version,) = re.findall(r"^org\.apache\.kafka:kafka_2\.13:(\S+)", LOCK.read_text(), re.MULTILINE)
    return str(version)


if __name__ == "__main__":
    LOCK.write_text(lock(sys.argv[1] if len(sys.argv) > 1 else _version()))
