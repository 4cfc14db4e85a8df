"""Which requests are accepted, which are refused and why, and when an end can no longer change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decide import ContradictingFactError, conflicting, decide, due_at, unheard_of
from service.domain.facts import Command, EndWish, Line
from service.domain.outcomes import Rejected
from service.domain.policy import Rules
from tests.domain.examples import END_OF_PERIOD, IMMEDIATELY, Life, charge, instant, last_day, on, paid_november

NOVEMBER = charge("C1", "2026-11-01", "2026-12-01", "300.00")


def test_a_request_repeated_word_for_word_has_been_done_already() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), name="A", why="moved-abroad")
    assert life.cancel("2026-11-12 09:05", on("2026-11-21"), name="A", why="moved-abroad") == []


def test_a_request_repeated_word_for_word_does_not_undo_a_move() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), name="A")
    life.move("2026-11-13 09:00", on("2026-11-26"))
    assert life.cancel("2026-11-14 09:00", on("2026-11-21"), name="A") == []


@pytest.mark.parametrize(
    ("end", "why"), [(on("2026-11-22"), None), (on("2026-11-21"), "too-dear"), (last_day("2026-11-20"), None)]
)
def test_the_same_id_with_other_content_is_refused(end: EndWish, why: str | None) -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), name="A")
    assert life.cancel("2026-11-12 09:05", end, name="A", why=why) == ["refused: conflicting-content"]


def test_another_request_for_the_same_end_changes_nothing() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), name="A")
    assert life.cancel("2026-11-12 10:00", last_day("2026-11-20"), name="B") == []
    assert life.move("2026-11-12 11:00", on("2026-11-21")) == []


def test_another_request_for_another_end_is_a_move() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), name="A")
    assert life.cancel("2026-11-12 10:00", on("2026-11-26"), name="B") == [
        "rescheduled: ends 2026-11-26, last active day 2026-11-25",
        "2026-11-01/2026-12-01 restored to 2026-11-26; issued C1 200.00 -> 250.00",
        "debit 50.00 on C1: 50.00 refundable, moved, reverses number 1",
    ]


@pytest.mark.parametrize("name", [None, "A", "B"])
def test_a_cancellation_is_revoked_by_any_id_it_was_asked_for_under_or_none(name: str | None) -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), name="A")
    life.cancel("2026-11-12 10:00", on("2026-11-26"), name="B")
    assert life.revoke("2026-11-12 11:00", name=name)[0] == "withdrawn"


def test_a_request_made_before_the_one_in_force_is_superseded() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.move("2026-11-12 08:59:59", on("2026-11-26"), seen="2026-11-12 10:00") == ["refused: superseded"]
    assert life.revoke("2026-11-12 08:59:59", seen="2026-11-12 10:00") == ["refused: superseded"]
    assert life.cancel("2026-11-12 08:59:59", on("2026-11-25"), name="B", seen="2026-11-12 10:00") == [
        "refused: superseded"
    ]


def test_a_request_made_before_a_regret_is_superseded() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.revoke("2026-11-13 09:00")
    assert life.cancel("2026-11-12 12:00", on("2026-11-21"), name="B", seen="2026-11-13 10:00") == [
        "refused: superseded"
    ]


def test_two_requests_of_the_same_instant_are_taken_as_they_come() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.move("2026-11-12 09:00", on("2026-11-26"))[0].startswith("rescheduled: ends 2026-11-26")


def test_a_time_five_minutes_ahead_is_a_clock_that_runs_fast_and_a_second_more_is_refused() -> None:
    life = paid_november()
    assert life.cancel("2026-11-12 09:05:01", on("2026-11-21"), seen="2026-11-12 09:00") == ["refused: time-in-future"]
    assert life.cancel("2026-11-12 09:05:00", on("2026-11-21"), seen="2026-11-12 09:00")[0].startswith("scheduled")


def test_a_regret_counts_to_the_last_second_before_the_end() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.revoke("2026-11-20 23:59:59")[0] == "withdrawn"


@pytest.mark.parametrize("late", ["2026-11-21 00:00:00", "2026-11-21 00:00:01", "2026-12-24 18:00:00"])
def test_from_the_end_on_nothing_is_taken_back_or_moved(late: str) -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.revoke(late) == ["refused: already-ended"]
    assert life.move(late, on("2027-01-11")) == ["refused: already-ended"]
    assert life.cancel(late, END_OF_PERIOD, name="B") == ["refused: already-ended"]


def test_an_end_at_once_cannot_be_taken_back() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", IMMEDIATELY)
    assert life.revoke("2026-11-12 09:00") == ["refused: already-ended"]
    assert life.revoke("2026-11-12 09:00:01") == ["refused: already-ended"]


def test_an_end_at_an_instant_is_over_at_that_instant_though_the_day_is_paid_for() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", instant("2026-11-20T15:00:00+01:00"))
    assert life.revoke("2026-11-20 15:00") == ["refused: already-ended"]
    assert life.revoke("2026-11-20 14:59:59")[0] == "withdrawn"


def test_a_regret_made_in_time_counts_though_it_arrives_late() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.tick("2026-11-21 00:00:30") == []
    assert life.revoke("2026-11-20 23:59:59", seen="2026-11-21 00:00:31")[0] == "withdrawn"


def test_an_end_is_sealed_a_grace_after_it_and_then_nothing_is_accepted_however_early_it_was_asked() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.tick("2026-11-21 00:00:59") == []
    assert life.tick("2026-11-21 00:01:00") == ["ended: 2026-11-21, last active day 2026-11-20"]
    assert life.tick("2026-11-21 00:02:00") == []
    assert life.revoke("2026-11-20 12:00", seen="2026-11-21 00:02:00") == ["refused: already-ended"]
    assert life.move("2026-11-20 12:00", on("2026-12-24"), seen="2026-11-21 00:02:00") == ["refused: already-ended"]
    assert life.cancel("2026-11-12 09:00", on("2026-11-21"), seen="2026-11-21 00:02:00") == ["refused: already-ended"]


def test_an_end_that_lies_back_is_sealed_a_grace_after_the_request_arrived() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-05"), seen="2026-11-12 09:03")
    assert life.tick("2026-11-12 09:03:59") == []
    assert life.tick("2026-11-12 09:04:00") == ["ended: 2026-11-05, last active day 2026-11-04"]


def test_a_week_of_downtime_leaves_nothing_unended() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-12-11"))
    assert life.tick("2026-12-18 12:00") == ["ended: 2026-12-11, last active day 2026-12-10"]


def test_downtime_over_the_beginning_of_the_last_period_tells_of_it_before_the_end() -> None:
    life = Life("2026-11-01")
    life.cancel("2026-11-12 09:00", on("2027-02-15"))
    assert life.tick("2027-03-01 12:00") == [
        "2027-02-01/2027-03-01 shortened to 2027-02-15",
        "ended: 2027-02-15, last active day 2027-02-14",
    ]


def test_the_clock_is_asked_for_when_the_last_period_begins_and_when_the_end_can_be_sealed() -> None:
    life = Life("2026-11-01")
    assert due_at(life.subscription, life.rules) is None
    life.cancel("2026-11-12 09:00", on("2027-02-15"))
    assert due_at(life.subscription, life.rules) == life.instant("2027-02-01 00:00")
    life.tick("2027-02-01 00:00")
    assert due_at(life.subscription, life.rules) == life.instant("2027-02-15 00:01")
    life.tick("2027-02-15 00:01")
    assert due_at(life.subscription, life.rules) is None


def test_a_subscription_that_is_not_cancelled_asks_for_no_clock_again_after_a_regret() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.revoke("2026-11-13 09:00")
    assert due_at(life.subscription, life.rules) is None
    assert life.tick("2027-11-13 09:00") == []


def test_a_longer_grace_waits_longer() -> None:
    life = Life("2026-11-01", rules=replace(Rules(), grace=Rules().grace * 60))
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.tick("2026-11-21 00:59:59") == []
    assert life.tick("2026-11-21 01:00:00") == ["ended: 2026-11-21, last active day 2026-11-20"]


def test_an_invoice_that_arrives_after_the_end_was_sealed_is_still_credited() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    life.tick("2026-11-21 00:01:00")
    assert life.issued("2026-12-01 08:00", "INV-2", charge("C2", "2026-12-01", "2027-01-01", "300.00")) == [
        "credit 300.00 on C2: 300.00 offset, late-invoice"
    ]
    assert life.renewed("2027-01-01 08:00", "2027-01-01", "2027-02-01") == ["2027-01-01/2027-02-01 cancelled"]


def test_what_is_not_cancelled_cannot_be_moved_or_taken_back() -> None:
    life = paid_november()
    assert life.revoke("2026-11-12 09:00") == ["refused: not-cancelled"]
    assert life.move("2026-11-12 09:00", on("2026-11-21")) == ["refused: not-cancelled"]
    life.cancel("2026-11-12 10:00", on("2026-11-21"), name="A")
    assert life.revoke("2026-11-12 11:00", name="Z") == ["refused: not-cancelled"]
    assert life.move("2026-11-12 11:00", on("2026-11-25"), name="Z") == ["refused: not-cancelled"]
    life.revoke("2026-11-12 12:00", name="A")
    assert life.revoke("2026-11-12 13:00", name="A") == ["refused: not-cancelled"]


def test_an_end_before_the_start_is_refused_and_on_the_start_is_not() -> None:
    life = paid_november()
    assert life.cancel("2026-11-12 09:00", on("2026-10-31")) == ["refused: end-before-start"]
    assert life.cancel("2026-11-12 09:00", last_day("2026-10-30"), name="B") == ["refused: end-before-start"]
    assert life.cancel("2026-11-12 09:00", last_day("2026-10-31"), name="C")[0].startswith("scheduled: ends 2026-11-01")


def test_an_end_366_days_back_is_accepted_and_one_more_is_not() -> None:
    life = Life("2025-01-01")
    assert life.cancel("2026-11-12 09:00", on("2025-11-10")) == ["refused: end-too-far-back"]
    assert life.cancel("2026-11-12 09:00", on("2025-11-11"), name="B")[0].startswith("scheduled: ends 2025-11-11")


def test_the_day_of_asking_is_the_customers_own_when_counting_back() -> None:
    life = Life("2025-01-01", zone="Pacific/Auckland")
    # half past midnight on the 13th in Auckland, still the 12th in Greenwich
    assert life.cancel("2026-11-13 00:30", on("2025-11-11")) == ["refused: end-too-far-back"]
    assert life.cancel("2026-11-13 00:30", on("2025-11-12"), name="B")[0].startswith("scheduled: ends 2025-11-12")


def test_a_move_is_held_to_the_same_bounds_and_a_refused_one_leaves_the_end_as_it_was() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    before = life.subscription.told
    assert life.move("2026-11-13 09:00", on("2026-10-01")) == ["refused: end-before-start"]
    assert life.subscription.told == replace(before, sequence=before.sequence + 1)


def test_a_refusal_takes_a_number_like_any_outcome() -> None:
    life = paid_november()
    life.revoke("2026-11-12 09:00")
    life.cancel("2026-11-12 10:00", on("2026-11-21"))
    life.cancel("2026-11-12 10:00", on("2026-11-22"))
    assert [outcome.sequence for outcome in life.outcomes] == [1, 2, 3, 4, 5, 6]


def test_a_refusal_says_what_was_refused_and_of_which_cancellation() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), name="A")
    life.cancel("2026-11-12 10:00", on("2026-11-22"), name="A")
    life.revoke("2026-11-21 10:00")
    refused = [outcome.body for outcome in life.outcomes if isinstance(outcome.body, Rejected)]
    assert [(body.rejected_type, body.cancellation_id) for body in refused] == [
        ("cancellation-requested", "A"),
        ("cancellation-revoked", "A"),
    ]
    assert all(body.message for body in refused)


def test_an_event_id_used_again_with_other_content_is_refused() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    received = life.inputs[-1]
    decision = conflicting(life.subscription, received, Command("revoke", None, None))
    assert [outcome.sequence for outcome in decision.outcomes] == [life.subscription.told.sequence + 1]
    assert isinstance(decision.outcomes[0].body, Rejected)
    assert decision.outcomes[0].body.code == "conflicting-content"


def test_a_request_for_a_subscription_never_heard_of_is_refused_under_number_0() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"), name="A")
    command = Command("request", "A", on("2026-11-21"))
    outcome = unheard_of(life.inputs[-1], command)
    assert (outcome.sequence, outcome.cancellation_id) == (0, "A")
    assert isinstance(outcome.body, Rejected)
    assert outcome.body.code == "unknown-subscription"


def test_any_input_repeated_has_no_further_outcomes() -> None:
    life = Life("2026-11-01")
    told = [life.issued("2026-11-01 08:00", "INV-1", NOVEMBER), life.repeat()]
    told += [life.paid("2026-11-02 08:00", "INV-1", "300.00"), life.repeat()]
    told += [life.cancel("2026-11-12 09:00", on("2026-11-21")), life.repeat()]
    told += [life.move("2026-11-12 10:00", on("2026-11-26")), life.repeat()]
    told += [life.credited("2026-11-12 11:00", "C1", "10.00"), life.repeat()]
    told += [life.voided("2026-11-12 12:00", "INV-1"), life.repeat()]
    told += [life.planned("2026-11-12 13:00", "INV-1b", charge("C1b", "2026-11-01", "2026-12-01", "30.00"))]
    told += [life.repeat()]
    told += [life.issued("2026-11-12 14:00", "INV-1b", charge("C1b", "2026-11-01", "2026-12-01", "30.00"))]
    told += [life.repeat()]
    told += [life.renewed("2026-12-01 08:00", "2026-12-01", "2027-01-01"), life.repeat()]
    assert told[1::2] == [[]] * 9


def test_a_stale_plan_of_an_issued_invoice_is_not_taken_for_news() -> None:
    life = paid_november()
    life.cancel("2026-11-12 09:00", on("2026-11-21"))
    assert life.planned("2026-11-13 09:00", "INV-1", NOVEMBER) == []
    assert life.given_back("C1") == "100.00"


def test_a_second_activation_with_another_agreement_is_a_contradiction_and_the_same_is_nothing() -> None:
    life = paid_november()
    again = replace(life.inputs[0], type="subscription-activated", body=life.subscription.agreement)
    assert decide(life.subscription, again, life.rules).outcomes == ()
    dearer = replace(life.subscription.agreement, lines=(Line("L1", 99900),))
    with pytest.raises(ContradictingFactError, match="another agreement"):
        decide(life.subscription, replace(again, body=dearer), life.rules)
