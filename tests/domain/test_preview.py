"""What a cancellation would come to, before anybody has asked for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from service.domain.money import ZERO
from service.domain.outcomes import RenewalChanged, StatusChanged
from service.domain.policy import Language, Policy, Rules
from service.domain.preview import Preview, modes, preview
from tests.domain.examples import Item, Life, charge, on, paid_november

NOON = "2026-11-12 12:00"
DAY = date(2026, 11, 21)


def previewed(life: Life, at: str = NOON, day: date | None = DAY) -> dict[str, Preview]:
    return preview(life.subscription, modes(day), life.instant(at), life.rules)


def test_a_charge_says_how_it_would_come_to_what_is_kept() -> None:
    november = previewed(paid_november(), day=DAY)["on-date"].charges[0]
    calculated = november.calculation
    assert (calculated.active, calculated.total, calculated.kept, calculated.given) == (20, 30, 20000, 0)


def quiet_november() -> Life:
    return Life("2026-11-01", activated_at="2026-10-20 12:00")


def half_paid_november() -> Life:
    life = quiet_november()
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.paid("2026-11-02 08:00", "INV-1", "150.00")
    return life


def november_cancelled_once() -> Life:
    life = paid_november()
    life.cancel("2026-11-05 12:00", on("2026-11-11"))
    life.move("2026-11-06 12:00", on("2026-12-15"))
    return life


def november_kept_whole() -> Life:
    life = paid_november()
    life.rules = Rules(policies=((life.instant("2026-10-01 00:00"), Policy(settlement="full-period")),))
    return life


LIVES = [quiet_november, paid_november, half_paid_november, november_cancelled_once, november_kept_whole]


@pytest.mark.parametrize("mode", modes(DAY))
@pytest.mark.parametrize("of", LIVES, ids=lambda of: of.__name__)
def test_what_is_previewed_is_what_then_comes(of: object, mode: str) -> None:
    life: Life = of()  # type: ignore[operator]
    promised, before = previewed(life)[mode], life.subscription
    wish = modes(DAY)[mode].end
    assert wish is not None
    outcomes = len(life.outcomes)
    life.cancel(NOON, wish, name="asked for")
    came = [outcome.body for outcome in life.outcomes[outcomes:]]
    given = [a.adjustment for a in life.adjustments if a.adjustment.sequence > before.told.sequence]
    assert promised.credited == sum((adjustment.amount for adjustment in given), ZERO)
    assert promised.offset == sum(adjustment.offset for adjustment in given)
    assert promised.refundable == sum(adjustment.refundable for adjustment in given)
    assert [promised.end] == [b.end for b in came if isinstance(b, StatusChanged)] or promised.end == before.told.end
    stopped = [b.renewal for b in came if isinstance(b, RenewalChanged) and b.type == "renewal-cancelled"]
    assert list(promised.renewals_stopped) == sorted(set(stopped))


def test_every_mode_stands_beside_the_others_with_the_same_charges() -> None:
    said = {
        name: (str(each.end and each.end.end_date), each.kept.gross, each.credited.gross)
        for name, each in previewed(paid_november()).items()
    }
    assert said == {
        "immediately": ("2026-11-13", 12_000, 18_000),
        "end-of-period": ("2026-12-01", 30_000, 0),
        "end-of-invoiced": ("2026-12-01", 30_000, 0),
        "end-of-term": ("2026-12-01", 30_000, 0),
        "earliest": ("2026-11-13", 12_000, 18_000),
        "on-date": ("2026-11-21", 20_000, 10_000),
    }


def test_a_wish_that_would_be_refused_says_why() -> None:
    refused = previewed(paid_november(), day=date(2026, 10, 1))["on-date"]
    assert refused.refusal is not None
    assert refused.refusal[0] == "end-before-start"
    assert refused.end is None


def test_after_the_end_every_wish_is_refused() -> None:
    life = paid_november()
    life.cancel("2026-11-05 12:00", on("2026-11-11"))
    said = [each.refusal and each.refusal[0] for each in previewed(life).values()]
    assert said == ["already-ended"] * 6


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-11-30 12:00", {"C1", "C2"}),
        ("2026-12-01 12:00", {"C2"}),  # November is over, and no wish from now on changes it
    ],
)
def test_only_charges_for_time_from_now_on_are_shown_beside_those_that_a_wish_changes(at: str, shown: set[str]) -> None:
    life = paid_november()
    life.issued("2026-11-04 08:00", "INV-3", Item("F1", None, None, "49.00", kind="one-off"))
    for each in previewed(life, at, date(2027, 1, 11)).values():
        assert {charge.charge_id for charge in each.charges} == shown


def test_a_charge_for_time_that_is_over_is_shown_where_a_wish_changes_it() -> None:
    life = paid_november()
    for each in previewed(life, "2026-12-05 12:00", DAY).values():
        assert {charge.charge_id for charge in each.charges} == {"C1", "C2"}


def test_a_renewal_that_a_wish_would_bring_back_is_not_among_those_it_stops() -> None:
    life = paid_november()
    life.cancel("2026-11-05 12:00", on("2026-11-25"))
    wish = previewed(life, NOON, date(2027, 1, 11))["on-date"]
    assert [str(period.start) for period in wish.renewals_stopped] == ["2027-02-01"]


@pytest.mark.parametrize("own", [None, "da", "en"])
@pytest.mark.parametrize("of_the_merchant", ["da", "en"])
def test_a_preview_is_worked_out_in_the_language_the_customer_would_then_be_written_to_in(
    own: Language | None, of_the_merchant: Language
) -> None:
    life = paid_november()
    life.policy("2026-01-01 00:00", Policy(language=of_the_merchant))
    life.subscription = replace(life.subscription, agreement=replace(life.subscription.agreement, language=own))
    told = {charge.calculation.language for charge in previewed(life)["on-date"].charges}
    life.cancel(NOON, on("2026-11-21"))
    assert told == {life.adjustments[0].adjustment.calculation.language} == {own or of_the_merchant}
