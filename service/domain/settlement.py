"""The rule: what the facts say the customer owes, charge by charge.

    credit(charge) = billed - kept - what others credited, which never turns it into a debit

* `full` is what the charge would have cost without us: the first plan of it, or what was billed
  where that differs for reasons of the invoicing side's own.
* `kept` is `full` times active days over all days of the charge's own window (see `proration`), or
  all or nothing of it where that is the settlement agreed for the period that holds the end.
* What an invoice left out because we had published the charge shortened (`full - billed`) is
  carried out already. When the end moves out again, more is kept than was billed and the credit is
  negative: a debit.
* What others credited for the charge is so much less for us to credit, whenever it came. It is
  never a reason to debit what they gave.

Only recurring charges are divided; one-off and usage charges are kept whole. A charge that starts
on or after the end is kept for nothing, by the same formula. Without a cancellation in force
everything is kept, so all that was published is taken back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias

from service.domain.ends import End
from service.domain.implied import implied_charges
from service.domain.money import ZERO, Amount
from service.domain.periods import Period, start_of_day
from service.domain.policy import Rules
from service.domain.proration import portion, span
from service.domain.subscription import Charge, Ends, Statement, Stretch, Subscription

Held: TypeAlias = tuple[datetime, datetime | None, End | None]
"""An end, from when it was in force and until when (None: still)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What the rule says of one charge under the end that holds for its line.

    `window` is the days it is for by what is known now. `credit` negative is a debit. Active and
    total are days or seconds.
    """

    charge: Charge
    window: Period | None
    line: str
    end: End | None
    full: Amount
    kept: Amount
    credited_by_others: Amount
    credit: Amount
    active: int
    total: int


@dataclass(frozen=True, slots=True)
class _LineEnds:
    """The ends that have held for a line, and the one that does; no end has ever reached back before `open_from`."""

    held: list[Held]
    end: End | None
    open_from: date


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the facts say of a whole subscription.

    `reached` are the charges that an end has ever reached, or of which something has been published;
    of all others nothing needs to be worked out. `cuts` are the periods of lines of which less than
    all is kept, with the end that shortens them or that closes the books of a pause; `stopped` are
    the renewals of lines that do not come.
    """

    end: End | None
    line_ends: dict[str, End]
    reached: dict[str, Settled]
    cuts: dict[Stretch, End]
    stopped: tuple[Stretch, ...]
    reported: dict[Stretch, list[Settled]]
    stated: Mapping[str, Charge]
    lines: Mapping[str, _LineEnds]
    others: Mapping[str, Amount]

    @property
    def charges(self) -> dict[str, Settled]:
        """What the rule says of every charge, in the order they were stated; takes as long as there are many."""
        return {
            charge_id: self.reached.get(charge_id) or _untouched(charge, self.lines, self.others.get(charge_id, ZERO))
            for charge_id, charge in self.stated.items()
        }

    def of(self, stretch: Stretch) -> list[Settled]:
        """The living recurring charges of exactly this period and line that invoicing has reported."""
        return self.reported.get(stretch, [])


def settle(subscription: Subscription, now: datetime, rules: Rules) -> Settlement:
    """The rule applied to all facts known. `now` decides only which periods have begun."""
    ends = subscription.ends(rules)
    others = _credited_by_others(subscription)
    implied = implied_charges(subscription, ends, now, rules)
    if implied:
        subscription = replace(subscription, charges={**implied, **subscription.charges})
    whole, own = _line_ends(subscription, ends, ""), {line for _, _, lines in ends.history for line in lines}
    lines = {line: _line_ends(subscription, ends, line) if line in own else whole for line in subscription.line_ids}
    lines[""] = whole
    told = {*subscription.told.levels, *(adjustment.charge_id for adjustment in subscription.told.adjustments)}
    moves = bool(subscription.extensions)
    reached = {
        charge_id: _settled(subscription, charge, lines, others.get(charge_id, ZERO))
        for charge_id, charge in subscription.charges.items()
        if charge_id in told or _is_reached(charge, lines, moves=moves)
    }
    nameless = any(charge.line_id not in lines and divisible(charge) for charge in subscription.charges.values())
    windows: dict[str, set[Period]] = {line: set() for line in lines if line or nameless}
    reported: dict[Stretch, list[Settled]] = {}
    less = set()
    for settled in reached.values():
        if settled.window is not None and divisible(settled.charge):
            windows[settled.line].add(settled.window)
            if not settled.charge.implied:
                reported.setdefault((settled.window, settled.line), []).append(settled)
            if settled.kept != settled.full:
                less.add((settled.window, settled.line))
    cuts: dict[Stretch, End] = {}
    stopped: list[Stretch] = []
    for line, charged in windows.items():
        end = lines[line].end
        for period in sorted(_periods(subscription, charged, end, now)) if end is not None else ():
            assert end is not None  # noqa: S101  narrows the type
            if period.start >= end.end_date:
                stopped.append((period, line))
            elif end.paid_until < start_of_day(period.end, subscription.agreement.time_zone) or (period, line) in less:
                cuts[period, line] = end
    stated = subscription.charges
    return Settlement(ends.whole, ends.lines, reached, cuts, tuple(stopped), reported, stated, lines, others)


def _line_ends(subscription: Subscription, ends: Ends, line: str) -> _LineEnds:
    held = ends.over(line)
    last_periods = [
        subscription.calendar(end.end_date).containing(end.last_active_day)
        for end in dict.fromkeys(end for _, _, end in held if end is not None)
    ]
    return _LineEnds(held, ends.of(line), min((period.start for period in last_periods), default=date.max))


