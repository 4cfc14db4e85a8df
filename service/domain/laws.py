"""The laws that every decision must obey, checked before it is committed.

A broken law is a bug of ours: the transaction is rolled back and nothing is published of it.
The properties in the tests say the same of whole histories.
"""

from __future__ import annotations

from service.domain.money import ZERO, Amount
from service.domain.outcomes import Outcome
from service.domain.settlement import Settled, Settlement, divisible
from service.domain.subscription import Subscription


class LawBrokenError(Exception):
    """A decision contradicts a law; the message names the law and the charge."""


def check(before: Subscription, after: Subscription, target: Settlement, outcomes: tuple[Outcome, ...]) -> None:
    """Raises `LawBrokenError` when a decision breaks a law."""
    given: dict[str, Amount] = {}
    for adjustment in after.told.adjustments:
        given[adjustment.charge_id] = given.get(adjustment.charge_id, ZERO) + adjustment.amount
    for charge_id, settled in target.reached.items():
        _require(_balances(settled, given.get(charge_id, ZERO)), "identity", f"charge {charge_id}")
        if settled.end is None:
            _require(settled.kept == settled.full, "neutral regret", f"charge {charge_id}")
            level = after.told.levels.get(charge_id)
            whole = level is None or level.amount == settled.full
            _require(whole or not divisible(settled.charge), "neutral regret", f"charge {charge_id}")
        elif divisible(settled.charge) and settled.window is not None:
            late = settled.window.start >= settled.end.end_date
            _require(not (late and settled.kept), "nothing after the end", f"charge {charge_id}")
    numbers = [outcome.sequence for outcome in outcomes]
    expected = list(range(before.told.sequence + 1, after.told.sequence + 1))
    _require(numbers == expected, "sequence", f"{numbers} instead of {expected}")


def _balances(settled: Settled, published: Amount) -> bool:
    """Billed = kept + credited by us + credited by others, to the minor unit, unless others credited more than that."""
    if settled.charge.state != "issued":
        return published == ZERO
    over = settled.charge.billed - settled.kept
    rest = over - settled.credited_by_others - published
    return all(
        left == 0 or (published_part == min(over_part, 0) and others > max(over_part, 0))
        for left, published_part, over_part, others in (
            (rest.gross, published.gross, over.gross, settled.credited_by_others.gross),
            (rest.tax, published.tax, over.tax, settled.credited_by_others.tax),
        )
    )


def _require(holds: bool, law: str, where: str) -> None:  # noqa: FBT001  the condition is what it is about
    if not holds:
        raise LawBrokenError(f"the law of {law} is broken: {where}")
