"""Settings from the environment; the defaults run on a laptop."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.domain.policy import Policy, Rules


def _seconds(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


_HEADROOM = 1_000_000

Span: TypeAlias = Annotated[timedelta, BeforeValidator(_seconds)]


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
    """Everything that can be set. Durations are seconds or ISO 8601 (`PT24H`)."""

    model_config = SettingsConfigDict(frozen=True)

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    database_url: Annotated[str, Field(repr=False)] = "postgresql://127.0.0.1:5432/postgres"
    database_connections: Annotated[int, Field(ge=2)] = 4
    database_timeout: Span = timedelta(seconds=30)
    http_bind: Annotated[str, Field(pattern=r"^.*:\d+$")] = "127.0.0.1:8080"
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

    @property
    def largest_record(self) -> int:
        """Bytes of a dead letter: as large as any record, with all its headers and those that say why."""
        return self.topic_max_message_bytes + _HEADROOM

    @property
    def remembered(self) -> timedelta:
        """How long at least a repeat of an event is known as one: never less than it can be read from its topic."""
        return max(self.inbox_retention, self.topic_retention)

    def rules(self, policies: tuple[tuple[datetime, Policy], ...]) -> Rules:
        """What the domain decides by, for a tenant with these policies."""
        return Rules(grace=self.seal_grace, policies=policies)


class SettingsError(Exception):
    """A setting cannot be used; the message says which and why."""


def load() -> tuple[Settings, Topics]:
    """Settings and topic names from the environment.

    Raises:
        SettingsError: a value cannot be used.
    """
    try:
        return Settings(), Topics()
    except ValidationError as error:
        fault = error.errors()[0]
        name = "_".join(map(str, fault["loc"])).upper()
        raise SettingsError(f"The environment variable {name} cannot be used: {fault['msg']}.") from error
