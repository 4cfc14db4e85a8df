"""The whole current timeline of a subscription, as one value to show and to publish."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from operator import attrgetter
from typing import Literal, TypeAlias

from service.domain.ends import End
from service.domain.facts import Line
from service.domain.periods import Period, local_date
from service.domain.policy import Language, Policy, Rules
from service.domain.settlement import Settled, Settlement, settle
from service.domain.subscription import Adjustment, Entry, Pause, Price, Subscription

Status: TypeAlias = Literal["upcoming", "active", "ending", "ended"]


@dataclass(frozen=True, slots=True)
class ShownPeriod:
    """A billing period and what became of it."""

    start: date
    end: date
    state: Literal["whole", "shortened", "cancelled"]
    shortened_to: date | None = None


@dataclass(frozen=True, slots=True)
class ShownPrice:
    """A price list; one that would take effect on or after the end is suppressed, and revives when the end moves."""

    effective_date: date
    lines: tuple[Line, ...]
    state: Literal["in-force", "suppressed"]


@dataclass(frozen=True, slots=True)
class ShownPause:
    """A pause; the end cuts it off, and one that would begin on or after the end is suppressed."""

    pause_id: str
    effective_date: date
    resume_date: date | None
    effect: str
    state: Literal["in-force", "cut-off", "suppressed"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a person needs to see; everything in it is derived from the state."""

    subscription: Subscription
    language: Language
    status: Status
    policy: Policy
    end: End | None
    line_ends: dict[str, End]
    periods: tuple[ShownPeriod, ...]
    prices: tuple[ShownPrice, ...]
    pauses: tuple[ShownPause, ...]
    charges: tuple[Settled, ...]
    adjustments: tuple[tuple[Adjustment, bool], ...]
    entries: tuple[Entry, ...]

    @property
    def revocable_until(self) -> datetime | None:
        """Until when the cancellation of the whole can be taken back or moved; None where there is none, or no more."""
        return self.end.access_ends_at if self.end is not None and self.status == "ending" else None

    def told_in(self, language: Language) -> Timeline:
        """The same in another language, whatever the customer was written to in."""
        adjustments = tuple(
            (replace(adjustment, calculation=replace(adjustment.calculation, language=language)), settled)
            for adjustment, settled in self.adjustments
        )
        return replace(self, language=language, adjustments=adjustments)


def timeline(subscription: Subscription, now: datetime, rules: Rules, target: Settlement | None = None) -> Timeline:
    """Draws the timeline up as of an instant; `target` is what the rule says by then, where that is known already."""
    target, in_force = target or settle(subscription, now, rules), subscription.course.in_force
    charges = tuple(target.charges.values())
    return Timeline(
        subscription=subscription,
        language=subscription.agreement.language or rules.at(now).language,
        status=_status(subscription, target.end, now),
        policy=rules.at(in_force[0].last.time if in_force else now),
        end=target.end,
        line_ends=target.line_ends,
        periods=_periods(subscription, target, charges, now),
        prices=tuple(_price(price, target.end) for price in subscription.price_lists),
        pauses=tuple(_pause(pause, target.end) for pause in subscription.pauses),
        charges=charges,
        adjustments=_adjustments(subscription),
        entries=tuple(sorted(subscription.entries, key=lambda entry: (entry.time, entry.recorded_at))),
    )


def standing(subscription: Subscription, now: datetime, rules: Rules) -> tuple[Status, End | None]:
    """The status and the end alone, for a list of many."""
    end = subscription.ends(rules).whole
    return _status(subscription, end, now), end


def _status(subscription: Subscription, end: End | None, now: datetime) -> Status:
    if end is not None:
        return "ended" if subscription.told.ended or end.access_ends_at <= now else "ending"
    today = local_date(now, subscription.agreement.time_zone)
    return "active" if subscription.agreement.start_date <= today else "upcoming"


def _periods(
    subscription: Subscription, target: Settlement, charges: tuple[Settled, ...], now: datetime
) -> tuple[ShownPeriod, ...]:
    """The periods worth showing: the current one, those that charges or renewals are for, those the end touches."""
    agreement, end = subscription.agreement, target.end
    touched = {period for period, _ in (*target.cuts, *target.stopped)}
    windows = {s.window for s in charges if s.window and s.charge.kind == "recurring" and not s.charge.implied}
    today = local_date(now, agreement.time_zone)
    current = subscription.calendar(today).containing(today)
    running = {current} if end is None or current.start < end.end_date else set()
    periods = {*running, *windows, *subscription.renewals, *touched}
    return tuple(_shown(period, end) for period in sorted(periods, key=attrgetter("start", "end")))


def _shown(period: Period, end: End | None) -> ShownPeriod:
    if end is None or end.end_date >= period.end:
        return ShownPeriod(period.start, period.end, "whole")
    if end.end_date <= period.start:
        return ShownPeriod(period.start, period.end, "cancelled")
    return ShownPeriod(period.start, period.end, "shortened", end.end_date)


def _price(price: Price, end: End | None) -> ShownPrice:
    late = end is not None and price.effective_date >= end.end_date
    return ShownPrice(price.effective_date, price.lines, "suppressed" if late else "in-force")


def _pause(pause: Pause, end: End | None) -> ShownPause:
    state: Literal["in-force", "cut-off", "suppressed"] = "in-force"
    if end is not None and pause.days.end > end.end_date:
        state = "suppressed" if pause.effective_date >= end.end_date else "cut-off"
    return ShownPause(pause.pause_id, pause.effective_date, pause.resume_date, pause.effect, state)


def _adjustments(subscription: Subscription) -> tuple[tuple[Adjustment, bool], ...]:
    """Each adjustment, and whether the invoicing side has reported the charge that carries it out."""
    done = subscription.carried_out
    return tuple((a, a.adjustment_id in done) for a in subscription.told.adjustments)
