"""Programs of others from Maven Central, byte by byte as their lock says, kept in the cache.

`python -m tests.contracts.elsewhere.maven` writes the locks anew.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver

from service.local.jars import cache, sha256

HERE = Path(__file__).parent
QUICKSTARTS = Path("schemas/quickstarts/java")
ECJ = "org.eclipse.jdt:ecj:3.46.100"
"""A compiler that runs on a runtime alone."""


def _named(folder: Path) -> tuple[str, ...]:
    """What the programs of a folder say that they need."""
    lines = [line for file in sorted(folder.glob("*.java")) for line in file.read_text("utf-8").splitlines()]
    return tuple(dict.fromkeys(line.split()[1] for line in lines if line.startswith("//DEPS ")))


WANTED = {
    "java": (
        "org.jsonschema2pojo:jsonschema2pojo-cli:1.2.1",
        "com.fasterxml.jackson.datatype:jackson-datatype-jsr310:2.14.2",
        ECJ,
    ),
    "quickstarts": (*_named(QUICKSTARTS), ECJ),
    "registry": ("io.apicurio:apicurio-registry-app:3.3.3:all:tar.gz",),
}


def fetched(name: str) -> list[Path]:
    """The files of a lock, after fetching what is missing.

    Raises:
        ValueError: a file is not the one in the lock.
    """
    folder = cache() / "contracts" / name
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for line in (HERE / f"{name}.lock").read_text("utf-8").splitlines():
        coordinate, locked = line.split()
        path = folder / _file_name(coordinate)
        if sha256(path) != locked:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                given = _resolve(_maven(Path(scratch)), coordinate)
                if sha256(given) != locked:
                    raise ValueError(f"{coordinate} as fetched is not the one in {name}.lock")
                given.replace(path)
        found.append(path)
    return found


def _lock(name: str) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        maven = _maven(Path(scratch))
        wanted = list(WANTED[name])
        if name != "registry":  # which is a program, whole
            _, needed = maven.resolver.resolve([maven.create_dependency(each) for each in wanted])
            listed = (each.artifact for each in needed)
            wanted += [f"{each.groupId}:{each.artifactId}:{each.version}" for each in listed]
        return "".join(f"{each} {sha256(_resolve(maven, each))}\n" for each in dict.fromkeys(wanted))


def _maven(folder: Path) -> MavenContext:
    return MavenContext(resolver=PythonResolver(), repo_cache=folder, timeout=60)


def _resolve(maven: MavenContext, coordinate: str) -> Path:
    group, artifact, version, classifier, packaging = (*coordinate.split(":"), "", "jar")[:5]
    return Path(maven.project(group, artifact).at_version(version).artifact(classifier, packaging).resolve())


def _file_name(coordinate: str) -> str:
    _, artifact, version, classifier, packaging = (*coordinate.split(":"), "", "jar")[:5]
    return f"{artifact}-{version}{classifier and '-'}{classifier}.{packaging}"


if __name__ == "__main__":
    for each in sys.argv[1:] or WANTED:
        (HERE / f"{each}.lock").write_text(_lock(each), "utf-8")
