"""How every client of Kafka and Postgres is made: the one place that turns settings into their arguments.

A key is read for each connection: certificates and authorities, the password, the token. A connection that stands is
left alone; the next one counts what the files say by then.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg
from aiokafka.abc import AbstractTokenProvider
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from aiokafka.errors import SaslAuthenticationFailed

from service.keys import KafkaKeys
from service.settings import Settings

_TOKEN_SECONDS = 20


def kafka(settings: Settings) -> dict[str, Any]:
    """The arguments of any client of aiokafka."""
    AIOKafkaConnection.authenticator_oauth = _authenticator
    keys = settings.kafka_keys
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": keys.security_protocol,
        "ssl_context": None if keys.security_protocol == "PLAINTEXT" else _Context(keys),
        "sasl_mechanism": keys.sasl_mechanism or "PLAIN",
        "sasl_plain_username": keys.sasl_username,
        "sasl_plain_password": _Password(keys),
        "sasl_oauth_token_provider": _Tokens(keys),
    }


def postgres(settings: Settings) -> dict[str, Any]:
    """The arguments of a connection or a pool of asyncpg; the files that the URL names are read for each connection."""
    keys = settings.database_keys
    return {"dsn": settings.database_url, **({"password": keys.secret} if keys.given else {})}


async def connect(settings: Settings, **options: object) -> asyncpg.Connection:
    """A connection to Postgres."""
    return await asyncpg.connect(**postgres(settings), **options)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection to Postgres for as long as the context lasts."""
    connection = await connect(settings)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def administering(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that administers Kafka, for as long as the context lasts."""
    admin = AIOKafkaAdminClient(**kafka(settings))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


class _Context(ssl.SSLContext):
    """Wraps each connection as a context would that is made for it of the files as they are."""

    def __new__(cls, _: KafkaKeys) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, keys: KafkaKeys) -> None:
        super().__init__()
        self._keys = keys

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002  as it is called
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        context = ssl.create_default_context(cafile=self._keys.ssl_cafile)
        if self._keys.ssl_certfile is not None:
            context.load_cert_chain(self._keys.ssl_certfile, self._keys.ssl_keyfile)
        return context.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


class _Password(str):  # noqa: SLOT000  a string of variable length can have none
    """Is empty to whoever looks; encoded, which aiokafka does once for a connection, it is the password of then."""

    _keys: KafkaKeys

    def __new__(cls, keys: KafkaKeys) -> Self:
        made = super().__new__(cls)
        made._keys = keys
        return made

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return self._keys.password().encode(encoding, errors)


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """A token for each connection, from a file that others keep fresh or from who issues them."""

    def __init__(self, keys: KafkaKeys) -> None:
        self._keys = keys

    async def token(self) -> str:
        file = self._keys.oauth_token_file
        if file is None:
            return await asyncio.to_thread(self._issued)
        return (await asyncio.to_thread(file.read_text, "utf-8")).strip()

    def _issued(self) -> str:
        # A tenth of a second, for those only who ask for tokens.
        from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error  # noqa: PLC0415
        from requests_oauthlib import OAuth2Session  # noqa: PLC0415

        keys = self._keys
        client = BackendApplicationClient(keys.oauth_client_id, scope=keys.oauth_scope)
        try:
            with OAuth2Session(client=client) as session:
                who = (keys.oauth_client_id, keys.client_secret())
                token = session.fetch_token(keys.oauth_token_endpoint, auth=who, timeout=_TOKEN_SECONDS)
        except OAuth2Error as error:
            raise SaslAuthenticationFailed(
                f"KAFKA_OAUTH_TOKEN_ENDPOINT gives no token: {error.description or error.error}"
            ) from error
        return str(token["access_token"])


class _Authenticator(OAuthAuthenticator):  # type: ignore[misc]  # as above
    """Answers a broker that complains of the token, which then refuses: aiokafka takes the complaint for a welcome."""

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        answer: tuple[bytes, bool] | None = (b"\x01", True) if payload else await super().step(payload)
        return answer


def _authenticator(connection: AIOKafkaConnection) -> _Authenticator:
    return _Authenticator(sasl_oauth_token_provider=connection._sasl_oauth_token_provider)  # noqa: SLF001  not public
