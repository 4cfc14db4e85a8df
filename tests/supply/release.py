"""`make release`: the version that is being worked on, checked as a whole, committed and tagged.

    python -m tests.supply.release

In the folder it is called in: 0.1.0.dev0 becomes 0.1.0 where versions stand, its schemas are kept, and all that `make
check` looks at is looked at. Whatever is missing is said in a sentence, and nothing is then changed. Pushing is left to
whoever releases.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

_WORKED_ON = re.compile(r"((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))\.dev\d+")
_VERSIONED = {Path("pyproject.toml"): 'version = "{}"', Path("service/__init__.py"): '__version__ = "{}"'}
_RELEASED = Path("schemas/released")


def objections(version: str, worked_on: str) -> list[str]:
    """What speaks against releasing a version, by the files and by git; each a sentence on what to do."""
    found = [
        f"{file} does not say {line.format(worked_on)}."
        for file, line in _VERSIONED.items()
        if line.format(worked_on) not in file.read_text("utf-8").splitlines()
    ]
    found += _changelog(version, Path("CHANGELOG.md").read_text("utf-8"))
    if f"\n## {version}\n" not in Path("UPGRADING.md").read_text("utf-8"):
        found.append(f"UPGRADING.md has no section {version}: say what to know before upgrading, if only nothing.")
    if _git("tag", "--list", f"v{version}"):
        found.append(f"v{version} is tagged already: what is released is not changed; choose the next version.")
    if changed := _git("status", "--porcelain"):
        found.append(f"The tree is not clean; commit or put away first: {', '.join(changed.split()[1::2])}.")
    return found


def _changelog(version: str, text: str) -> list[str]:
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    dated = [name for name in sections if re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", name)]
    if not dated or not sections[dated[0]].strip():
        return [f"CHANGELOG.md says nothing under `## {version} - {date.today().isoformat()}`."]  # noqa: DTZ011
    if sections.get("Unreleased", "").strip():
        return [f"CHANGELOG.md still has lines under Unreleased: move them under {version}."]
    return []


def release(worked_on: str) -> str:
    """Releases the version that is being worked on; returns what stopped it, or nothing."""
    named = _WORKED_ON.fullmatch(worked_on)
    if named is None:
        return f"{worked_on} is not on the way to a version: set the next one in pyproject.toml, such as 1.2.3.dev0."
    version = named[1]
    if found := objections(version, worked_on):
        return "\n".join(found)
    for file, line in _VERSIONED.items():
        file.write_text(file.read_text("utf-8").replace(line.format(worked_on), line.format(version)), "utf-8")
    files = [str(file) for file in (*_VERSIONED, _RELEASED / version)]
    for target in ("release-schemas", "check"):
        if subprocess.run(["make", "--no-print-directory", target], check=False).returncode:  # noqa: S603, S607
            _git("checkout", "--", *files[:-1])
            _git("clean", "--force", "-d", "--quiet", "--", files[-1])
            return f"make {target} failed: nothing was released."
    _git("add", "--", *files)
    _git("commit", "--quiet", "--message", f"Release {version}")
    _git("tag", "--annotate", f"v{version}", "--message", version)
    sys.stdout.write(f"v{version} is tagged; git push --follow-tags publishes it. Then set the next version.\n")
    return ""


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=False, capture_output=True, text=True)  # noqa: S603, S607
    if done.returncode:
        sys.exit(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def main() -> str:
    """Releases what pyproject.toml names."""
    return release(str(tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["version"]))


if __name__ == "__main__":
    sys.exit(main() or None)