def _periods(subscription: Subscription, charged: set[Period], end: End, now: datetime) -> set[Period]:
    """The periods of a line that an end can bear on: those charged or reported, the last, the first renewal."""
    calendar = subscription.calendar(end.end_date)
    last = calendar.containing(end.end_date)
    begun = start_of_day(last.start, subscription.agreement.time_zone) <= now
    return {*charged, *subscription.renewals, *([last] if begun else ()), calendar.from_date(end.end_date)}


def divisible(charge: Charge) -> bool:
    """Whether a charge is for time, and alive, so that an end can divide it."""
    ours = charge.settles_adjustment_id is not None
    return charge.kind == "recurring" and charge.window is not None and not charge.voided and not ours


def _line(charge: Charge, lines: Mapping[str, _LineEnds]) -> str:
    line = charge.line_id or ""
    return line if line in lines else ""


def _is_reached(charge: Charge, lines: Mapping[str, _LineEnds], *, moves: bool) -> bool:
    """Whether an end has ever reached a charge, or may have where pauses move periods."""
    return charge.window is not None and (moves or charge.window.end > lines[_line(charge, lines)].open_from)


def _untouched(charge: Charge, lines: Mapping[str, _LineEnds], others: Amount) -> Settled:
    """A charge that no end has reached: it is what was said of it last, and nothing is given back of it."""
    line, window = _line(charge, lines), charge.window
    full = ZERO if charge.voided else charge.stated
    return Settled(charge, window, line, lines[line].end, full, full, others, ZERO, *_all_of(charge))


def _settled(subscription: Subscription, charge: Charge, lines: Mapping[str, _LineEnds], others: Amount) -> Settled:
    line = _line(charge, lines)
    held, end = lines[line].held, lines[line].end
    full, drawn_at = _full_value(subscription, charge, held)
    kept, active, total = _kept(subscription, charge, full, drawn_at, end)
    window = span(subscription, charge, drawn_at, date.min if end is None else end.end_date)
    credit = charge.billed.beyond(kept, others) if charge.state == "issued" else ZERO
    return Settled(charge, window, line, end, full, kept, others, credit, active, total)


def _kept(
    subscription: Subscription, charge: Charge, full: Amount, drawn_at: datetime, end: End | None
) -> tuple[Amount, int, int]:
    """What is kept of a charge under an end, and the days or seconds that are paid for, of how many."""
    if charge.voided:
        return ZERO, *_all_of(charge)
    if end is None or charge.window is None or not divisible(charge):
        return full, *_all_of(charge)
    window = span(subscription, charge, drawn_at, end.end_date)
    assert window is not None  # noqa: S101  narrows the type
    if window.end <= subscription.calendar(end.end_date).containing(end.last_active_day).start:
        return full, *_all_of(charge)  # closed while the subscription lived
    part = portion(subscription, charge, charge.window, drawn_at, end)
    zone = subscription.agreement.time_zone
    match end.settlement:
        case "full-period" if window.start < end.end_date:
            kept = full
        case "refund-period" if end.access_ends_at < start_of_day(window.end, zone):
            kept = ZERO
        case _:
            kept = full.share(part.earned, part.worth, end.rounding)
    return kept, part.active, part.total


def _all_of(charge: Charge) -> tuple[int, int]:
    """All the days of a charge; one that is for no days, or for none any more, is there once."""
    days = 1 if charge.window is None or charge.voided else charge.window.days
    return days, days


def _full_value(subscription: Subscription, charge: Charge, held: Sequence[Held]) -> tuple[Amount, datetime]:
    """What a charge would have cost without us, and when it was drawn up so.

    Its first statement, unless a later one is another price. A later statement that is lower is ours
    as far as a shortening of ours explains it. One that none explains, or that is higher, is a price
    of the invoicing side's own.
    """
    first = charge.statements[0]
    full, drawn_at = first.amount, first.time
    for statement in charge.statements[1:]:
        lower = statement.amount.gross < full.gross
        ours = lower and any(
            _explains(statement, first, span, full, _kept(subscription, charge, full, drawn_at, span[2])[0])
            for span in held
        )
        if statement.amount != full and not ours:
            full, drawn_at = statement.amount, statement.time
    return (ZERO if charge.voided else full), drawn_at


def _explains(statement: Statement, first: Statement, span: Held, full: Amount, kept: Amount) -> bool:
    """Whether an end that shortened a charge to `kept` explains that a statement is lower than the first.

    By the events' own times: it leaves out no more than an end in force then asked for, or it comes
    to the minor unit to what an end asked for that has been moved or revoked in the meantime.
    """
    since, until, _ = span
    if since > statement.time or kept == full:
        return False
    in_force = until is None or until > statement.time
    crossed = until is None or until > first.time or bool(kept)
    return (in_force and statement.amount.gross >= kept.gross) or (crossed and statement.amount == kept)


def _credited_by_others(subscription: Subscription) -> dict[str, Amount]:
    """Credits given besides ours, by the charge they correct. One that settles an adjustment of ours is ours."""
    credited: dict[str, Amount] = defaultdict(Amount)
    for charge in subscription.charges.values():
        corrects, ours = charge.corrects_charge_id, charge.settles_adjustment_id
        if charge.kind == "credit" and corrects is not None and ours is None:
            credited[corrects] = credited[corrects] + charge.billed
    return credited
