"""How the service shows Kafka and Postgres who it is, and knows them: settings, checked together.

A secret comes from the environment or from a file. Files are read again for each new connection, so what is written to
them counts from then on, without a restart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, Self, TypeVar

from pydantic import FilePath, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class KafkaKeys(BaseSettings):
    """The keys to Kafka, e.g. `KAFKA_SECURITY_PROTOCOL=SASL_SSL`."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_", frozen=True, hide_input_in_errors=True)

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    ssl_cafile: FilePath | None = None
    ssl_certfile: FilePath | None = None
    ssl_keyfile: FilePath | None = None
    sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: FilePath | None = None
    oauth_token_file: FilePath | None = None
    oauth_token_endpoint: str | None = None
    oauth_client_id: str | None = None
    oauth_client_secret: SecretStr | None = None
    oauth_client_secret_file: FilePath | None = None
    oauth_scope: str | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        return _checked(self, _KAFKA)

    def password(self) -> str:
        """The password of `sasl_username` as it stands now."""
        return _secret(self.sasl_password, self.sasl_password_file)

    def client_secret(self) -> str:
        """The secret of `oauth_client_id` as it stands now."""
        return _secret(self.oauth_client_secret, self.oauth_client_secret_file)

    @property
    def scram(self) -> bool:
        """Whether a name and a password are the key."""
        return self.sasl_mechanism in {"SCRAM-SHA-256", "SCRAM-SHA-512"}


class DatabaseKeys(BaseSettings):
    """The password to Postgres, where `DATABASE_URL` does not hold it."""

    model_config = SettingsConfigDict(env_prefix="DATABASE_", frozen=True, hide_input_in_errors=True)

    password: SecretStr | None = None
    password_file: FilePath | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        return _checked(self, _DATABASE)

    def secret(self) -> str:
        """The password as it stands now."""
        return _secret(self.password, self.password_file)

    @property
    def given(self) -> bool:
        """Whether there is a password besides the one that the URL may hold."""
        return bool(self.password or self.password_file)


_HOST = r"(\[[^]]*\]|[^][:/?#@,]*)(:\d+)?"
_URL = re.compile(rf"postgres(ql)?://([^/?#@]*@)?{_HOST}(,{_HOST})*([/?].*)?")


def legible(url: str) -> str:
    """A database URL that can be read as one.

    Raises:
        ValueError: it cannot; the message shows nothing of it, for it may hold a password.
    """
    if not _URL.fullmatch(url):
        raise ValueError(
            "it is to be an address such as postgresql://user:password@host:5432/database "
            "(a % / @ : in a password is quoted)"
        )
    return url


def _secret(value: SecretStr | None, file: FilePath | None) -> str:
    if file is not None:
        return file.read_text("utf-8").rstrip("\r\n")
    return "" if value is None else value.get_secret_value()


Keys = TypeVar("Keys")


def _checked(keys: Keys, contradictions: tuple[tuple[Callable[[Keys], object], str], ...]) -> Keys:
    for holds, sentence in contradictions:
        if holds(keys):
            raise ValueError(sentence)
    return keys


_DATABASE: tuple[tuple[Callable[[DatabaseKeys], object], str], ...] = (
    (
        lambda keys: keys.password and keys.password_file,
        "DATABASE_PASSWORD and DATABASE_PASSWORD_FILE are both set: only one can count",
    ),
)
_KAFKA: tuple[tuple[Callable[[KafkaKeys], object], str], ...] = (
    (
        lambda keys: keys.security_protocol == "SASL_SSL" and not keys.sasl_mechanism,
        "KAFKA_SECURITY_PROTOCOL=SASL_SSL needs KAFKA_SASL_MECHANISM: SCRAM-SHA-512, SCRAM-SHA-256 or OAUTHBEARER",
    ),
    (
        lambda keys: keys.security_protocol != "SASL_SSL" and keys.sasl_mechanism,
        "KAFKA_SASL_MECHANISM needs KAFKA_SECURITY_PROTOCOL=SASL_SSL",
    ),
    (
        lambda keys: keys.security_protocol == "PLAINTEXT" and (keys.ssl_cafile or keys.ssl_certfile),
        "KAFKA_SSL_CAFILE and KAFKA_SSL_CERTFILE need KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL",
    ),
    (
        lambda keys: keys.ssl_keyfile and not keys.ssl_certfile,
        "KAFKA_SSL_KEYFILE is the key of a certificate, and KAFKA_SSL_CERTFILE is missing",
    ),
    (
        lambda keys: keys.sasl_password and keys.sasl_password_file,
        "KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set: only one can count",
    ),
    (
        lambda keys: keys.scram and not (keys.sasl_username and (keys.sasl_password or keys.sasl_password_file)),
        "SCRAM needs KAFKA_SASL_USERNAME, and KAFKA_SASL_PASSWORD_FILE or KAFKA_SASL_PASSWORD",
    ),
    (
        lambda keys: not keys.scram and (keys.sasl_username or keys.sasl_password or keys.sasl_password_file),
        "KAFKA_SASL_USERNAME and its password need KAFKA_SASL_MECHANISM=SCRAM-SHA-512 or SCRAM-SHA-256",
    ),
    (
        lambda keys: keys.sasl_mechanism == "OAUTHBEARER" and not (keys.oauth_token_file or keys.oauth_token_endpoint),
        "OAUTHBEARER needs KAFKA_OAUTH_TOKEN_FILE or KAFKA_OAUTH_TOKEN_ENDPOINT",
    ),
    (
        lambda keys: keys.sasl_mechanism != "OAUTHBEARER" and (keys.oauth_token_file or keys.oauth_token_endpoint),
        "KAFKA_OAUTH_TOKEN_FILE and KAFKA_OAUTH_TOKEN_ENDPOINT need KAFKA_SASL_MECHANISM=OAUTHBEARER",
    ),
    (
        lambda keys: keys.oauth_token_file and keys.oauth_token_endpoint,
        "KAFKA_OAUTH_TOKEN_FILE and KAFKA_OAUTH_TOKEN_ENDPOINT are both set: only one can count",
    ),
    (
        lambda keys: keys.oauth_client_secret and keys.oauth_client_secret_file,
        "KAFKA_OAUTH_CLIENT_SECRET and KAFKA_OAUTH_CLIENT_SECRET_FILE are both set: only one can count",
    ),
    (
        lambda keys: (
            keys.oauth_token_endpoint
            and not (keys.oauth_client_id and (keys.oauth_client_secret or keys.oauth_client_secret_file))
        ),
        "KAFKA_OAUTH_TOKEN_ENDPOINT needs KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET_FILE (or …_SECRET)",
    ),
    (
        lambda keys: (
            not keys.oauth_token_endpoint
            and (keys.oauth_client_id or keys.oauth_client_secret or keys.oauth_client_secret_file or keys.oauth_scope)
        ),
        "KAFKA_OAUTH_CLIENT_ID, its secret and KAFKA_OAUTH_SCOPE need KAFKA_OAUTH_TOKEN_ENDPOINT",
    ),
)
