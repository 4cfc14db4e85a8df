"""The house is built as it is drawn."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

DOMAIN = Path("service/domain")
VALUE_LIBRARIES = {"iso4217"}


@pytest.mark.parametrize("file", sorted(DOMAIN.glob("*.py")), ids=lambda file: file.name)
def test_the_domain_imports_only_itself_the_standard_library_and_value_libraries(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            root = name.split(".")[0]
            own = name == "service.domain" or name.startswith("service.domain.")
            assert own or root in VALUE_LIBRARIES or root in sys.stdlib_module_names, f"{file} imports {name}"


@pytest.mark.parametrize("file", sorted(DOMAIN.glob("*.py")), ids=lambda file: file.name)
def test_the_domain_never_looks_at_a_clock(file: Path) -> None:
    calls = {node.attr for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Attribute)}
    assert not calls & {"now", "utcnow", "today", "monotonic", "environ", "getenv"}


def test_one_file_shows_the_way_from_kafka_to_kafka() -> None:
    flow = ast.parse(Path("service/flow.py").read_text("utf-8"))
    functions = {node.name for node in ast.walk(flow) if isinstance(node, ast.AsyncFunctionDef)}
    assert {"process", "end_due", "once"} <= functions
