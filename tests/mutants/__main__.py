"""Changes one arithmetic or boundary of the domain at a time, and says which changes no test noticed.

    python -m tests.mutants [--only TEXT] [--workers 2] [--list]

A change swaps a comparison with its neighbour (`<` and `<=`), `+` and `-`, `min` and `max`, `and` and
`or`, drops a `not`, or adds one to a number. Each mutant is imported in a process of its own, and the
stories, the domain's tests and the laws are run on it until one fails. One that never comes to an end
is noticed when it has used several times the processor time that the domain as it is needs.

What survives is printed and kept in `.cache/mutants.txt`. Those that change nothing for anybody are
argued in `survivors.txt`, each line as it is printed here; only others count. An argument about a
change that is noticed, or that can no longer be made, is said to be in vain.

Ready-made tools change strings, defaults and annotations too, and take hours for what is minutes here.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

DOMAIN = Path("service/domain")
KEPT = Path(".cache/mutants.txt")
ARGUED = Path(__file__).with_name("survivors.txt")
LONGEST = "tests/domain/test_laws.py"
STAGES = (
    ("tests/stories",),
    ("tests/domain", f"--ignore={LONGEST}", "tests/test_words.py"),
    ("tests/laws",),
    (LONGEST,),
)
"""What notices most for its time first; the next is only collected for what has survived so far."""
_TIMES_AS_LONG = 4
_ENDINGS = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, -signal.SIGXCPU)
"""After any other a mutant is tried once more, last of all: an environment made anew in the meantime is no notice."""
_IMPORTED_ONCE = ("asyncpg", "babel.dates", "babel.numbers", "pydantic_settings", "structlog")
"""Libraries that every mutant would import anew."""
_SWAPPED: dict[type[ast.AST], Any] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where, what stood there, and what stands there instead."""

    path: Path
    site: int
    line: int
    before: str
    after: str

    @property
    def module(self) -> str:
        """The module it is imported as."""
        return ".".join(self.path.with_suffix("").parts)

    def __str__(self) -> str:
        return f"{self.path.name}: {self.before}  ->  {self.after}"


class _Changer(ast.NodeTransformer):
    """Counts the places that can be changed, and changes the one with a number."""

    def __init__(self, number: int = -1) -> None:
        self.number = number
        self.sites: list[int] = []

    def visit(self, node: ast.AST) -> Any:  # noqa: ANN401  as its base says
        match node:
            case ast.AnnAssign():
                return ast.copy_location(
                    ast.AnnAssign(node.target, node.annotation, node.value and self.visit(node.value), node.simple),
                    node,
                )
            case ast.FunctionDef():
                node.body = [self.visit(each) for each in node.body]
                return node
            case ast.Assert() | ast.Raise() | ast.Subscript(slice=ast.Tuple()):
                return node
            case ast.Compare(ops=ops):
                node.ops = [_SWAPPED[type(op)]() if self._here(node) else op for op in ops]
            case ast.AugAssign(op=op) | ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in _SWAPPED and self._here(
                node
            ):
                node.op = _SWAPPED[type(op)]()
            case ast.UnaryOp(op=ast.Not() | ast.USub()) if self._here(node):
                return self.generic_visit(node.operand)
            case ast.Call(func=ast.Name(id=name)) if name in _CALLS and self._here(node):
                node.func = ast.Name(_CALLS[name], ast.Load())
            case ast.Constant(value=int() as value) if not isinstance(value, bool) and self._here(node):
                return ast.copy_location(ast.Constant(value + 1), node)
        return self.generic_visit(node)

    def _here(self, node: ast.expr | ast.stmt) -> bool:
        self.sites.append(node.lineno)
        return len(self.sites) - 1 == self.number


