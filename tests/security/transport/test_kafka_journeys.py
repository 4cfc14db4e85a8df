"""A cancellation's whole way through Kafka behind locks, by users who may do what is their due and nothing else.

Each service begins with wrong keys. It says so, and goes on by itself once its files hold the right ones.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from service.access import principals
from service.local import Servers
from service.settings import Settings, Topics
from tests.conftest import cloned
from tests.kafka import Client
from tests.security.transport.authority import Authority
from tests.security.transport.broker import Secured
from tests.security.transport.worker import Worker, ready, refused, worker

SERVICE = "cancellation-service"
AGREEMENT = {
    "customer_id": "customer",
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
    "start_date": "2026-11-01",
    "interval": "P1M",
    "billing": "in-advance",
    "lines": [{"line_id": "L1", "amount": "30.00"}],
}
PERIOD = {"start": "2026-11-01", "end": "2026-12-01"}
CHARGE = {"charge_id": "C1", "line_id": "L1", "period": PERIOD, "amount": "30.00"}
END = {"mode": "on-date", "date": "2026-11-16"}
WHOLE = ["cancellation-scheduled", "period-shortened", "renewal-cancelled", "credit-adjustment"]
NAMES = {name.replace("_", "-"): default for name, default in Topics().model_dump().items()}


@dataclass
class Parties:
    """Those around the service, each with a key of its own."""

    billing: Client
    customer: Client

    async def cancel(self) -> list[str | None]:
        """Has a subscription cancelled; its outcomes, as invoicing reads them."""
        ids = {"subscription_id": secrets.token_hex(4)}
        name = ids["subscription_id"]
        life = "subscription-lifecycle"
        await self.billing.send(life, "subscription-activated", f"{name}-1", {**ids, **AGREEMENT})
        invoice = {**ids, "invoice_id": "INV-1", "charges": [CHARGE]}
        await self.billing.send(life, "invoice-issued", f"{name}-2", invoice)
        await self.customer.send("cancellation-requested", "cancellation-requested", f"{name}-3", {**ids, "end": END})
        await self.customer.until(lambda _: len(self.customer.of(name)) >= len(WHOLE))
        return [outcome.type for outcome in self.customer.of(name)]


@pytest.fixture
async def parties(broker: Secured) -> AsyncIterator[Parties]:
    billing = AIOKafkaProducer(**broker.connection("cancellation-lifecycle"))
    customer = AIOKafkaProducer(**broker.connection("cancellation-commands"))
    invoicing = AIOKafkaConsumer(
        *("period-shortened", "renewal-cancelled", "credit-adjustment", "cancellation-status"),
        **broker.connection("cancellation-invoicing"),
        group_id=f"invoicing-{secrets.token_hex(4)}",
        auto_offset_reset="earliest",
    )
    async with AsyncExitStack() as stack:
        for client in (billing, customer, invoicing):
            await client.start()
            stack.push_async_callback(client.stop)
        yield Parties(Client(billing, invoicing, NAMES), Client(customer, invoicing, NAMES))


@asynccontextmanager
async def service(broker: Secured, servers: Servers, template: str, keys: dict[str, str]) -> AsyncIterator[Worker]:
    """The service with these keys, in a group of its own that its user may be in."""
    group = f"subscription-cancellation-{secrets.token_hex(4)}"
    broker.permit(principals(Settings(consumer_group=group), Topics())[:1])
    async with (
        cloned(servers.postgres, template) as url,
        worker({**keys, "DATABASE_URL": url, "CONSUMER_GROUP": group, "SEAL_GRACE": "600"}) as started,
    ):
        yield started


async def test_with_a_password_that_comes_right_a_cancellation_goes_through(
    broker: Secured, embedded: Servers, template: str, parties: Parties, tmp_path: Path
) -> None:
    authority, password = tmp_path / "ca.pem", tmp_path / "password"
    authority.write_bytes(Authority(tmp_path / "stranger").file.read_bytes())
    password.write_text("not-the-password\n")
    sasl = {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": SERVICE}
    files = {"KAFKA_SSL_CAFILE": str(authority), "KAFKA_SASL_PASSWORD_FILE": str(password)}
    async with service(broker, embedded, template, broker.environment("SCRAM", **sasl, **files)) as started:
        await started.until(refused("not from an authority that is trusted"))
        shutil.copy(broker.authority.file, authority)
        await started.until(refused("does not accept the user with this password"))
        password.write_text(broker.passwords[SERVICE] + "\n")
        await started.until(ready)
        assert await parties.cancel() == WHOLE
    assert not shown(started, broker.passwords[SERVICE], "not-the-password")


async def test_with_a_certificate_that_comes_right_a_cancellation_goes_through(
    broker: Secured, embedded: Servers, template: str, parties: Parties, tmp_path: Path
) -> None:
    certificate = tmp_path / "service.pem"
    shutil.copy(broker.authority.client(SERVICE, expired=True), certificate)
    keys = broker.environment("MTLS", KAFKA_SSL_CERTFILE=str(certificate))
    async with service(broker, embedded, template, keys) as started:
        await started.until(refused("does not accept the certificate it is shown"))
        shutil.copy(broker.authority.client(SERVICE), certificate)
        await started.until(ready)
        assert await parties.cancel() == WHOLE
    assert not shown(started, "PRIVATE KEY")


async def test_with_tokens_that_expire_and_are_renewed_under_way_cancellations_go_through(
    broker: Secured, embedded: Servers, template: str, parties: Parties, tmp_path: Path
) -> None:
    expired = broker.issuer.token(SERVICE, -timedelta(minutes=5))
    token = tmp_path / "token"
    token.write_text(expired)
    sasl = {"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_OAUTH_TOKEN_FILE": str(token)}
    async with service(broker, embedded, template, broker.environment("OAUTH", **sasl)) as started:
        await started.until(refused("invalid_token"))
        token.write_text(broker.issuer.token(SERVICE))
        await started.until(ready)
        assert await parties.cancel() == WHOLE
        token.write_text(expired)
        await started.until(refused("invalid_token"))
        token.write_text(broker.issuer.token(SERVICE))
        assert await parties.cancel() == WHOLE
    assert not shown(started, expired, token.read_text("utf-8"))


def shown(started: Worker, *secrets: str) -> bool:
    """Whether one of these stands in the log."""
    return any(secret in line for line in started.lines for secret in secrets)
