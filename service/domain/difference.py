"""The subtraction: what the rule says now, minus what has been published, as outcomes.

Order within one decision: the status; what is given back (periods restored, renewals reinstated);
what is taken (periods shortened, renewals cancelled); the money. So an amount that is published
twice in one decision goes from each `before` to the next without a gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from service.domain.ends import End, earlier
from service.domain.money import ZERO, Amount
from service.domain.outcomes import (
    Adjusted,
    Body,
    ChargeChange,
    PeriodChanged,
    RenewalChanged,
    StatusChanged,
    Withdrawn,
)
from service.domain.periods import Period, start_of_day
from service.domain.policy import Language, Policy
from service.domain.settlement import Settled, Settlement
from service.domain.subscription import Adjustment, Calculation, Cause, Level, Stretch, Subscription, Told


@dataclass(slots=True)
class _Draft:
    """What will have been published, while the outcomes are being drawn up."""

    cuts: dict[Stretch, datetime]
    stopped: set[Stretch]
    levels: dict[str, Level]
    adjustments: list[Adjustment]
    bodies: list[Body]
    language: Language


def difference(
    subscription: Subscription,
    target: Settlement,
    *,
    key: str,
    cause: Cause,
    now: datetime,
    policy: Policy,
) -> tuple[tuple[Body, ...], Told]:
    """The outcomes that take what has been published to what the rule says, and what is then published.

    `key` names the input that caused it and makes the adjustments' ids; `now` stamps them. The customer
    is told of it in the language of the subscription, or of the policy in force where that names none.
    """
    told = subscription.told
    language = subscription.agreement.language or policy.language
    draft = _Draft(dict(told.cuts), set(told.stopped), dict(told.levels), list(told.adjustments), [], language)
    end, line_ends = _status(draft, told, target)
    _give_back(draft, target, subscription)
    _shorten(draft, target, subscription)
    _cancel_renewals(draft, target, subscription)
    _adjust(draft, subscription, target, key, cause, now)
    after = Told(
        sequence=told.sequence + len(draft.bodies),
        end=end,
        line_ends=line_ends,
        cuts=tuple(sorted(draft.cuts.items())),
        stopped=tuple(sorted(draft.stopped)),
        levels=draft.levels,
        adjustments=tuple(draft.adjustments),
        ended=told.ended,
    )
    return tuple(draft.bodies), after


def _status(draft: _Draft, told: Told, target: Settlement) -> tuple[End | None, dict[str, End]]:
    """Says what has become of the end of the whole and of the lines' own; gives both as they are then told."""
    end = _changed_end(draft, told.end, target.end, ())
    groups: dict[tuple[End | None, End | None], list[str]] = {}
    for line in dict.fromkeys((*told.line_ends, *target.line_ends)):
        groups.setdefault((told.line_ends.get(line), target.line_ends.get(line)), []).append(line)
    line_ends = {}
    for (before, after), lines in groups.items():
        own = _changed_end(draft, before, after, tuple(sorted(lines)))
        line_ends.update({} if own is None else dict.fromkeys(lines, own))
    return end, line_ends


def _changed_end(draft: _Draft, before: End | None, after: End | None, lines: tuple[str, ...]) -> End | None:
    if before is not None and after is not None and before.same_as(after):
        return before
    if after is not None:
        name = "cancellation-scheduled" if before is None else "cancellation-rescheduled"
        draft.bodies.append(StatusChanged(name, after, lines))  # type: ignore[arg-type]  # one of two literals
    elif before is not None:
        draft.bodies.append(Withdrawn(lines))
    return after


