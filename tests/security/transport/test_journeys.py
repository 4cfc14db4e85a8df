"""A cancellation's whole way through locked servers, by users who may do what is their due and nothing else.

Each service begins with wrong keys. It says so, and goes on by itself once its files hold the right ones.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from service.access import principals
from service.settings import Settings, Topics
from tests.kafka import Client, monthly
from tests.security.transport.authority import Authority
from tests.security.transport.broker import Secured
from tests.security.transport.database import Locked
from tests.security.transport.worker import Worker, ready, refused, worker

SERVICE = "cancellation-service"
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
        await self.billing.send(life, "subscription-activated", f"{name}-1", monthly(name))
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


class Stage:
    """The locked servers, and the service between them."""

    def __init__(self, broker: Secured, database: Locked, parties: Parties, folder: Path) -> None:
        self.broker, self.database, self.parties, self._folder = broker, database, parties, folder
        self.group = f"subscription-cancellation-{secrets.token_hex(4)}"
        self.stranger = Authority(folder / "stranger")

    def permit(self) -> None:
        """Lets the service into its group."""
        self.broker.permit(principals(Settings(consumer_group=self.group), Topics())[:1])

    def file(self, name: str, content: str | Path) -> Path:
        """A file that holds this, or the same as that."""
        file = self._folder / name
        file.write_bytes(content.encode() if isinstance(content, str) else content.read_bytes())
        return file

    @asynccontextmanager
    async def service(self, keys: dict[str, str], **database: str) -> AsyncIterator[Worker]:
        """The service with these keys to Kafka, and to a database of its own the right one unless another is given."""
        async with self.database.account() as own:
            self.own = own
            url = self.database.url(own.name, user=own.name, **database)
            password = self._folder / "database"
            if not password.exists():
                password.write_text(own.password)
            given = {"DATABASE_URL": url, "DATABASE_PASSWORD_FILE": str(password), "CONSUMER_GROUP": self.group}
            async with worker({**keys, **given, "SEAL_GRACE": "600"}) as started:
                yield started


@pytest.fixture
def stage(broker: Secured, database_server: Locked, parties: Parties, tmp_path: Path) -> Stage:
    return Stage(broker, database_server, parties, tmp_path)


async def test_with_a_password_that_comes_right_a_cancellation_goes_through(stage: Stage) -> None:
    stage.permit()
    right = stage.broker.passwords[SERVICE]
    authority = stage.file("ca.pem", stage.stranger.file)
    password = stage.file("password", "not-the-password")
    sasl = {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": SERVICE}
    files = {"KAFKA_SSL_CAFILE": str(authority), "KAFKA_SASL_PASSWORD_FILE": str(password)}
    async with stage.service(stage.broker.environment("SCRAM", **sasl, **files)) as started:
        await started.until(refused("not from an authority that is trusted"))
        stage.file("ca.pem", stage.broker.authority.file)
        await started.until(refused("does not accept the user with this password"))
        stage.file("password", f"{right}\n")
        await started.until(ready)
        assert await stage.parties.cancel() == WHOLE
    assert not shown(started, right, "not-the-password", stage.own.password)


async def test_with_a_certificate_that_comes_right_and_an_acl_that_comes_late_a_cancellation_goes_through(
    stage: Stage,
) -> None:
    certificate = stage.file("service.pem", stage.broker.authority.client(SERVICE, expired=True))
    async with stage.service(stage.broker.environment("MTLS", KAFKA_SSL_CERTFILE=str(certificate))) as started:
        await started.until(refused("does not accept the certificate it is shown"))
        stage.file("service.pem", stage.broker.authority.client(SERVICE))
        await started.until(refused("is not permitted"))
        stage.permit()
        await started.until(ready)
        assert await stage.parties.cancel() == WHOLE
    assert not shown(started, "PRIVATE KEY")


async def test_with_tokens_that_expire_and_are_renewed_under_way_cancellations_go_through(stage: Stage) -> None:
    stage.permit()
    expired, right = (stage.broker.issuer.token(SERVICE, timedelta(minutes=lasting)) for lasting in (-5, 60))
    token = stage.file("token", expired)
    sasl = {"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_OAUTH_TOKEN_FILE": str(token)}
    async with stage.service(stage.broker.environment("OAUTH", **sasl)) as started:
        await started.until(refused("invalid_token"))
        stage.file("token", right)
        await started.until(ready)
        assert await stage.parties.cancel() == WHOLE
        stage.file("token", expired)
        await started.until(refused("invalid_token"))
        stage.file("token", right)
        assert await stage.parties.cancel() == WHOLE
    assert not shown(started, expired, right)


async def test_with_a_database_password_that_is_changed_under_way_cancellations_go_through(stage: Stage) -> None:
    stage.permit()
    authority = stage.file("database-ca.pem", stage.stranger.file)
    stage.file("database", "not-the-password")
    keys = stage.broker.environment("MTLS", KAFKA_SSL_CERTFILE=str(stage.broker.authority.client(SERVICE)))
    async with stage.service(keys, sslrootcert=str(authority)) as started:
        await started.until(refused("not from an authority that is trusted"))
        stage.file("database-ca.pem", stage.database.authority.file)
        await started.until(refused("does not accept the user with this password"))
        stage.file("database", stage.own.password)
        await started.until(ready)
        assert await stage.parties.cancel() == WHOLE
        await stage.database.change(stage.own, "another-password")
        await started.until(refused("does not accept the user with this password"))
        stage.file("database", "another-password")
        assert await stage.parties.cancel() == WHOLE
    assert not shown(started, stage.own.password, "another-password", "not-the-password")


def shown(started: Worker, *secret: str) -> bool:
    """Whether one of these stands in the log."""
    return any(each in line for line in started.lines for each in secret)
