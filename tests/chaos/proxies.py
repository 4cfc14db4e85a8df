"""toxiproxy between the workers and their servers.

It is a Go module, built once into the cache by the machine's own Go; a machine without one goes without these faults,
and says so.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from service.local.process import Guards, free_ports
from tests.chaos.servers import Cluster, Server
from tests.chaos.workers import CHECKOUT

_MODULE = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"
_BUILT = CHECKOUT / ".cache" / "toxiproxy"


class Proxy:
    """One way from the workers to one server, and what is done to it."""

    def __init__(self, name: str, port: int, api: str) -> None:
        self.port = port
        self._api, self._name = api, name

    async def down(self, *, down: bool) -> None:
        """Refuses connections and cuts those there are, or is up again."""
        await _post(f"{self._api}/proxies/{self._name}", {"enabled": not down})

    async def add(self, kind: str, attributes: Mapping[str, int], *streams: str) -> None:
        """Poisons the way to the server (`upstream`), back from it (`downstream`), or both."""
        for stream in streams:
            toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": dict(attributes)}
            await _post(f"{self._api}/proxies/{self._name}/toxics", toxic)

    async def heal(self) -> None:
        """Everything goes through again."""
        await _post(f"{self._api}/reset", {})


@asynccontextmanager
async def proxies(folder: Path, brokers: Cluster, database: Server) -> AsyncIterator[dict[str, Proxy]]:
    """A proxy to the broker and one to the database; none where there is no Go."""
    server = await _server()
    if server is None:
        yield {}
        return
    guards = Guards(temporary=False, lock=None)
    (folder / "toxiproxy").mkdir()
    control, outer = free_ports(2)
    try:
        command = [str(server), "-host", "127.0.0.1", "-port", str(control)]
        started = guards.start(command, folder / "toxiproxy" / "toxiproxy.log")
        api = f"http://127.0.0.1:{control}"

        async def answers() -> bool:
            await _post(f"{api}/reset", {})
            return True

        await started.answers(answers)
        ways = {
            "broker": (brokers.through[0][1], brokers.through[0][0]),
            "database": (outer, int(database.address.rpartition(":")[2].partition("/")[0])),
        }
        made = {}
        for name, (listen, upstream) in ways.items():
            await _post(
                f"{api}/proxies",
                {"name": name, "listen": f"127.0.0.1:{listen}", "upstream": f"127.0.0.1:{upstream}", "enabled": True},
            )
            made[name] = Proxy(name, listen, api)
        yield made
    finally:
        await guards.stop()


async def _server() -> Path | None:
    binary, go = _BUILT / "server", shutil.which("go")
    if binary.exists() or go is None:
        return binary if binary.exists() else None
    process = await asyncio.create_subprocess_exec(go, "install", _MODULE, env={**os.environ, "GOBIN": str(_BUILT)})
    with suppress(ProcessLookupError):
        await process.wait()
    return binary if binary.exists() else None


async def _post(url: str, body: Mapping[str, object]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310

    def send() -> None:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  our own proxy, on this machine
            response.read()

    await asyncio.to_thread(send)