def _give_back(draft: _Draft, target: Settlement, subscription: Subscription) -> None:
    """Gives back, period by period, what the end no longer takes, or what of a charge is kept after all.

    A renewal comes back whole; where a period had been shortened before its renewal was cancelled,
    that is undone too. What the new end takes of it is taken afterwards, by `_shorten`.
    """
    charges = [s for s in target.reached.values() if _published(draft, s) is not None]
    told = {(s.window, s.line) for s in charges if s.window is not None}
    for period, lines in _together({*draft.cuts, *draft.stopped, *told}):
        ends = {line: earlier(target.end, target.line_ends.get(line)) for line in lines}
        back = [line for line, end in ends.items() if end is None or period.start < end.end_date]
        reinstated = [(period, line) for line in back if (period, line) in draft.stopped]
        _reinstate(draft, target, subscription, reinstated)
        whole = _ends(subscription, period)
        restored: dict[tuple[datetime, End | None], list[Stretch]] = {}
        for line in back:
            if (period, line) in draft.cuts or (period, line) in told:
                end = None if (period, line) in reinstated else ends[line]
                until = whole if end is None else min(whole, end.paid_until)
                restored.setdefault((until, ends[line]), []).append((period, line))
        for (until, end), stretches in restored.items():
            _restore(draft, target, subscription, stretches, until, end)


def _reinstate(draft: _Draft, target: Settlement, subscription: Subscription, stretches: list[Stretch]) -> None:
    """Renewals that were cancelled come after all, whole."""
    if not stretches:
        return
    draft.stopped.difference_update(stretches)
    charges = [s for stretch in stretches for s in target.of(stretch) if s.charge.charge_id in draft.levels]
    changes = [(settled, settled.full) for settled in charges]
    _renewal_changed(draft, target, subscription, "renewal-reinstated", stretches, changes)


def _restore(
    draft: _Draft,
    target: Settlement,
    subscription: Subscription,
    stretches: list[Stretch],
    until: datetime,
    end: End | None,
) -> None:
    """A period that was shortened is given back, up to an instant."""
    period = stretches[0][0]
    whole = _ends(subscription, period)
    over = {stretch for stretch in stretches if until == whole and stretch not in target.cuts}
    moved = [s for s in stretches if s in draft.cuts and (s in over or until > draft.cuts[s])]
    raised = {stretch: _changes(draft, target, stretch, rising=True) for stretch in stretches}
    affected = [stretch for stretch in stretches if stretch in moved or raised[stretch]]
    if not affected:
        return
    draft.cuts.update(dict.fromkeys(affected, until))
    for stretch in over.intersection(affected):
        del draft.cuts[stretch]
    counted = end or subscription.told.end
    draft.bodies.append(
        PeriodChanged(
            type="period-restored",
            line_ids=_named(subscription, affected),
            period=period,
            until=until,
            proration="day" if counted is None else counted.proration,
            end=end,
            charges=tuple(change for changes in raised.values() for change in changes),
        )
    )


def _shorten(draft: _Draft, target: Settlement, subscription: Subscription) -> None:
    """Cuts periods at the end date, and again when less comes to be kept of a charge of such a period."""
    for period, lines in _together(target.cuts):
        ends: dict[End, list[Stretch]] = {}
        for line in lines:
            ends.setdefault(target.cuts[period, line], []).append((period, line))
        for end, stretches in ends.items():
            until = min(_ends(subscription, period), end.paid_until)
            moved = [s for s in stretches if s not in draft.cuts or until < draft.cuts[s]]
            lowered = {stretch: _changes(draft, target, stretch, rising=False) for stretch in stretches}
            affected = [stretch for stretch in stretches if stretch in moved or lowered[stretch]]
            if not affected:
                continue
            draft.cuts.update(dict.fromkeys(affected, until))
            draft.bodies.append(
                PeriodChanged(
                    type="period-shortened",
                    line_ids=_named(subscription, affected),
                    period=period,
                    until=until,
                    proration=end.proration,
                    end=end,
                    charges=tuple(change for changes in lowered.values() for change in changes),
                )
            )


def _cancel_renewals(draft: _Draft, target: Settlement, subscription: Subscription) -> None:
    """Cancels each renewal from the end on, once, and again when a charge of it arrives late."""
    for period, lines in _together(target.stopped):
        stretches = [(period, line) for line in lines]
        fresh = {stretch: [s for s in target.of(stretch) if _published(draft, s) != s.kept] for stretch in stretches}
        affected = [stretch for stretch in stretches if stretch not in draft.stopped or fresh[stretch]]
        if affected:
            draft.stopped.update(affected)
            changes = [(settled, settled.kept) for stretch in affected for settled in fresh[stretch]]
            _renewal_changed(draft, target, subscription, "renewal-cancelled", affected, changes)


