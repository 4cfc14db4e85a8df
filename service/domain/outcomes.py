"""What is published, in the domain's own types; `service.messages` puts it on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from service.domain.ends import End
from service.domain.money import Amount
from service.domain.periods import Period
from service.domain.policy import Proration
from service.domain.subscription import Adjustment


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A cancellation was scheduled, or moved to another end; without lines it is that of the whole."""

    type: Literal["cancellation-scheduled", "cancellation-rescheduled"]
    end: End
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A cancellation was taken back."""

    lines: tuple[str, ...] = ()
    type: Literal["cancellation-withdrawn"] = "cancellation-withdrawn"


RefusalCode: TypeAlias = Literal[
    "unknown-subscription",
    "already-ended",
    "not-cancelled",
    "end-before-start",
    "end-too-far-back",
    "end-before-permitted",
    "conflicting-content",
    "superseded",
    "time-in-future",
    "unknown-line",
]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A command was refused, and why."""

    code: RefusalCode
    message: str
    rejected_type: str
    cancellation_id: str | None
    type: Literal["cancellation-rejected"] = "cancellation-rejected"


@dataclass(frozen=True, slots=True)
class Ended:
    """The subscription has ended and the end is sealed."""

    end: End
    type: Literal["subscription-ended"] = "subscription-ended"


@dataclass(frozen=True, slots=True)
class ChargeChange:
    """A charge's amount as last published (or as planned) and as it is from now on."""

    charge_id: str
    invoice_id: str
    state: Literal["planned", "issued"]
    before: Amount
    after: Amount
    taxed: bool


@dataclass(frozen=True, slots=True)
class PeriodChanged:
    """A billing period was shortened, or given back in whole or in part: up to `until`."""

    type: Literal["period-shortened", "period-restored"]
    line_ids: tuple[str, ...]
    period: Period
    until: datetime
    proration: Proration
    end: End | None
    charges: tuple[ChargeChange, ...]


@dataclass(frozen=True, slots=True)
class RenewalChanged:
    """A renewal was cancelled, or comes after all; where lines are named, theirs only."""

    type: Literal["renewal-cancelled", "renewal-reinstated"]
    line_ids: tuple[str, ...]
    renewal: Period
    proration: Proration
    invoice_id: str | None
    charges: tuple[ChargeChange, ...]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A charge is to be credited or debited."""

    adjustment: Adjustment
    line_id: str | None
    type: Literal["credit-adjustment"] = "credit-adjustment"


Body: TypeAlias = StatusChanged | Withdrawn | Rejected | Ended | PeriodChanged | RenewalChanged | Adjusted


@dataclass(frozen=True, slots=True)
class Outcome:
    """One numbered outcome. `sequence` counts 1, 2, 3 … per subscription over all topics."""

    sequence: int
    cancellation_id: str | None
    time: datetime
    body: Body