class _Imported(MetaPathFinder, Loader):
    """Gives one module from a tree instead of its file."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self._module, self._tree = module, tree

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == self._module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, f"mutant of {self._module}", "exec"), module.__dict__)  # noqa: S102


def mutants(only: str) -> Iterator[Mutant]:
    """Every change there is to make."""
    for path in sorted(DOMAIN.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        counter = _Changer()
        counter.visit(ast.parse(source))
        lines = ast.unparse(ast.parse(source)).splitlines()
        for site in range(len(counter.sites)):
            changed = ast.unparse(_changed(source, site)).splitlines()
            differing = [(a.strip(), b.strip()) for a, b in zip(lines, changed, strict=True) if a != b]
            before, after = differing[0] if differing else ("", "")
            mutant = Mutant(path, site, counter.sites[site], before, after)
            if differing and only in str(mutant):
                yield mutant


def _changed(source: str, site: int) -> ast.Module:
    tree = ast.parse(source)
    _Changer(site).visit(tree)
    return ast.fix_missing_locations(tree)


def _start(mutant: Mutant | None, seconds: int = -1) -> int:
    """Runs the tests on a mutant (or on the domain as it is) in a process of its own; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))  # of the processor: others may keep it busy
    os.setpgrp()
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    os.environ["HYPOTHESIS_PROFILE"] = "unshrunk"  # that it fails is enough, and the smallest example takes minutes
    if mutant is not None:
        tree = _changed(mutant.path.read_text(encoding="utf-8"), mutant.site)
        sys.meta_path.insert(0, _Imported(mutant.module, tree))
    told = (pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", *tests]) for tests in STAGES)
    os._exit(next(filter(None, told), 0))


@contextmanager
def _ended_with_us(running: Iterable[int]) -> Iterator[None]:
    """No mutant outlives the run, however that ends."""
    try:
        yield
    finally:
        for pid in list(running):
            os.killpg(pid, signal.SIGKILL)


def main(only: str, workers: int) -> int:
    """Runs all mutants; the exit code says whether one survived that nobody has argued."""
    waiting, total = list(mutants(only))[::-1], 0
    for library in _IMPORTED_ONCE:
        importlib.import_module(library)
    _, status, used = os.wait4(_start(None), 0)
    if status:
        sys.exit("The tests fail on the domain as it is: run make test.")
    seconds = int(_TIMES_AS_LONG * (used.ru_utime + used.ru_stime)) + 1
    running: dict[int, Mutant] = {}
    survived: list[Mutant] = []
    again: set[Mutant] = set()
    columns = (
        TextColumn("mutants"),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[survived]}"),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Progress(*columns, console=Console(stderr=True)) as progress, _ended_with_us(running):
        task = progress.add_task("", total=len(waiting), survived="")
        while waiting or running:
            while waiting and len(running) < workers:
                mutant = waiting.pop()
                running[_start(mutant, seconds)] = mutant
            pid, status = os.wait()
            mutant = running.pop(pid)
            if os.waitstatus_to_exitcode(status) not in _ENDINGS and mutant not in again:
                again.add(mutant)
                waiting.insert(0, mutant)
                continue
            total += 1
            if not progress.console.is_terminal and total % 25 == 0:
                progress.console.print(f"{total} mutants, {len(survived)} survived", highlight=False)
            if status == 0:
                survived.append(mutant)
                progress.console.print(
                    f"survived: line {mutant.line} of {mutant}", highlight=False, markup=False, soft_wrap=True
                )
            progress.update(task, advance=1, survived=f"{len(survived)} survived")
    argued = {line for line in ARGUED.read_text(encoding="utf-8").splitlines() if "  ->  " in line}
    unargued = [mutant for mutant in survived if str(mutant) not in argued]
    in_vain = sorted(argued - {str(mutant) for mutant in survived}) if not only else []
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text("".join(f"{mutant}\n" for mutant in sorted(survived, key=str)), encoding="utf-8")
    print("".join(f"in vain: {line}\n" for line in in_vain), end="")
    print(f"mutants: {total}")
    print(f"noticed: {total - len(survived)}")
    print(f"survived: {len(survived)}")
    print(f"survived_unargued: {len(unargued)}")
    return 1 if unargued else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Changes the domain line by line and says what no test noticed.")
    parser.add_argument("--only", default="", help="only the changes whose description contains this text")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="only say what would be changed")
    chosen = parser.parse_args()
    if chosen.list:
        print("\n".join(map(str, mutants(chosen.only))))
        sys.exit(0)
    sys.exit(main(chosen.only, chosen.workers))