def _renewal_changed(
    draft: _Draft,
    target: Settlement,
    subscription: Subscription,
    name: Literal["renewal-cancelled", "renewal-reinstated"],
    stretches: list[Stretch],
    changes: list[tuple[Settled, Amount]],
) -> None:
    """Says of a renewal of some lines that it does not come, or does: once for each invoice that is for it."""
    period, line = stretches[0]
    end = earlier(target.end, target.line_ends.get(line)) or subscription.told.end
    lines = _named(subscription, stretches)
    for invoice_id, group in _by_invoice([settled for settled, _ in changes]):
        amounts = {settled.charge.charge_id: amount for settled, amount in changes}
        draft.bodies.append(
            RenewalChanged(
                type=name,
                line_ids=() if set(lines) == set(subscription.line_ids) else lines,
                renewal=period,
                proration="day" if end is None else end.proration,
                invoice_id=invoice_id,
                charges=tuple(_change(draft, settled, amounts[settled.charge.charge_id]) for settled in group),
            )
        )


def _ends(subscription: Subscription, period: Period) -> datetime:
    """The instant a period ends."""
    return start_of_day(period.end, subscription.agreement.time_zone)


def _together(stretches: Iterable[Stretch]) -> list[tuple[Period, list[str]]]:
    """Periods in order, each with its lines: what happens to several lines alike is said once."""
    periods: dict[Period, list[str]] = {}
    for period, line in sorted(stretches):
        periods.setdefault(period, []).append(line)
    return list(periods.items())


def _named(subscription: Subscription, stretches: list[Stretch]) -> tuple[str, ...]:
    """The lines by name; where charges that name none are among them, all lines of the subscription."""
    lines = tuple(line for _, line in stretches if line)
    return lines if len(lines) == len(stretches) else subscription.line_ids


def _by_invoice(charges: list[Settled]) -> Iterable[tuple[str | None, list[Settled]]]:
    """Charges by invoice; a renewal that nobody has planned yet is one without an invoice."""
    invoices: dict[str | None, list[Settled]] = {} if charges else {None: []}
    for settled in charges:
        invoices.setdefault(settled.charge.invoice_id, []).append(settled)
    return invoices.items()


def _changes(draft: _Draft, target: Settlement, stretch: Stretch, *, rising: bool) -> tuple[ChargeChange, ...]:
    """The charges of a period of a line whose amount rises (or falls, or is published for the first time)."""
    changes = []
    for settled in target.of(stretch):
        published = _published(draft, settled)
        known = settled.full if published is None else published
        kept, before = (settled.kept.gross, settled.kept.tax), (known.gross, known.tax)
        if kept > before if rising else published is None or kept < before:
            changes.append(_change(draft, settled, settled.kept))
    return tuple(changes)


def _published(draft: _Draft, settled: Settled) -> Amount | None:
    """What was last published of a charge."""
    level = draft.levels.get(settled.charge.charge_id)
    return None if level is None else level.amount


def _change(draft: _Draft, settled: Settled, after: Amount) -> ChargeChange:
    charge = settled.charge
    published = _published(draft, settled)
    planned = charge.stated if charge.state == "planned" else settled.full
    draft.levels[charge.charge_id] = Level(after, settled.full)
    return ChargeChange(
        charge_id=charge.charge_id,
        invoice_id=charge.invoice_id,
        state="issued" if charge.state == "issued" else "planned",
        before=planned if published is None else published,
        after=after,
        taxed=charge.taxed,
    )


