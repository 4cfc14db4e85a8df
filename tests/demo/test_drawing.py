"""A timeline as it is drawn: the end date first, every amount there, nothing cut off."""

from __future__ import annotations

import io
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from rich.console import Console

from service.demo.axis import ACTIVE, CANCELLED, REST, Axis
from service.demo.dates import full
from service.demo.drawing import draw
from service.demo.lettering import large
from service.domain.policy import Policy
from service.messages.outcomes import (
    Period,
    SubscriptionTimeline,
    TimelineAdjustment,
    TimelineCharge,
    TimelineEntry,
    TimelineLine,
    TimelinePeriod,
    TimelinePrice,
)

CET = timezone(timedelta(hours=1))
NOVEMBER = TimelinePeriod(
    start=date(2026, 11, 1), end=date(2026, 12, 1), state="shortened", shortened_to=date(2026, 11, 21)
)
DECEMBER = TimelinePeriod(start=date(2026, 12, 1), end=date(2027, 1, 1), state="cancelled")
SENTENCE = "20 of 30 days at 300.00 kr. a month = 200.00 kr.; 100.00 kr. back."


def charge(charge_id: str, period: TimelinePeriod | None, **amounts: str) -> TimelineCharge:
    told = {"invoice_id": "INV-1", "line_id": "paper", "kind": "recurring", "state": "issued", "amount": "300.00"}
    told |= {"billed": "0.00", "kept": "0.00", "credited": "0.00", "credited_by_others": "0.00"}
    window = None if period is None else Period(start=period.start, end=period.end)
    return TimelineCharge.model_validate({**told, **amounts, "charge_id": charge_id, "period": window})


def adjustment(state: str = "open") -> TimelineAdjustment:
    told = {"adjustment_id": "a-1", "sequence": 4, "charge_id": "C1", "invoice_id": "INV-1", "direction": "credit"}
    told |= {"amount": "100.00", "tax_amount": "0.00", "cause": "cancelled", "state": state, "text": SENTENCE}
    return TimelineAdjustment.model_validate(told)


def timeline(**other: object) -> SubscriptionTimeline:
    """300.00 DKK a month, cancelled on 12 November 2026 as of the 21st."""
    told: dict[str, object] = {
        "tenant_id": "default",
        "subscription_id": "avis-1041",
        "customer_id": "40117",
        "cancellation_id": "c-1",
        "sequence": 4,
        "status": "ending",
        "text": "The last day of the subscription is 20 November 2026.",
        "start_date": date(2026, 11, 1),
        "currency": "DKK",
        "time_zone": "Europe/Copenhagen",
        "interval": "P1M",
        "end_date": date(2026, 11, 21),
        "last_active_day": date(2026, 11, 20),
        "access_ends_at": datetime(2026, 11, 21, tzinfo=CET),
        "mode": "on-date",
        "settlement": "prorate",
        "policy": asdict(Policy()),
        "periods": [NOVEMBER, DECEMBER],
        "pauses": [],
        "prices": [
            TimelinePrice(
                effective_date=date(2026, 11, 1),
                lines=[TimelineLine(line_id="paper", amount="300.00", description="Avis hver dag")],
            )
        ],
        "charges": [
            charge("C1", NOVEMBER, billed="300.00", kept="200.00", credited="100.00"),
            charge("C2", DECEMBER, state="planned", amount="310.00"),
        ],
        "adjustments": [adjustment()],
        "entries": [
            TimelineEntry(
                type="cancellation-requested",
                event_id="e-5",
                time=datetime(2026, 11, 12, 9, tzinfo=CET),
                recorded_at=datetime(2026, 11, 12, 8, 2, tzinfo=UTC),
                effective_date=date(2026, 11, 21),
            ),
            TimelineEntry(
                type="cancellation-revoked",
                event_id="e-6",
                time=datetime(2026, 11, 12, 10, tzinfo=CET),
                recorded_at=datetime(2026, 11, 12, 9, 7, tzinfo=UTC),
                refused="not-cancelled",
            ),
        ],
    }
    return SubscriptionTimeline.model_validate({**told, **other})


def drawn(snapshot: SubscriptionTimeline, width: int = 80, *, terminal: bool = False) -> str:
    colours = "standard" if terminal else None
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=colours)  # type: ignore[arg-type]
    console.print(draw(snapshot))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def read(text: str) -> str:
    """The words alone, as they follow each other."""
    return " ".join(text.translate(str.maketrans("┏━┓┃┗┛", "      ")).split())


def test_the_end_date_is_what_is_read_first() -> None:
    assert read(drawn(timeline())).startswith("ENDS 21 November 2026 Last active day: Friday 20 November 2026 ")


def test_an_end_that_has_passed_says_so() -> None:
    text = drawn(timeline(status="ended"))
    assert read(text).startswith("ENDED 21 November 2026 ")
    assert "▼ ended 21 Nov 2026" in text


def test_access_that_ends_within_a_day_ends_at_a_time() -> None:
    ended = timeline(access_ends_at=datetime(2026, 11, 20, 9, 14, tzinfo=CET))
    assert "Friday 20 November 2026, until 09:14" in drawn(ended)


