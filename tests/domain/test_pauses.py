"""Pauses: those that move the ends of periods, and those of days that earn nothing."""

from __future__ import annotations

import pytest

from tests.domain.examples import END_OF_PERIOD, Effect, Life, charge, on

NOVEMBER = charge("C1", "2026-11-01", "2026-12-01", "300.00")
DECEMBER = charge("C2", "2026-12-01", "2027-01-01", "310.00")


def both_issued(**more: str) -> Life:
    life = Life("2026-11-01", **more)  # type: ignore[arg-type]  # texts only
    life.issued("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.issued("2026-11-01 08:01", "INV-2", DECEMBER)
    return life


@pytest.mark.parametrize(
    ("start", "resume", "end", "given_back"),
    [
        # ten days: November runs to 11 December, and the December that has been invoiced from there to 11 January
        ("2026-11-11", "2026-11-21", "2026-11-11", ("200.00", "310.00")),
        ("2026-11-11", "2026-11-21", "2026-11-16", ("200.00", "310.00")),
        ("2026-11-11", "2026-11-21", "2026-12-01", ("100.00", "310.00")),
        ("2026-11-11", "2026-11-21", "2026-12-11", ("0.00", "310.00")),
        ("2026-11-11", "2026-11-21", "2026-12-21", ("0.00", "210.00")),
        ("2026-11-11", "2026-11-21", "2027-01-01", ("0.00", "100.00")),
        ("2026-11-11", "2026-11-21", "2027-01-11", ("0.00", "0.00")),
        # from November into December: what it puts off is the end of November, and so all of December
        ("2026-11-26", "2026-12-06", "2026-12-11", ("0.00", "310.00")),
        ("2026-11-26", "2026-12-06", "2026-12-21", ("0.00", "210.00")),
        # not resumed: the end cuts it off
        ("2026-11-11", None, "2026-11-21", ("200.00", "310.00")),
        ("2026-11-11", None, "2026-12-21", ("200.00", "310.00")),
        # before the start there is no period to extend
        ("2026-10-20", "2026-10-30", "2026-11-11", ("200.00", "310.00")),
        ("2026-10-20", "2026-11-25", "2026-11-01", ("300.00", "310.00")),
        ("2026-10-20", "2026-11-25", "2026-11-30", ("250.00", "310.00")),
    ],
)
def test_a_pause_that_extends_a_period_puts_off_what_has_been_invoiced_and_no_day_is_paid_for_twice(
    start: str, resume: str | None, end: str, given_back: tuple[str, str]
) -> None:
    life = both_issued()
    life.paused("2026-11-02 08:00", start, resume)
    life.cancel("2026-11-03 09:00", on(end))
    assert (life.given_back("C1"), life.given_back("C2")) == given_back


@pytest.mark.parametrize(
    ("invoiced", "resumed", "given_back"),
    [
        # paused from 11 to 21 November; invoiced as it was to be, for the period from 11 December
        (("2026-12-11", "2027-01-11"), None, "210.00"),
        # resumed already on the 16th: the period began on 6 December
        (("2026-12-11", "2027-01-11"), "2026-11-16", "160.00"),
        # ... or on the 26th only: it began on 16 December
        (("2026-12-11", "2027-01-11"), "2026-11-26", "260.00"),
    ],
)
def test_a_period_invoiced_knowing_of_a_pause_moves_by_what_is_learnt_of_it_afterwards(
    invoiced: tuple[str, str], resumed: str | None, given_back: str
) -> None:
    life = Life("2026-11-01")
    life.paused("2026-11-02 08:00", "2026-11-11", "2026-11-21")
    life.issued("2026-11-03 08:00", "INV-2", charge("C2", *invoiced, "310.00"))
    if resumed is not None:
        life.resumed("2026-11-15 08:00", resumed)
    life.cancel("2026-11-27 09:00", on("2026-12-21"))
    assert life.given_back("C2") == given_back


@pytest.mark.parametrize("end", ["2026-11-02", "2026-11-28", "2026-12-17", "2027-02-01"])
def test_while_a_pause_that_extends_a_period_lasts_time_stands_still_whatever_else_was_to_happen(end: str) -> None:
    life = Life("2026-11-01")
    life.paused("2026-10-31 08:00", "2026-11-28", "2026-11-29", effect="not-charged", name="P2")
    life.price("2026-10-31 09:00", "2026-12-10", "600.00")
    life.issued("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.paused("2026-11-01 09:00", "2026-11-02")
    life.cancel("2026-11-01 10:00", on(end))
    assert life.given_back("C1") == "289.66"  # 300.00 * 1/29 = 10.34 is kept


@pytest.mark.parametrize(("end", "given_back"), [("2026-11-22", "161.54"), ("2026-11-27", "126.92")])
def test_a_pause_known_to_an_invoice_falls_earlier_in_it_after_another_that_was_not(end: str, given_back: str) -> None:
    life = Life("2026-11-01")
    life.paused("2026-10-31 08:00", "2026-11-20", "2026-11-24", effect="not-charged", name="P2")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", "300.00"))
    life.paused("2026-11-02 08:00", "2026-11-10", "2026-11-17")
    life.cancel("2026-11-03 09:00", on(end))
    assert life.given_back("C1") == given_back  # 300.00 * 12/26 or 15/26 is kept


def test_a_period_that_a_pause_extends_is_shortened_as_what_it_has_become() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.paused("2026-11-02 08:00", "2026-11-11", "2026-11-21")
    assert life.cancel("2026-11-22 09:00", on("2026-12-06"))[1:] == [
        "2026-11-01/2026-12-11 shortened to 2026-12-06; planned C1 300.00 -> 250.00",
        "2026-12-11/2027-01-11 cancelled",
    ]


def test_a_pause_learnt_of_after_the_period_was_shortened_leaves_no_trace_after_a_regret() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.cancel("2026-11-12 09:00", on("2026-11-26"))
    assert life.paused("2026-11-13 08:00", "2026-11-11", "2026-11-21") == [
        "2026-11-01/2026-12-11 shortened to 2026-11-26; planned C1 250.00 -> 150.00",
        "2026-12-11/2027-01-11 cancelled",
    ]
    assert "2026-11-01/2026-12-11 restored to 2026-12-11; planned C1 150.00 -> 300.00" in life.revoke(
        "2026-11-14 09:00"
    )
    assert not life.subscription.told.cuts
    assert not life.subscription.told.stopped


def test_a_trial_is_extended_like_any_other_period() -> None:
    life = Life("2026-11-01", trial_end="2026-11-15")
    life.issued("2026-11-01 08:00", "INV-1", charge("C1", "2026-11-15", "2026-12-15", "300.00"))
    life.paused("2026-11-02 08:00", "2026-11-05", "2026-11-15")
    assert life.cancel("2026-11-03 09:00", END_OF_PERIOD)[0] == "scheduled: ends 2026-11-25, last active day 2026-11-24"
    assert life.given_back("C1") == "300.00"
    life.move("2026-11-03 10:00", on("2026-12-05"))
    assert life.given_back("C1") == "200.00"


@pytest.mark.parametrize(
    ("effect", "kept"),
    [("not-charged", "200.00"), ("charged", "300.00"), ("extends-period", "300.00")],
)
def test_less_is_planned_for_a_last_period_with_days_that_earn_nothing_though_it_runs_to_its_end(
    effect: Effect, kept: str
) -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.paused("2026-11-02 08:00", "2026-11-11", "2026-11-21", effect=effect)
    told = life.cancel("2026-11-12 09:00", END_OF_PERIOD)
    shortened = [f"2026-11-01/2026-12-01 shortened to 2026-12-01; planned C1 300.00 -> {kept}"]
    assert [sentence for sentence in told if "C1" in sentence] == (shortened if kept == "200.00" else [])
    assert life.issued("2026-11-30 08:00", "INV-1", charge("C1", "2026-11-01", "2026-12-01", kept)) == []
    life.revoke("2026-11-30 09:00")
    assert life.given_back("C1") == ("-100.00" if shortened[0] in told else "0.00")
    assert not life.subscription.told.cuts


def test_once_all_has_ended_a_pause_heard_of_later_moves_no_end_not_even_that_of_a_line() -> None:
    life = Life("2026-11-01", lines=("L1", "L2"))
    life.cancel("2026-11-12 09:00", END_OF_PERIOD, "L2")
    life.cancel("2026-11-13 09:00", on("2026-12-06"), name="B")
    life.tick("2026-12-06 00:01")
    told = life.paused("2026-11-14 08:00", "2026-11-15", "2026-11-18", seen="2026-12-07 08:00")
    assert not any(sentence.startswith("rescheduled") for sentence in told)


@pytest.mark.parametrize(
    ("start", "resume", "ends"),
    [("2026-11-30", "2026-12-10", "2026-12-11"), ("2026-12-01", "2026-12-11", "2026-12-01")],
)
def test_a_pause_from_the_first_day_of_a_period_extends_that_one_and_not_the_one_before(
    start: str, resume: str, ends: str
) -> None:
    life = Life("2026-11-01")
    life.paused("2026-11-02 08:00", start, resume)
    assert life.cancel("2026-11-03 09:00", END_OF_PERIOD)[0].startswith(f"scheduled: ends {ends},")


def test_a_plan_shortened_in_a_period_that_then_ends_before_the_end_is_whole_again() -> None:
    life = Life("2026-11-01")
    life.planned("2026-11-01 08:00", "INV-1", NOVEMBER)
    life.paused("2026-11-02 08:00", "2026-11-11", "2026-11-21")
    told = life.cancel("2026-11-12 09:00", on("2026-12-05"))
    assert "2026-11-01/2026-12-11 shortened to 2026-12-05; planned C1 300.00 -> 240.00" in told
    assert life.resumed("2026-11-13 08:00", "2026-11-12") == [
        "2026-11-01/2026-12-02 restored to 2026-12-02; planned C1 240.00 -> 300.00",
        "2027-01-02/2027-02-02 cancelled",
    ]
