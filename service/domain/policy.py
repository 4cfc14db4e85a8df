"""What may be chosen: a tenant's policy over time, and the bounds every decision is taken within."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Literal, TypeAlias

Settlement: TypeAlias = Literal["prorate", "full-period", "refund-period"]
Proration: TypeAlias = Literal["day", "second"]
Language: TypeAlias = Literal["da", "en"]
Rounding: TypeAlias = Literal["half-up", "half-even"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A merchant's choices; the defaults are the field's common ones.

    Attributes:
        settlement: whether the period that holds the end is paid for the active time, kept whole or credited whole.
        proration: whether time is counted in calendar days or by the second; by the second, an end is an instant.
        day_of_cancellation: whether the day on which access ends at once counts as active.
        rounding: how a share of an amount is rounded to the minor unit.
        on_early_end: whether an end before the earliest permitted is moved to it or refused.
        earliest_backdate_days: an end may lie this many days before the day it was asked for.
        charges: whether invoicing reports what it charges, or every period that has begun counts as issued.
        language: what customers are written to in, where their subscription does not say.
    """

    settlement: Settlement = "prorate"
    proration: Proration = "day"
    day_of_cancellation: Literal["active", "free"] = "active"
    rounding: Rounding = "half-up"
    on_early_end: Literal["move", "refuse"] = "move"
    earliest_backdate_days: int = 366
    charges: Literal["reported", "implied"] = "reported"
    language: Language = "en"


DEFAULT = Policy()


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decision is taken by, besides the facts.

    Attributes:
        ahead: a command's time may lie this far ahead of the clock.
        grace: an end is sealed this long after it was reached and the last command has arrived.
        policies: the tenant's policies, each from the instant it was set, oldest first.
    """

    ahead: timedelta = timedelta(minutes=5)
    grace: timedelta = timedelta(seconds=60)
    policies: tuple[tuple[datetime, Policy], ...] = ()

    @property
    def ever_implied(self) -> bool:
        """Whether there has been a time when invoicing reported nothing."""
        return any(policy.charges == "implied" for _, policy in self.policies)

    def at(self, time: datetime) -> Policy:
        """The policy in force at an instant; the default before the first was set."""
        set_by_then = bisect_right(self.policies, time, key=itemgetter(0))
        return self.policies[set_by_then - 1][1] if set_by_then else DEFAULT
