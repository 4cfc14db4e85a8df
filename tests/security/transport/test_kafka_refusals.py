"""Who is not let in at Kafka's doors, and in which words the service says so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from service import clients
from service.refusals import Connecting
from service.settings import Settings, load
from tests.security.attempts import attempts
from tests.security.transport.authority import Authority, Issuer
from tests.security.transport.broker import Secured
from tests.security.transport.endpoint import endpoint

SERVICE = "cancellation-service"
ATTEMPTS = attempts("1-kafka")


@dataclass(frozen=True)
class Keyring:
    """Keys, right and wrong, in files of their own."""

    broker: Secured
    folder: Path
    endpoint: str

    def file(self, content: str) -> str:
        """A file that holds this."""
        file = self.folder / "key"
        file.write_text(content)
        return str(file)

    def password(self, password: str | None = None, **more: str) -> dict[str, str]:
        """What a client at the door for passwords has; without one, the right password."""
        given = self.broker.passwords[SERVICE] if password is None else password
        sasl = {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": SERVICE}
        return self.broker.environment("SCRAM", **sasl, KAFKA_SASL_PASSWORD_FILE=self.file(given), **more)

    def certificate(self, file: Path) -> dict[str, str]:
        """What a client at the door for certificates has."""
        return self.broker.environment("MTLS", KAFKA_SSL_CERTFILE=str(file))

    def issued(self, secret: str | None = None) -> dict[str, str]:
        """What a client has that asks for its tokens; without a secret, the right one."""
        given = self.broker.passwords[SERVICE] if secret is None else secret
        client = {"KAFKA_OAUTH_CLIENT_ID": SERVICE, "KAFKA_OAUTH_CLIENT_SECRET_FILE": self.file(given)}
        asked = {"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_OAUTH_TOKEN_ENDPOINT": self.endpoint}
        return self.broker.environment("OAUTH", **asked, **client)

    def token(self, token: str) -> dict[str, str]:
        """What a client at the door for tokens has."""
        kept = {"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_OAUTH_TOKEN_FILE": self.file(token)}
        return self.broker.environment("OAUTH", **kept)

    @property
    def stranger(self) -> Authority:
        """Another certificate authority."""
        return Authority(self.folder / "stranger")


def _misnamed(keys: Keyring) -> dict[str, str]:
    given = keys.password()
    return {**given, "KAFKA_BOOTSTRAP_SERVERS": given["KAFKA_BOOTSTRAP_SERVERS"].replace("localhost", "127.0.0.1")}


def _expired_broker(keys: Keyring) -> dict[str, str]:
    return {**keys.password(), "KAFKA_BOOTSTRAP_SERVERS": keys.broker.doors["EXPIRED"]}


def _plain(keys: Keyring) -> dict[str, str]:
    return {"KAFKA_BOOTSTRAP_SERVERS": keys.broker.doors["SCRAM"]}


def _other_mechanism(keys: Keyring) -> dict[str, str]:
    return {**keys.password(), "KAFKA_BOOTSTRAP_SERVERS": keys.broker.doors["OAUTH"]}


TRIED: Mapping[str, Callable[[Keyring], dict[str, str]]] = {
    "wrong-authority": lambda keys: keys.password() | {"KAFKA_SSL_CAFILE": str(keys.stranger.file)},
    "wrong-name": _misnamed,
    "expired-server": _expired_broker,
    "wrong-password": lambda keys: keys.password("not-the-password"),
    "unknown-user": lambda keys: keys.password() | {"KAFKA_SASL_USERNAME": "somebody"},
    "no-certificate": lambda keys: keys.broker.environment("MTLS"),
    "foreign-certificate": lambda keys: keys.certificate(keys.stranger.client(SERVICE)),
    "expired-certificate": lambda keys: keys.certificate(keys.broker.authority.client(SERVICE, expired=True)),
    "expired-token": lambda keys: keys.token(keys.broker.issuer.token(SERVICE, -timedelta(minutes=5))),
    "foreign-token": lambda keys: keys.token(Issuer(keys.folder).token(SERVICE)),
    "misdirected-token": lambda keys: keys.token(keys.broker.issuer.token(SERVICE, audience="another")),
    "wrong-client-secret": lambda keys: keys.issued("not-the-secret"),
    "other-mechanism": _other_mechanism,
    "no-encryption": _plain,
}


@pytest.fixture
def keys(broker: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyring]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(broker.authority.file))
    with endpoint(broker.issuer, broker.authority.server("issuer", "localhost"), broker.passwords) as url:
        yield Keyring(broker, tmp_path, url)


@pytest.fixture
def connecting(monkeypatch: pytest.MonkeyPatch) -> Connecting:
    """What is heard of connections while the test runs, and nothing of before."""
    heard = Connecting()
    log = logging.getLogger("aiokafka")
    monkeypatch.setattr(log, "filters", [heard])
    return heard


def settings_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()[0]


def test_each_attempt_of_the_table_is_tried() -> None:
    assert TRIED.keys() == ATTEMPTS.keys()


@pytest.mark.parametrize("name", TRIED)
async def test_whoever_has_a_wrong_key_is_refused_and_told_what_to_do(
    name: str, keys: Keyring, connecting: Connecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(TRIED[name](keys), monkeypatch)
    producer = AIOKafkaProducer(**clients.kafka(settings))
    with structlog.testing.capture_logs() as said, pytest.raises(KafkaConnectionError):
        await producer.start()
    await producer.stop()
    assert connecting.latest == ATTEMPTS[name].refusal
    assert not any(secret in repr((said, settings)) for secret in keys.broker.passwords.values())


@pytest.mark.parametrize("right", [Keyring.password, Keyring.issued], ids=["a password", "a token that is asked for"])
async def test_whoever_has_the_right_key_is_let_in(
    right: Callable[[Keyring], dict[str, str]], keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = AIOKafkaProducer(**clients.kafka(settings_of(right(keys), monkeypatch)))
    await producer.start()
    assert await producer.partitions_for("cancellation-status") == {0}
    await producer.stop()
