"""What is said of the pages is said of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from service.flow import utc_now
from service.health import Health
from service.http import probes
from service.ops.watching import Watch
from service.settings import Settings, Topics
from service.web.site import site
from tests.benchmarks.pages import PAGES


def paths(routes: Sequence[BaseRoute], below: str = "") -> Iterator[str]:
    """Every path that is served; of files the directory."""
    for route in routes:
        if isinstance(route, Route):
            yield below + route.path.partition("{")[0]
        elif isinstance(route, Mount):
            yield from paths(route.routes, below + route.path) if route.routes else [f"{below}{route.path}/"]


def test_every_page_and_endpoint_is_measured() -> None:
    pool = cast("Any", None)  # nothing is asked of it
    pages = site(pool, Settings(), Topics(), utc_now, Watch(pool, Settings(), utc_now))
    assert isinstance(pages, Starlette)
    served = {"/metrics", *paths(probes(pool, Health())), *paths(pages.routes)}
    assert len(served) > 10
    measured = [path for path, _ in PAGES.values()]
    assert {path for path in served if not any(asked.startswith(path) for asked in measured)} == set()
