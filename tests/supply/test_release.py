"""A release happens whole or not at all, and says what it lacks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
MAKEFILE = """\
release-schemas:
\t@mkdir -p schemas/released/0.1.0 && echo '{}' > schemas/released/0.1.0/a.v1.json
check:
\t@test ! -e broken
"""
FILES = {
    "Makefile": MAKEFILE,
    "pyproject.toml": '[project]\nname = "s"\nversion = "0.1.0.dev0"\n',
    "service/__init__.py": '__version__ = "0.1.0.dev0"\n',
    "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## 0.1.0 - 2026-11-24\n\n### Added\n\n- All of it.\n",
    "UPGRADING.md": "# Upgrading\n\n## 0.1.0\n\nThe first.\n",
}
Write = Callable[[str, str], None]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that is ready to be released."""
    for name, value in {"NAME": "t", "EMAIL": "t@example.com"}.items():
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for name, text in FILES.items():
        write(tmp_path, name, text)
    return tmp_path


def write(project: Path, name: str, text: str) -> None:
    """A file, committed."""
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(text)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", name)


def git(project: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)  # noqa: S603
    return done.stdout.strip()


def release(project: Path) -> tuple[int, str]:
    """The exit code and what was said."""
    command = [sys.executable, "-m", "tests.supply.release"]
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)  # noqa: S603
    return done.returncode, done.stdout + done.stderr


def test_what_is_ready_is_released_with_its_schemas_once(project: Path) -> None:
    code, said = release(project)
    assert (code, said.startswith("v0.1.0 is tagged; git push --follow-tags publishes it.")) == (0, True), said
    assert git(project, "show", "v0.1.0:service/__init__.py") == '__version__ = "0.1.0"'
    assert 'version = "0.1.0"' in git(project, "show", "v0.1.0:pyproject.toml")
    assert git(project, "show", "v0.1.0:schemas/released/0.1.0/a.v1.json") == "{}"
    assert git(project, "status", "--porcelain") == ""
    code, said = release(project)
    assert (code, "0.1.0 is not on the way to a version: set the next one" in said) == (1, True)
    git(project, "checkout", "--quiet", "HEAD~")
    code, said = release(project)
    assert (code, "v0.1.0 is tagged already: what is released is not changed" in said) == (1, True)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("pyproject.toml", '[project]\nversion = "0.1.0"\n', "0.1.0 is not on the way to a version"),
        ("pyproject.toml", '[project]\nversion = "0.1.dev0"\n', "0.1.dev0 is not on the way to a version"),
        ("service/__init__.py", '__version__ = "0.0.9"\n', "service/__init__.py does not say __version__ ="),
        ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n- All.\n", "CHANGELOG.md says nothing under `## 0.1.0 - "),
        ("CHANGELOG.md", "\n## 0.1.0 - 2026-11-24\n\n## 0.0.1 - 2026-11-01\n\n- It.\n", "CHANGELOG.md says nothing"),
        (
            "CHANGELOG.md",
            "\n## Unreleased\n\n- More.\n\n## 0.1.0 - 2026-11-24\n\n- It.\n",
            "still has lines under",
        ),
        ("UPGRADING.md", "# Upgrading\n\n## 0.2.0\n\nMuch.\n", "UPGRADING.md has no section 0.1.0"),
        ("broken", "", "make check failed: nothing was released."),
        ("Makefile", "release-schemas:\n\t@false\n", "make release-schemas failed: nothing was released."),
    ],
)
def test_what_is_not_ready_is_refused_with_what_it_lacks_and_nothing_is_changed(
    project: Path, name: str, text: str, why: str
) -> None:
    write(project, name, text)
    before = git(project, "rev-parse", "HEAD")
    code, said = release(project)
    assert (code, why in said) == (1, True), said
    assert (git(project, "tag"), git(project, "rev-parse", "HEAD")) == ("", before)
    assert git(project, "status", "--porcelain") == ""


def test_what_is_not_committed_is_not_released(project: Path) -> None:
    (project / "notes.txt").write_text("mine")
    code, said = release(project)
    assert (code, "The tree is not clean; commit or put away first: notes.txt." in said) == (1, True), said
    assert git(project, "tag") == ""


def test_the_version_is_one_everywhere() -> None:
    command = [sys.executable, "-m", "service", "--version"]
    done = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True)  # noqa: S603
    assert f'\nversion = "{done.stdout.strip()}"\n' in (CHECKOUT / "pyproject.toml").read_text("utf-8")