def test_without_an_end_it_runs_on() -> None:
    text = drawn(timeline(status="active", end_date=None, last_active_day=None, access_ends_at=None))
    assert read(text).startswith("RUNS ON No end date. ")
    assert "▼" not in text


def test_a_terminal_shows_the_end_date_in_large_letters_too() -> None:
    text = drawn(timeline(), terminal=True)
    assert all(line in text for line in large("21 November 2026"))
    assert "21 November 2026" in text


def test_a_terminal_too_narrow_for_large_letters_gets_words() -> None:
    assert "ENDS 21 November 2026" in drawn(timeline(), 60, terminal=True)


def test_every_month_and_digit_can_be_lettered() -> None:
    for month in range(1, 13):
        for day in range(1, 29):
            lines = large(full(date(1990 + day + 3 * month, month, day)))
            assert len(lines) == 3
            assert len({len(line) for line in lines}) == 1


def test_every_amount_and_its_calculation_is_there() -> None:
    text = read(drawn(timeline()))
    assert "C1 1 Nov – 1 Dec 2026 300.00 300.00 200.00 100.00 " in text  # noqa: RUF001  a dash
    assert "C2 1 Dec 2026 – 1 Jan 2027 310.00 planned 0.00 " in text  # noqa: RUF001  a dash
    assert f"credit 100.00 C1 {SENTENCE}" in text


def test_prices_and_pauses_after_the_end_are_said_to_be_suppressed() -> None:
    prices = [
        {"effective_date": "2026-11-01", "lines": [{"line_id": "paper", "amount": "300.00"}]},
        {"effective_date": "2027-01-01", "lines": [{"line_id": "paper", "amount": "320.00"}], "state": "suppressed"},
    ]
    pause = {"pause_id": "p", "effective_date": "2026-11-10", "resume_date": "2026-12-01", "effect": "not-charged"}
    text = read(drawn(timeline(prices=prices, pauses=[{**pause, "state": "cut-off"}])))
    assert "paper 300.00 DKK · a month" in text
    assert "price list of 1 Jan 2027: suppressed" in text
    assert "paused from 10 Nov 2026 to 1 Dec 2026: not-charged, cut-off" in text


def test_another_settlement_than_by_the_day_is_named() -> None:
    assert "settlement full-period" in read(drawn(timeline(settlement="full-period")))
    assert "settlement" not in drawn(timeline())


def test_a_credit_that_others_gave_has_a_column() -> None:
    given = timeline(charges=[charge("C1", NOVEMBER, billed="300.00", kept="200.00", credited_by_others="100.00")])
    assert "By others" in drawn(given)
    assert "By others" not in drawn(timeline())


def test_a_credit_note_counts_once() -> None:
    note = charge("C9", None, kind="credit", amount="100.00", billed="100.00", kept="100.00")
    assert "C9 credit note -100.00 " in read(drawn(timeline(charges=[note])))


def test_an_adjustment_says_whether_it_was_carried_out() -> None:
    assert "○ open" in drawn(timeline())
    assert "● settled" in drawn(timeline(adjustments=[adjustment("settled")]))


def test_the_history_has_both_times_in_the_zone_of_the_subscription() -> None:
    text = read(drawn(timeline()))
    assert "12 Nov 2026 09:00 12 Nov 2026 09:02 cancelled, ends 21 Nov 2026" in text
    assert "12 Nov 2026 10:00 12 Nov 2026 10:07 cancellation taken back, refused: not-cancelled" in text


@pytest.mark.parametrize("width", [80, 100, 160])
def test_nothing_is_cut_off(width: int) -> None:
    text = drawn(timeline(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert SENTENCE in read(text)


def test_without_colour_it_is_plain_text() -> None:
    assert "\x1b" not in drawn(timeline())
    assert "\x1b" in drawn(timeline(), terminal=True)


def test_the_bar_shows_active_days_the_unused_rest_and_what_is_cancelled() -> None:
    mark, bar, dates, captions = (
        line.plain for line in Axis([NOVEMBER, DECEMBER], date(2026, 11, 21), 61).lines("ends", "")
    )
    assert bar.count(ACTIVE) == mark.index("▼") == 20
    assert bar.count(REST) == 10 - 1  # a blank sets each period off from the next
    assert bar.count(CANCELLED) == 31 - 1
    assert dates.split("  ")[0] == "1 Nov 2026"
    assert captions.split() == ["20", "of", "30", "days", "cancelled"]


def test_years_without_periods_shrink_to_a_gap() -> None:
    far = TimelinePeriod(start=date(2031, 2, 1), end=date(2031, 3, 1), state="cancelled")
    mark, bar, _, _ = (line.plain for line in Axis([DECEMBER, far], date(2029, 1, 1), 60).lines("ends", ""))
    assert bar.index("·") < mark.index("▼") < bar.rindex("·")


def test_of_many_periods_those_nearest_the_end_are_shown() -> None:
    months = [date(2024 + month // 12, month % 12 + 1, 1) for month in range(37)]
    periods = [TimelinePeriod(start=start, end=end, state="whole") for start, end in pairwise(months)]
    axis = Axis(periods, date(2026, 12, 1), 80)
    assert axis.left_out == 30
    assert "1 Dec" in axis.lines("ends", "")[2].plain
