"""The web server: whether this worker lives and can do its work, and the pages of `service.web`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

import asyncpg
import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from service.flow import utc_now
from service.health import Health
from service.metrics import REGISTRY
from service.ops.watching import Watch
from service.refusals import described
from service.settings import Settings, Topics
from service.web.door import Door, Guard
from service.web.security import SecurityHeaders
from service.web.site import site

log = structlog.get_logger(__name__)


@asynccontextmanager
async def serve(  # noqa: PLR0913  each is a part that the composition root has made
    settings: Settings,
    topics: Topics,
    pool: asyncpg.Pool,
    health: Health,
    clock: Callable[[], datetime] = utc_now,
    *,
    watch: Watch | None = None,
    reading: asyncpg.Pool | None = None,
    door: Door | None = None,
) -> AsyncIterator[str]:
    """Serves while the context lasts; gives the address, also where port 0 let the system pick one.

    Pages read over `reading`, else over the pool that all else goes over. The probes are open to whoever reaches them;
    the rest is behind the door.
    """
    listening = socket.create_server(settings.http_address)
    bound = listening.getsockname()
    looking = watch or Watch(pool, settings, clock)
    pages = Mount("/", site(reading or pool, settings, topics, clock, looking))
    inside = Starlette(routes=[_metrics(looking), pages])
    app = Starlette(routes=[*probes(pool, health), Mount("/", Guard(inside, door or Door.of(settings)))])
    headed = SecurityHeaders(app)  # around all of it, what fails or is refused included
    server = _Server(uvicorn.Config(headed, log_config=None, lifespan="off", access_log=False, server_header=False))
    running = asyncio.gather(server.serve(sockets=[listening]), looking.keep_looking())
    try:
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        looking.closing.set()
        server.should_exit = True
        await running


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it is a part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _metrics(watch: Watch) -> Route:
    @requires("operator")
    async def metrics(request: Request) -> Response:  # noqa: ARG001  whose caller is looked at
        await watch.seen.wait()
        return Response(generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Route("/metrics", metrics)


def probes(pool: asyncpg.Pool, health: Health) -> list[Route]:
    """Whether this worker lives, and whether it can do its work."""

    async def live(_: Request) -> JSONResponse:
        if stuck := health.stuck():
            return JSONResponse({"status": "stuck", "loops": stuck}, status_code=503)
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> JSONResponse:
        missing = health.missing()
        try:
            async with asyncio.timeout(2):
                await pool.fetchval("select 1")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            missing.append("database")
            log.info("database-away", error=described(error))
        if missing:
            return JSONResponse({"status": "not ready", "missing": missing}, status_code=503)
        return JSONResponse({"status": "ready"})

    return [Route("/livez", live), Route("/readyz", ready)]
