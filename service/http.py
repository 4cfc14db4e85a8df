"""The web server: whether this worker lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from service.health import Health
from service.settings import Settings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def serve(settings: Settings, pool: asyncpg.Pool, health: Health) -> AsyncIterator[str]:
    """Serves while the context lasts; gives the address, also where port 0 let the system pick one."""
    host, _, port = settings.http_bind.rpartition(":")
    listening = socket.create_server((host, int(port)))
    bound = listening.getsockname()
    server = _Server(uvicorn.Config(_app(pool, health), log_config=None, lifespan="off", access_log=False))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it is a part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _app(pool: asyncpg.Pool, health: Health) -> Starlette:
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
            log.info("database-away", error=f"{type(error).__name__}: {error}")
        if missing:
            return JSONResponse({"status": "not ready", "missing": missing}, status_code=503)
        return JSONResponse({"status": "ready"})

    return Starlette(routes=[Route("/livez", live), Route("/readyz", ready)])
