"""Outside programs that tests use where they are: on the PATH, or in the cache that make built them into."""

from __future__ import annotations

import shutil
from pathlib import Path


def tool(name: str) -> str | None:
    return shutil.which(name) or next(map(str, Path(f".cache/{name}").resolve().glob(name)), None)