def _adjust(
    draft: _Draft, subscription: Subscription, target: Settlement, key: str, cause: Cause, now: datetime
) -> None:
    """One adjustment per charge whose credit is not what has been published for it."""
    given_before: dict[str, list[Adjustment]] = {}
    for adjustment in draft.adjustments:
        given_before.setdefault(adjustment.charge_id, []).append(adjustment)
    accounts: dict[str, _Account] = {}
    for charge_id, settled in target.reached.items():
        earlier = given_before.get(charge_id, [])
        given = sum((adjustment.amount for adjustment in earlier), ZERO)
        amount = settled.credit - given
        if not amount:
            continue
        accounts = accounts or _accounts(draft, subscription, target)
        offset, refundable = _split(accounts[settled.charge.invoice_id], earlier, amount.gross)
        adjustment = Adjustment(
            adjustment_id=str(
                uuid5(
                    NAMESPACE_URL,
                    f"adjustment {subscription.tenant_id} {subscription.subscription_id} {key} {charge_id}",
                )
            ),
            sequence=subscription.told.sequence + len(draft.bodies) + 1,
            charge_id=charge_id,
            invoice_id=settled.charge.invoice_id,
            amount=amount,
            offset=offset,
            refundable=refundable,
            cause=cause,
            reverses_adjustment_id=_reversed(earlier, amount),
            calculation=calculation(settled, given.gross, draft.language),
            decided_at=now,
        )
        draft.adjustments.append(adjustment)
        draft.bodies.append(Adjusted(adjustment, settled.charge.line_id))


@dataclass(slots=True)
class _Account:
    """An invoice, in minor units: what is still to be paid of it, and what of the payments has not been given back."""

    unpaid: int = 0
    paid: int = 0


def _accounts(draft: _Draft, subscription: Subscription, target: Settlement) -> dict[str, _Account]:
    """Every invoice as it stands by what was billed, paid, credited by others and published by us."""
    accounts: dict[str, _Account] = {}
    for charge_id, charge in target.stated.items():
        account = accounts.setdefault(charge.invoice_id, _Account())
        billed, by_others = charge.billed.gross, target.others.get(charge_id, ZERO).gross
        account.unpaid += (0 if charge.kind == "credit" else billed) - by_others
    for invoice_id, paid in subscription.paid.items():
        account = accounts.setdefault(invoice_id, _Account())
        account.unpaid, account.paid = account.unpaid - paid, paid
    for adjustment in draft.adjustments:
        account = accounts.setdefault(adjustment.invoice_id, _Account())
        account.unpaid -= adjustment.amount.gross
        account.paid -= adjustment.refundable
    return accounts


def _split(account: _Account, earlier: list[Adjustment], gross: int) -> tuple[int, int]:
    """How much of an adjustment meets the open balance of its invoice, and how much is for paying back.

    A credit is offset first, and only money that was paid can be paid back. A debit mirrors what was
    published for the charge, the refund first; what it takes beyond that (an invoice that left
    something out) is neither. The account is left as the adjustment leaves it.
    """
    if gross >= 0:
        offset = min(gross, max(account.unpaid, 0))
        refundable = min(gross - offset, max(account.paid, 0))
        offset = gross - refundable
    else:
        refundable = -min(-gross, max(sum(adjustment.refundable for adjustment in earlier), 0))
        offset = -min(refundable - gross, max(sum(adjustment.offset for adjustment in earlier), 0))
    account.unpaid -= gross
    account.paid -= refundable
    return offset, refundable


def _reversed(earlier: list[Adjustment], amount: Amount) -> str | None:
    """The latest adjustment of the other direction that still stands, and that this one takes back in whole or part.

    It is the last one before which less had been given than now: those after it have been taken back.
    """
    stood = given = sum(adjustment.amount.gross for adjustment in earlier)
    for adjustment in reversed(earlier) if given * amount.gross < 0 else ():
        stood -= adjustment.amount.gross
        if (stood - given) * amount.gross > 0:
            return adjustment.adjustment_id
    return None


def calculation(settled: Settled, given: int, language: Language) -> Calculation:
    """How a charge came to what is kept of it, to be told in a language; `given` had been adjusted for it before."""
    charge, end = settled.charge, settled.end
    return Calculation(
        language=language,
        period=charge.window,
        full=settled.full.gross,
        billed=charge.billed.gross,
        kept=settled.kept.gross,
        given=given,
        credited_by_others=settled.credited_by_others.gross,
        active=settled.active,
        total=settled.total,
        unit="day" if end is None else end.proration,
        settlement=None if end is None else end.settlement,
        voided=charge.voided,
    )
