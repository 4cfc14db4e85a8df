"""Settings from the environment; the defaults run on a laptop."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.domain.policy import Policy, Rules
from service.keys import DatabaseKeys, KafkaKeys, legible


def _seconds(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _like(pattern: str, said: str) -> AfterValidator:
    """A text of this form; who gives another is told what it is to be."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"it is to be {said}")
        return text

    return AfterValidator(check)


_HEADROOM = 1_000_000

Span: TypeAlias = Annotated[timedelta, BeforeValidator(_seconds)]
RoleName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


class Topics(BaseSettings):
    """Names of the topics, e.g. `TOPIC_SUBSCRIPTION_LIFECYCLE=billing.lifecycle.v1`."""

    model_config = SettingsConfigDict(env_prefix="TOPIC_", frozen=True)

    subscription_lifecycle: str = "subscription-lifecycle"
    cancellation_requested: str = "cancellation-requested"
    cancellation_policy: str = "cancellation-policy"
    period_shortened: str = "period-shortened"
    renewal_cancelled: str = "renewal-cancelled"
    credit_adjustment: str = "credit-adjustment"
    cancellation_status: str = "cancellation-status"
    subscription_timeline: str = "subscription-timeline"
    cancellation_dead_letter: str = "cancellation-dead-letter"

    def named(self, default: str) -> str:
        """The name a topic goes by here, from its default name."""
        name: str = getattr(self, default.replace("-", "_"))
        return name

    @property
    def inputs(self) -> tuple[str, ...]:
        """The topics that are consumed."""
        return (*self.before_commands, self.cancellation_requested)

    @property
    def before_commands(self) -> tuple[str, ...]:
        """The topics whose records come first where they and commands are of one time."""
        return (self.subscription_lifecycle, self.cancellation_policy)


class Settings(BaseSettings):
    """Everything that can be set. Durations are seconds or ISO 8601 (`PT24H`). `load` brings the keys along."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_keys: KafkaKeys = KafkaKeys.model_construct()
    database_url: Annotated[str, Field(repr=False), AfterValidator(legible)] = "postgresql://127.0.0.1:5432/postgres"
    database_keys: DatabaseKeys = DatabaseKeys.model_construct()
    database_connections: Annotated[int, Field(ge=2)] = 4
    database_reader_url: Annotated[str | None, Field(repr=False)] = None
    database_reader_password_file: FilePath | None = None
    database_service_role: RoleName = "cancellation_service"
    database_reader_role: RoleName = "cancellation_reader"
    database_timeout: Span = timedelta(seconds=30)
    http_bind: Annotated[str, _like(r".*:\d+", "host:port, such as 127.0.0.1:8080")] = "127.0.0.1:8080"
    http_token: SecretStr | None = None
    http_token_file: FilePath | None = None
    http_rate_limit: str = "600/minute"
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_tenants_claim: str = "tenants"
    oidc_roles_claim: str = "roles"
    instance_id: str | None = None
    consumer_group: str = "subscription-cancellation"

    seal_grace: Span = timedelta(seconds=60)
    await_subscription: Span = timedelta(hours=24)
    inbox_retention: Span = timedelta(days=45)

    batch_max_records: Annotated[int, Field(ge=1)] = 500
    clock_interval: Span = timedelta(seconds=5)
    relay_interval: Span = timedelta(seconds=1)
    relay_shards: Annotated[int, Field(ge=1, le=1024)] = 16
    relay_max_records: Annotated[int, Field(ge=1)] = 2000
    outbox_max_records: Annotated[int, Field(ge=1)] = 50_000

    topic_partitions: Annotated[int, Field(ge=1)] = 12
    topic_replication_factor: Annotated[int, Field(ge=1)] = 1
    topic_retention: Span = timedelta(days=30)
    dead_letter_retention: Span = timedelta(days=90)
    compaction_lag: Span = timedelta(days=7)
    topic_max_message_bytes: Annotated[int, Field(ge=1_000_000)] = 8_000_000

    def at(self, kafka: str, postgres: str) -> Settings:
        """The same for these servers: the keys of other servers are none to them."""
        update: dict[str, object] = {"kafka_bootstrap_servers": kafka, "database_url": postgres}
        if kafka != self.kafka_bootstrap_servers:
            update["kafka_keys"] = KafkaKeys.model_construct()
        if postgres != self.database_url:
            update |= {"database_keys": DatabaseKeys.model_construct(), "database_reader_url": None}
        return self.model_copy(update=update)

    @property
    def largest_record(self) -> int:
        """Bytes of a dead letter: as large as any record, with all its headers and those that say why."""
        return self.topic_max_message_bytes + _HEADROOM

    @property
    def remembered(self) -> timedelta:
        """How long at least a repeat of an event is known as one: never less than it can be read from its topic."""
        return max(self.inbox_retention, self.topic_retention)

    @property
    def database_roles(self) -> tuple[str, str]:
        """What the service's and the reader's user in Postgres are called."""
        return self.database_service_role, self.database_reader_role

    @property
    def http_address(self) -> tuple[str, int]:
        """Host and port to listen at."""
        host, _, port = self.http_bind.rpartition(":")
        return host, int(port)

    def rules(self, policies: tuple[tuple[datetime, Policy], ...]) -> Rules:
        """What the domain decides by, for a tenant with these policies."""
        return Rules(grace=self.seal_grace, policies=policies)


class SettingsError(Exception):
    """A setting cannot be used; the message says which and why."""


def load() -> tuple[Settings, Topics]:
    """Settings and topic names from the environment.

    Raises:
        SettingsError: a value cannot be used, or some cannot be used together.
    """
    kafka, database = _read(KafkaKeys), _read(DatabaseKeys)
    return _read(Settings, kafka_keys=kafka, database_keys=database), _read(Topics)


Read = TypeVar("Read", bound=BaseSettings)


def _read(kind: type[Read], **made: BaseSettings) -> Read:
    try:
        return kind(**made)  # type: ignore[arg-type]  # its own arguments are not meant
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        says = "it is to be seconds, or as PT24H" if fault["type"].startswith("time_delta") else fault["msg"]
        says = says.removeprefix("Value error, ")
        if not fault["loc"]:
            raise SettingsError(f"{says}.") from None
        name = f"{kind.model_config.get('env_prefix', '')}{'_'.join(map(str, fault['loc']))}".upper()
        raise SettingsError(f"The environment variable {name} cannot be used: {says}.") from None
