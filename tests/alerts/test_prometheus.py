"""A real Prometheus, given what compose gives it, scrapes a real service, takes every rule and answers every panel.

`make alerts` builds it; one on the PATH or built before is used by these tests as well.
"""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pytest
import yaml

from service.local import Servers
from service.local.process import Guarded, Guards, free_ports
from tests.conftest import Running, service
from tests.kafka import client, monthly
from tests.tools import tool

PROMETHEUS = tool("prometheus")
pytestmark = pytest.mark.skipif(
    PROMETHEUS is None, reason="there is no prometheus on the PATH, and make alerts has built none"
)

GIVEN = Path("deploy/prometheus")
ALERTS: list[dict[str, Any]] = yaml.safe_load((GIVEN / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads(Path("deploy/grafana/dashboard.json").read_text("utf-8"))["panels"]
TOKEN = "only-in-this-test"  # noqa: S105
RATE_INTERVAL = "1m"
"""What Grafana makes of `$__rate_interval`: four times the 15 seconds between two scrapes."""

NOT_HAPPENED = {"Retries"}
"""Panels that stay empty, because nothing has gone wrong."""


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus: asks it, and waits for what it will say."""

    url: str
    server: Guarded
    began: float = field(default_factory=time.time)

    async def says(self, what: str, **query: str | float) -> Any:  # noqa: ANN401  JSON
        """What its API answers; that it refuses a query is an error in its own words."""

        def read() -> Any:  # noqa: ANN401  JSON
            try:
                with urlopen(f"{self.url}/api/v1/{what}?{urlencode(query)}") as response:  # noqa: S310  our own server
                    return json.load(response)["data"]
            except HTTPError as refused:
                if refused.code == HTTPStatus.SERVICE_UNAVAILABLE:
                    raise  # it is still starting
                raise AssertionError(refused.read().decode()) from refused

        return await asyncio.to_thread(read)

    async def draws(self, expression: str) -> list[float]:
        """Every number of every series, as a panel asks for them: over the time since the service was first scraped."""
        found = await self.says("query_range", query=expression, start=self.began, end=time.time(), step=1)
        return [number for series in found["result"] for _, value in series["values"] if _is(number := float(value))]

    async def alerts(self) -> dict[str, Any]:
        """Its rules by their names, with what has become of each."""
        (group,) = (await self.says("rules"))["groups"]
        return {rule["name"]: rule for rule in group["rules"]}

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Waits until it holds, for a minute at most."""
        if not await self.server.answers(holds):
            raise self.server.failure("has ended.")


def _is(number: float) -> bool:
    return not math.isnan(number)


@pytest.fixture(scope="module")
async def prometheus(
    embedded: Servers, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Prometheus]:
    """One that has scraped a service before and after something happened there."""
    folder = tmp_path_factory.mktemp("alerts") / "prometheus"
    shutil.copytree(GIVEN, folder)
    (folder / "token").write_text(TOKEN, "utf-8")
    guards = Guards(temporary=False, lock=None)
    async with service(embedded, template, {"SEAL_GRACE": "600", "HTTP_TOKEN": TOKEN}) as running:
        _address(folder / "prometheus.yml", urlsplit(running.http).netloc, folder / "token")
        (port,) = free_ports(1)
        command = [
            str(PROMETHEUS),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        try:
            given = Prometheus(f"http://127.0.0.1:{port}", guards.start(command, folder / "prometheus.log"))

            async def scraped() -> bool:
                return await given.draws("cancellation_build_info") != []

            await given.until(scraped)
            await _something_happens(running)
            yield given
        finally:
            await guards.stop()


def _address(file: Path, service: str, token: Path) -> None:
    """Writes the addresses of this machine into Prometheus' configuration, and has it look each second."""
    given = yaml.safe_load(file.read_text("utf-8"))
    assert given["global"] == {"scrape_interval": "15s", "evaluation_interval": "15s"}
    given["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (job,) = given["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [service]}]
    job["authorization"]["credentials_file"] = str(token)
    file.write_text(yaml.safe_dump(given), "utf-8")


async def _something_happens(running: Running) -> None:
    """An activation, a cancellation that is refused, and a record that nobody can read."""
    too_early = {"subscription_id": "scraped", "end": {"mode": "on-date", "date": "2020-01-01"}}
    async with client(running.kafka, running.topics) as kafka:
        await kafka.send("subscription-lifecycle", "subscription-activated", "activated", monthly("scraped"))
        await kafka.until(lambda _: kafka.shown("scraped", 0))
        await kafka.send("cancellation-requested", "cancellation-requested", "too-early", too_early)
        await kafka.raw("cancellation-requested", b"{", [])
        await kafka.until(lambda _: len(kafka.dead_letters) > 0 and len(kafka.of("scraped")) > 0)


async def test_the_service_is_scraped_with_the_token(prometheus: Prometheus) -> None:
    (target,) = (await prometheus.says("targets"))["activeTargets"]
    assert (target["labels"]["job"], target["health"], target["lastError"]) == ("subscription-cancellation", "up", "")


async def test_every_rule_is_taken_and_can_be_evaluated(prometheus: Prometheus) -> None:
    async def evaluated() -> bool:
        return all(rule["health"] != "unknown" for rule in (await prometheus.alerts()).values())

    await prometheus.until(evaluated)
    found = await prometheus.alerts()
    assert [*found] == [alert["alert"] for alert in ALERTS]
    assert {name: rule.get("lastError") for name, rule in found.items() if rule["health"] != "ok"} == {}


async def test_a_record_that_nobody_can_read_raises_its_alert_and_no_other(prometheus: Prometheus) -> None:
    async def raised() -> bool:
        found = await prometheus.alerts()
        return bool(found["CancellationDeadLetters"]["state"] == "firing")

    await prometheus.until(raised)
    found = await prometheus.alerts()
    assert [name for name, rule in found.items() if rule["state"] == "firing"] == ["CancellationDeadLetters"]
    (alert,) = found["CancellationDeadLetters"]["alerts"]
    assert alert["annotations"]["summary"] == "Records were set aside as dead letters (not-json)."


QUERIES = [
    pytest.param(panel["title"], target["expr"], id=f"{panel['title']}-{target['refId']}")
    for panel in PANELS
    for target in panel.get("targets", ())
]


@pytest.mark.parametrize(("title", "expression"), QUERIES)
async def test_every_panel_has_something_to_draw(title: str, expression: str, prometheus: Prometheus) -> None:
    asked = expression.replace("$__rate_interval", RATE_INTERVAL)

    async def drawn() -> bool:
        return await prometheus.draws(asked) != []

    if title in NOT_HAPPENED:
        assert not await drawn()
    else:
        await prometheus.until(drawn)
