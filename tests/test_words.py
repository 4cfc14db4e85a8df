"""The sentences a customer reads, written out by hand in both languages."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from string import Formatter
from typing import Any, NamedTuple, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.domain.decide import activate, decide, tick, unheard_of
from service.domain.ends import End
from service.domain.facts import (
    Activated,
    ChargeLine,
    Command,
    EndWish,
    Fact,
    InvoicePaid,
    InvoiceStated,
    Line,
    PriceChanged,
    Received,
)
from service.domain.money import Amount, share
from service.domain.outcomes import RefusalCode
from service.domain.periods import Duration, Period
from service.domain.policy import Language, Policy, Rules, Settlement
from service.domain.subscription import Adjustment, Calculation, Cause, Subscription
from service.domain.timeline import timeline
from service.messages.outcomes import message, rejection, snapshot
from service.words import TEMPLATES, StatusName, adjustment, day, kept, money, rejected, status, uncancelled, withdrawn

LANGUAGES: tuple[Language, ...] = get_args(Language)
COPENHAGEN = "Europe/Copenhagen"
DAY = 24 * 3600
NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))
DECEMBER = Period(date(2026, 12, 1), date(2027, 1, 1))
START = date(2026, 1, 1)


def agreement(**other: Any) -> Activated:  # noqa: ANN401  the fields of an agreement
    """300.00 kr. a month since January."""
    a_month = Activated(
        customer_id="customer",
        currency="DKK",
        time_zone=COPENHAGEN,
        start_date=START,
        interval=Duration(months=1),
        anchor_day=1,
        billing="in-advance",
        lines=(Line("L1", 30000),),
    )
    return replace(a_month, **other)


def said(language: Language, **other: Any) -> str:  # noqa: ANN401  the fields of an adjustment and its calculation
    """The sentence of 300.00 kr. for November, invoiced and paid, whose last day is the 20th, but for what is named."""
    numbers: dict[str, Any] = {
        "language": language,
        "period": NOVEMBER,
        "full": 30000,
        "billed": 30000,
        "kept": 20000,
        "given": 0,
        "credited_by_others": 0,
        "active": 20,
        "total": 30,
        "unit": "day",
        "settlement": "prorate",
        "voided": False,
    }
    names = {field.name for field in fields(Calculation)}
    calculation = Calculation(**{**numbers, **{name: value for name, value in other.items() if name in names}})
    c, tax = calculation, other.get("tax", 0)
    moved = max(c.billed - c.kept - c.credited_by_others, min(c.billed - c.kept, 0)) - c.given
    refundable = other.get("refundable", moved)
    told = Adjustment(
        adjustment_id="A1",
        sequence=1,
        charge_id="C1",
        invoice_id="INV-1",
        amount=Amount(moved, tax),
        offset=moved - refundable,
        refundable=refundable,
        cause=other.get("cause", "cancelled"),
        reverses_adjustment_id=None,
        calculation=calculation,
        decided_at=datetime(2026, 11, 12, tzinfo=UTC),
    )
    terms = {name: other[name] for name in ("currency", "interval") if name in other}
    return adjustment(told, agreement(**terms))


def explained(language: Language, **other: Any) -> str:  # noqa: ANN401  the fields of a calculation
    """How the same charge comes to what is kept of it."""
    names = ("period", "full", "billed", "kept", "given", "credited_by_others")
    numbers: dict[str, Any] = dict(zip(names, (NOVEMBER, 30000, 30000, 20000, 0, 0), strict=True))
    shares = {"active": 20, "total": 30, "unit": "day", "settlement": "prorate", "voided": False}
    return kept(Calculation(**{"language": language, **numbers, **shares, **other}), agreement())


@pytest.mark.parametrize(
    ("told", "english", "danish"),
    [
        ({}, "20 of 30 days at 300.00 kr. a month = 200.00 kr.", "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr."),
        (
            {"settlement": None, "kept": 30000, "active": 30},
            "November 2026 is charged in full: 300.00 kr.",
            "November 2026 betales fuldt ud: 300,00 kr.",
        ),
        ({"kept": 0, "active": 0}, "November 2026 is not charged.", "Du betaler ikke for november 2026."),
        ({"voided": True}, "The invoice no longer counts.", "Fakturaen gælder ikke længere."),
        (
            {"kept": 25000},
            "20 of 30 days, each at the price in force then = 250.00 kr. of 300.00 kr.",
            "20 af 30 dage, hver til den pris, der gjaldt da = 250,00 kr. af 300,00 kr.",
        ),
    ],
    ids=["in part", "nothing ends", "not at all", "voided", "at several prices"],
)
def test_a_charge_says_how_it_comes_to_what_is_kept(told: dict[str, Any], english: str, danish: str) -> None:
    assert (explained("en", **told), explained("da", **told)) == (english, danish)


DECEMBER_STOPPED: dict[str, Any] = {"period": DECEMBER, "active": 0, "total": 31, "kept": 0}
REGRETTED: dict[str, Any] = {"settlement": None, "cause": "revoked", "active": 30, "kept": 30000}


@pytest.mark.parametrize(
    ("told", "english", "danish"),
    [
        pytest.param(
            {},
            "20 of 30 days at 300.00 kr. a month = 200.00 kr.; 100.00 kr. back.",
            "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.; du får 100,00 kr. tilbage.",
            id="ended inside a paid month",
        ),
        pytest.param(
            {"refundable": 0},
            "20 of 30 days at 300.00 kr. a month = 200.00 kr.; 100.00 kr. less to pay.",
            "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.; du skal betale 100,00 kr. mindre.",
            id="the invoice is unpaid",
        ),
        pytest.param(
            {"refundable": 6000},
            "20 of 30 days at 300.00 kr. a month = 200.00 kr.;"
            " 100.00 kr. off, 60.00 kr. of it back and 40.00 kr. less to pay.",
            "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.;"
            " 100,00 kr. trækkes fra, så du får 60,00 kr. tilbage og skal betale 40,00 kr. mindre.",
            id="the invoice is part-paid",
        ),
        pytest.param(
            DECEMBER_STOPPED,
            "December 2026 is not charged: 300.00 kr. back.",
            "Du betaler ikke for december 2026: du får 300,00 kr. tilbage.",
            id="a month that starts on or after the end",
        ),
        pytest.param(
            {**DECEMBER_STOPPED, "period": Period(date(2026, 12, 12), date(2027, 1, 12))},
            "The period 12 December 2026 to 11 January 2027 is not charged: 300.00 kr. back.",
            "Du betaler ikke for perioden 12. december 2026 til 11. januar 2027: du får 300,00 kr. tilbage.",
            id="a period over the turn of the year",
        ),
        pytest.param(
            {**DECEMBER_STOPPED, "period": Period(date(2026, 10, 12), date(2026, 11, 12))},
            "The period 12 October to 11 November 2026 is not charged: 300.00 kr. back.",
            "Du betaler ikke for perioden 12. oktober til 11. november 2026: du får 300,00 kr. tilbage.",
            id="a period within a year",
        ),
        pytest.param(
            {**DECEMBER_STOPPED, "period": Period(date(2026, 12, 24), date(2026, 12, 25)), "total": 1},
            "24 December 2026 is not charged: 300.00 kr. back.",
            "Du betaler ikke for 24. december 2026: du får 300,00 kr. tilbage.",
            id="a single day",
        ),
        pytest.param(
            {**DECEMBER_STOPPED, "billed": 20000},
            "December 2026 is not charged: 200.00 kr. was invoiced; 200.00 kr. back.",
            "Du betaler ikke for december 2026: der stod 200,00 kr. på fakturaen; du får 200,00 kr. tilbage.",
            id="a month not charged whose invoice had been lower",
        ),
        pytest.param(
            {"period": None, "active": 1, "total": 1, "kept": 30000, "given": 10000},
            "This is charged in full: 300.00 kr.; 100.00 kr. was credited earlier; 100.00 kr. is charged again.",
            "Dette betales fuldt ud: 300,00 kr.; 100,00 kr. er trukket fra tidligere; 100,00 kr. opkræves igen.",
            id="what is for no time is kept whole",
        ),
        pytest.param(
            {"voided": True, "full": 0, "billed": 0, "kept": 0, "given": 10000},
            "The invoice no longer counts: 100.00 kr. was credited earlier; 100.00 kr. of it falls away.",
            "Fakturaen gælder ikke længere: 100,00 kr. er trukket fra tidligere; 100,00 kr. heraf bortfalder.",
            id="the invoice is void after a credit",
        ),
        pytest.param(
            {"voided": True, "full": 0, "billed": 0, "kept": 0, "given": -10000, "refundable": 0},
            "The invoice no longer counts: 100.00 kr. was added earlier; 100.00 kr. less to pay.",
            "Fakturaen gælder ikke længere: 100,00 kr. er lagt til tidligere; du skal betale 100,00 kr. mindre.",
            id="the invoice is void after a debit",
        ),
        pytest.param(
            {**REGRETTED, "given": 10000},
            "You keep the subscription: the price is 300.00 kr.;"
            " 100.00 kr. was credited earlier; 100.00 kr. is charged again.",
            "Du beholder abonnementet: prisen er 300,00 kr.;"
            " 100,00 kr. er trukket fra tidligere; 100,00 kr. opkræves igen.",
            id="regretted",
        ),
        pytest.param(
            {**REGRETTED, "billed": 20000},
            "You keep the subscription: the price is 300.00 kr.; 200.00 kr. was invoiced; 100.00 kr. more to pay.",
            "Du beholder abonnementet: prisen er 300,00 kr.;"
            " der stod 200,00 kr. på fakturaen; du skal betale 100,00 kr. mere.",
            id="regretted after a lower invoice",
        ),
        pytest.param(
            {**REGRETTED, "billed": 25000, "given": 5000},
            "You keep the subscription: the price is 300.00 kr.;"
            " 250.00 kr. was invoiced; 50.00 kr. was credited earlier; 100.00 kr. more to pay.",
            "Du beholder abonnementet: prisen er 300,00 kr.;"
            " der stod 250,00 kr. på fakturaen; 50,00 kr. er trukket fra tidligere; du skal betale 100,00 kr. mere.",
            id="regretted after a lower invoice and a credit",
        ),
        pytest.param(
            {"billed": 15000},
            "20 of 30 days at 300.00 kr. a month = 200.00 kr.; 150.00 kr. was invoiced; 50.00 kr. more to pay.",
            "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.;"
            " der stod 150,00 kr. på fakturaen; du skal betale 50,00 kr. mere.",
            id="the invoice had left too much out",
        ),
        pytest.param(
            {"billed": 20000, "given": -10000},
            "20 of 30 days at 300.00 kr. a month = 200.00 kr.;"
            " 200.00 kr. was invoiced; 100.00 kr. was added earlier; 100.00 kr. back.",
            "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.;"
            " der stod 200,00 kr. på fakturaen; 100,00 kr. er lagt til tidligere; du får 100,00 kr. tilbage.",
            id="cancelled again after regret was charged",
        ),
        pytest.param(
            {"cause": "moved", "active": 25, "kept": 25000, "given": 10000},
            "The cancellation was changed. 25 of 30 days at 300.00 kr. a month = 250.00 kr.;"
            " 100.00 kr. was credited earlier; 50.00 kr. is charged again.",
            "Opsigelsen er ændret. 25 af 30 dage til 300,00 kr. pr. måned = 250,00 kr.;"
            " 100,00 kr. er trukket fra tidligere; 50,00 kr. opkræves igen.",
            id="moved later within the month",
        ),
        pytest.param(
            {"cause": "moved", "active": 30, "kept": 30000, "given": 10000},
            "The cancellation was changed. November 2026 is charged in full: 300.00 kr.;"
            " 100.00 kr. was credited earlier; 100.00 kr. is charged again.",
            "Opsigelsen er ændret. November 2026 betales fuldt ud: 300,00 kr.;"
            " 100,00 kr. er trukket fra tidligere; 100,00 kr. opkræves igen.",
            id="moved out of the month",
        ),
        pytest.param(
            {"cause": "moved", "active": 15, "kept": 15000, "given": 10000},
            "The cancellation was changed. 15 of 30 days at 300.00 kr. a month = 150.00 kr.;"
            " 100.00 kr. was credited earlier; 50.00 kr. back.",
            "Opsigelsen er ændret. 15 af 30 dage til 300,00 kr. pr. måned = 150,00 kr.;"
            " 100,00 kr. er trukket fra tidligere; du får 50,00 kr. tilbage.",
            id="moved earlier",
        ),
        pytest.param(
            {"credited_by_others": 3000},
            "20 of 30 days at 300.00 kr. a month = 200.00 kr.;"
            " 30.00 kr. was already credited separately; 70.00 kr. back.",
            "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.;"
            " 30,00 kr. er allerede krediteret særskilt; du får 70,00 kr. tilbage.",
            id="part credited by others",
        ),
        pytest.param(
            {"credited_by_others": 3000, "given": 10000},
            "20 of 30 days at 300.00 kr. a month = 200.00 kr.;"
            " 30.00 kr. was already credited separately; 100.00 kr. was credited earlier; 30.00 kr. of it falls away.",
            "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.; 30,00 kr. er allerede krediteret særskilt;"
            " 100,00 kr. er trukket fra tidligere; 30,00 kr. heraf bortfalder.",
            id="in part credited twice",
        ),
        pytest.param(
            {"settlement": "full-period", "kept": 30000, "given": 10000},
            "November 2026 is charged in full, though not all of it is used: 300.00 kr.;"
            " 100.00 kr. was credited earlier; 100.00 kr. is charged again.",
            "November 2026 betales fuldt ud, selv om ikke alle dage bruges: 300,00 kr.;"
            " 100,00 kr. er trukket fra tidligere; 100,00 kr. opkræves igen.",
            id="the last month is kept whole",
        ),
        pytest.param(
            {"settlement": "refund-period", "kept": 0},
            "November 2026 is not charged, not even the days before the end: 300.00 kr. back.",
            "Du betaler ikke for november 2026, heller ikke for dagene før ophøret: du får 300,00 kr. tilbage.",
            id="the last month is credited whole",
        ),
        pytest.param(
            {"kept": 18000},
            "20 of 30 days, each at the price in force then = 180.00 kr. of 300.00 kr.; 120.00 kr. back.",
            "20 af 30 dage, hver til den pris, der gjaldt da = 180,00 kr. af 300,00 kr.; du får 120,00 kr. tilbage.",
            id="the price changed inside the month",
        ),
        pytest.param(
            {"unit": "second", "active": 20 * DAY + 12 * 3600, "total": 30 * DAY, "kept": 20500},
            "20 days and 12 hours of 30 days at 300.00 kr. a month = 205.00 kr.; 95.00 kr. back.",
            "20 dage og 12 timer af 30 dage til 300,00 kr. pr. måned = 205,00 kr.; du får 95,00 kr. tilbage.",
            id="by the second, on the hour",
        ),
        pytest.param(
            {"unit": "second", "active": DAY + 3660 + 59, "total": 30 * DAY, "kept": 1043},
            "1 day, 1 hour, 1 minute and 59 seconds of 30 days at 300.00 kr. a month = 10.43 kr.; 289.57 kr. back.",
            "1 dag, 1 time, 1 minut og 59 sekunder af 30 dage til 300,00 kr. pr. måned = 10,43 kr.;"
            " du får 289,57 kr. tilbage.",
            id="by the second, to the second",
        ),
        pytest.param(
            {"unit": "second", "active": 20 * DAY, "total": 30 * DAY},
            "20 of 30 days at 300.00 kr. a month = 200.00 kr.; 100.00 kr. back.",
            "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.; du får 100,00 kr. tilbage.",
            id="by the second, whole days",
        ),
        pytest.param(
            {"unit": "second", "active": DAY, "total": 30 * DAY + 3600, "kept": 999},
            "1 day of 30 days and 1 hour at 300.00 kr. a month = 9.99 kr.; 290.01 kr. back.",
            "1 dag af 30 dage og 1 time til 300,00 kr. pr. måned = 9,99 kr.; du får 290,01 kr. tilbage.",
            id="by the second, in a month with an hour more",
        ),
        pytest.param(
            {"total": 25, "active": 5, "kept": 6000},
            "5 of 25 days at 300.00 kr. for the whole period = 60.00 kr.; 240.00 kr. back.",
            "5 af 25 dage til 300,00 kr. for hele perioden = 60,00 kr.; du får 240,00 kr. tilbage.",
            id="five days were paused",
        ),
        pytest.param(
            {"active": 30, "kept": 30000, "tax": -500},
            "November 2026 is charged in full: 300.00 kr.; the tax in it changes by 5.00 kr., the amount does not.",
            "November 2026 betales fuldt ud: 300,00 kr.; momsen i det ændres med 5,00 kr., beløbet ikke.",
            id="only the tax changes",
        ),
        pytest.param(
            {"currency": "JPY", "full": 3000, "billed": 3000, "kept": 2000},
            "20 of 30 days at JP¥3,000 a month = JP¥2,000; JP¥1,000 back.",
            "20 af 30 dage til 3.000 JP¥ pr. måned = 2.000 JP¥; du får 1.000 JP¥ tilbage.",
            id="yen",
        ),
        pytest.param(
            {"currency": "BHD"},
            "20 of 30 days at BHD 30.000 a month = BHD 20.000; BHD 10.000 back.",
            "20 af 30 dage til 30,000 BHD pr. måned = 20,000 BHD; du får 10,000 BHD tilbage.",
            id="dinars",
        ),
        pytest.param(
            {"currency": "EUR"},
            "20 of 30 days at €300.00 a month = €200.00; €100.00 back.",
            "20 af 30 dage til 300,00 € pr. måned = 200,00 €; du får 100,00 € tilbage.",
            id="euros",
        ),
    ],
)
def test_an_adjustment_says_how_it_comes_about(told: dict[str, Any], english: str, danish: str) -> None:
    assert said("en", **told) == english
    assert said("da", **told) == danish


@pytest.mark.parametrize(
    ("interval", "period", "english", "danish"),
    [
        ("P1M", ("2026-01-31", "2026-02-28"), "a month", "pr. måned"),
        ("P1M", ("2026-02-28", "2026-03-30"), "a month", "pr. måned"),
        ("P1M", ("2026-04-30", "2026-05-31"), "a month", "pr. måned"),
        ("P1M", ("2026-04-30", "2026-05-29"), "for the whole period", "for hele perioden"),
        ("P1M", ("2026-04-15", "2026-05-01"), "for the whole period", "for hele perioden"),
        ("P3M", ("2026-11-01", "2027-02-01"), "for 3 months", "for 3 måneder"),
        ("P1Y", ("2026-11-01", "2027-11-01"), "a year", "pr. år"),
        ("P2Y", ("2026-11-01", "2028-11-01"), "for 2 years", "for 2 år"),
        ("P1Y", ("2026-11-01", "2026-12-01"), "for the whole period", "for hele perioden"),
        ("P1W", ("2026-11-02", "2026-11-09"), "a week", "pr. uge"),
        ("P2W", ("2026-11-02", "2026-11-16"), "for 2 weeks", "for 2 uger"),
        ("P1D", ("2026-11-02", "2026-11-03"), "a day", "pr. dag"),
        ("P10D", ("2026-11-02", "2026-11-12"), "for 10 days", "for 10 dage"),
    ],
)
def test_a_price_is_by_the_month_only_where_the_charge_is_for_one(
    interval: str, period: tuple[str, str], english: str, danish: str
) -> None:
    days = Period(*map(date.fromisoformat, period))
    half = {"unit": "second", "active": days.days * DAY // 2, "total": days.days * DAY, "kept": 15000}
    told = {"interval": Duration.parse(interval), "period": days, **half}
    assert f" at 300.00 kr. {english} = 150.00 kr.;" in said("en", **told)
    assert f" til 300,00 kr. {danish} = 150,00 kr.;" in said("da", **told)


def end(end_date: date, at: datetime | None = None, **other: Any) -> End:  # noqa: ANN401  the fields of an end
    """An end as a day begins in Copenhagen (in winter), or at an instant."""
    access = at or datetime(end_date.year, end_date.month, end_date.day, tzinfo=timezone(timedelta(hours=1)))
    dates = {"requested_end_date": end_date, "earliest_permitted_end_date": date(2026, 1, 1), **other}
    return End("on-date", **dates, end_date=end_date, access_ends_at=access.astimezone(UTC), paid_until=access)


AT_QUARTER_PAST_TEN = datetime(2026, 11, 12, 9, 15, 42, tzinfo=UTC)
ON_THE_21ST = end(date(2026, 11, 21))
AT_ONCE = end(date(2026, 11, 13), AT_QUARTER_PAST_TEN)
DAY_FREE = end(date(2026, 11, 12), AT_QUARTER_PAST_TEN)
BOUND = end(date(2027, 1, 1), requested_end_date=date(2026, 11, 21), earliest_permitted_end_date=date(2027, 1, 1))


@pytest.mark.parametrize(
    ("name", "ends", "start_date", "english", "danish"),
    [
        pytest.param(
            "cancellation-scheduled",
            ON_THE_21ST,
            START,
            "The last day of the subscription is 20 November 2026.",
            "Sidste dag med abonnementet er den 20. november 2026.",
            id="on a date",
        ),
        pytest.param(
            "cancellation-scheduled",
            AT_ONCE,
            START,
            "The last day of the subscription is 12 November 2026. Access ends on 12 November 2026 at 10:15.",
            "Sidste dag med abonnementet er den 12. november 2026. Adgangen ophører den 12. november 2026 kl. 10.15.",
            id="at once",
        ),
        pytest.param(
            "cancellation-scheduled",
            DAY_FREE,
            START,
            "The last day of the subscription is 11 November 2026. Access ends on 12 November 2026 at 10:15.",
            "Sidste dag med abonnementet er den 11. november 2026. Adgangen ophører den 12. november 2026 kl. 10.15.",
            id="at once, the day being free",
        ),
        pytest.param(
            "cancellation-scheduled",
            BOUND,
            START,
            "The last day of the subscription is 31 December 2026. That is the earliest the agreement allows.",
            "Sidste dag med abonnementet er den 31. december 2026. Aftalen tillader ikke, at det bliver tidligere.",
            id="too early",
        ),
        pytest.param(
            "cancellation-scheduled",
            ON_THE_21ST,
            date(2026, 11, 21),
            "Cancelled before the first day of the subscription.",
            "Opsagt før første dag med abonnementet.",
            id="before it starts",
        ),
        pytest.param(
            "cancellation-scheduled",
            DAY_FREE,
            date(2026, 11, 12),
            "Access ends on 12 November 2026 at 10:15.",
            "Adgangen ophører den 12. november 2026 kl. 10.15.",
            id="at once on its first day, the day being free",
        ),
        pytest.param(
            "cancellation-rescheduled",
            ON_THE_21ST,
            START,
            "The cancellation was changed. The last day of the subscription is 20 November 2026.",
            "Opsigelsen er ændret. Sidste dag med abonnementet er den 20. november 2026.",
            id="moved",
        ),
        pytest.param(
            "subscription-ended",
            BOUND,
            START,
            "The subscription has ended. Its last day was 31 December 2026.",
            "Abonnementet er ophørt. Sidste dag var den 31. december 2026.",
            id="over",
        ),
        pytest.param(
            "subscription-ended",
            AT_ONCE,
            START,
            "The subscription has ended. Its last day was 12 November 2026. Access ended on 12 November 2026 at 10:15.",
            "Abonnementet er ophørt. Sidste dag var den 12. november 2026."
            " Adgangen ophørte den 12. november 2026 kl. 10.15.",
            id="over at once",
        ),
        pytest.param(
            "subscription-ended",
            ON_THE_21ST,
            date(2026, 11, 21),
            "The subscription has ended. It was cancelled before its first day.",
            "Abonnementet er ophørt. Det blev opsagt før første dag.",
            id="over before it started",
        ),
    ],
)
def test_a_status_names_the_last_day(name: StatusName, ends: End, start_date: date, english: str, danish: str) -> None:
    assert status("en", name, ends, agreement(start_date=start_date)) == english
    assert status("da", name, ends, agreement(start_date=start_date)) == danish


def test_where_a_part_ends_its_name_is_said() -> None:
    lines = ["Extra storage", "Telephone", "TV"]
    ends: dict[str, Any] = {"name": "cancellation-scheduled", "end": ON_THE_21ST, "agreement": agreement()}
    assert [status("en", **ends, lines=lines), withdrawn("en", lines)] == [
        "The last day of Extra storage, Telephone and TV is 20 November 2026.",
        "The cancellation of Extra storage, Telephone and TV was taken back.",
    ]
    assert [status("da", **ends, lines=lines), withdrawn("da", lines)] == [
        "Sidste dag med Extra storage, Telephone og TV er den 20. november 2026.",
        "Opsigelsen af Extra storage, Telephone og TV er trukket tilbage.",
    ]


def test_a_day_that_begins_at_one_in_the_morning_is_a_day_like_any_other() -> None:
    """In Beirut the clocks go forward at midnight: 29 March 2026 begins at 01:00."""
    ends = end(date(2026, 3, 29), datetime(2026, 3, 28, 22, tzinfo=UTC))
    assert status("en", "cancellation-scheduled", ends, agreement(time_zone="Asia/Beirut")) == (
        "The last day of the subscription is 28 March 2026."
    )


def test_a_cancellation_taken_back_and_a_subscription_without_one_say_so() -> None:
    assert withdrawn("en") == "The cancellation of the subscription was taken back."
    assert withdrawn("da") == "Opsigelsen af abonnementet er trukket tilbage."
    assert uncancelled("en") == "The subscription goes on until it is cancelled."
    assert uncancelled("da") == "Abonnementet fortsætter, indtil det opsiges."


@pytest.mark.parametrize(
    ("code", "english", "danish"),
    [
        (
            "unknown-subscription",
            "Nothing was changed: there is no subscription with this number.",
            "Intet er ændret: der findes ikke et abonnement med dette nummer.",
        ),
        (
            "already-ended",
            "Nothing was changed: the subscription has already ended.",
            "Intet er ændret: abonnementet er allerede ophørt.",
        ),
        (
            "not-cancelled",
            "Nothing was changed: there is no such cancellation to change or take back.",
            "Intet er ændret: der er ingen sådan opsigelse at ændre eller trække tilbage.",
        ),
        (
            "end-before-start",
            "Nothing was changed: the end asked for lies before the subscription begins.",
            "Intet er ændret: det ønskede ophør ligger, før abonnementet begynder.",
        ),
        (
            "end-too-far-back",
            "Nothing was changed: the end asked for lies too far back.",
            "Intet er ændret: det ønskede ophør ligger for langt tilbage.",
        ),
        (
            "end-before-permitted",
            "Nothing was changed: the end asked for is earlier than the agreement allows.",
            "Intet er ændret: det ønskede ophør er tidligere, end aftalen tillader.",
        ),
        (
            "conflicting-content",
            "Nothing was changed: this request was made before with other content.",
            "Intet er ændret: den samme anmodning er modtaget før med et andet indhold.",
        ),
        (
            "superseded",
            "Nothing was changed: a later request already counts.",
            "Intet er ændret: en senere anmodning gælder allerede.",
        ),
        (
            "time-in-future",
            "Nothing was changed: the request is dated in the future.",
            "Intet er ændret: anmodningen er dateret i fremtiden.",
        ),
        (
            "unknown-line",
            "Nothing was changed: what was to be cancelled is not part of the subscription.",
            "Intet er ændret: det, der skulle opsiges, er ikke en del af abonnementet.",
        ),
    ],
)
def test_a_refusal_says_why(code: RefusalCode, english: str, danish: str) -> None:
    assert rejected("en", code) == english
    assert rejected("da", code) == danish


def test_every_refusal_has_its_words() -> None:
    codes = {key.removeprefix("refused/") for key in TEMPLATES["en"] if key.startswith("refused/")}
    assert codes == set(get_args(RefusalCode))


def test_the_languages_have_the_same_templates_with_the_same_blanks() -> None:
    blanks = {
        language: {
            key: sorted(name for _, name, _, _ in Formatter().parse(text) if name) for key, text in words.items()
        }
        for language, words in TEMPLATES.items()
    }
    assert set(blanks) == set(LANGUAGES)
    assert blanks["da"] == blanks["en"]


@pytest.mark.parametrize(
    ("currency", "units", "english", "danish"),
    [
        ("DKK", 123456789, "1,234,567.89 kr.", "1.234.567,89 kr."),
        ("DKK", 5, "0.05 kr.", "0,05 kr."),
        ("EUR", 10**17 + 1, "€1,000,000,000,000,000.01", "1.000.000.000.000.000,01 €"),
        ("JPY", 1000, "JP¥1,000", "1.000 JP¥"),
        ("BHD", 1000, "BHD 1.000", "1,000 BHD"),
        ("SEK", 30000, "SEK 300.00", "300,00 SEK"),
        ("ISK", 300, "ISK 300", "300 ISK"),
        # Where common usage has no decimals any more, ISO 4217 still has.
        ("HUF", 30000, "HUF 300.00", "300,00 HUF"),
        ("IQD", 1000, "IQD 1.000", "1,000 IQD"),
        ("CLF", 10000, "CLF 1.0000", "1,0000 CLF"),
    ],
)
def test_money_has_the_digits_that_iso_4217_gives_it(currency: str, units: int, english: str, danish: str) -> None:
    assert money("en", units, currency) == english
    assert money("da", units, currency) == danish


def test_a_date_has_its_year() -> None:
    assert day("en", date(2026, 11, 20)) == "20 November 2026"
    assert day("da", date(2026, 11, 20)) == "20. november 2026"


def test_whatever_the_currency_it_is_written_out_in_ordinary_characters() -> None:
    for currency in ("DKK", "EUR", "USD", "GBP", "SEK", "NOK", "CHF", "JPY", "KRW", "PLN", "XOF", "BHD", "VES"):
        for language in LANGUAGES:
            assert not set(money(language, 1234567, currency)) & {"\u00a0", "\u202f", "\u00a4"}


def received(kind: str, at: str, body: Fact | Command) -> Received:
    instant = datetime.fromisoformat(at)
    return Received("test", f"{kind} {at}", kind, instant, instant, body)


def november(language: Language | None) -> Subscription:
    """300.00 kr. for November, for two lines of which one has a name; paid."""
    lines = (Line("L1", 20000, "Avis hver dag"), Line("L2", 10000))
    agreed = agreement(start_date=date(2026, 11, 1), lines=lines, language=language)
    subscription = activate(
        "default", "S1", received("subscription-activated", "2026-10-30T08:00:00+01:00", agreed), agreed
    )
    line = ChargeLine("C1", "L1", "recurring", NOVEMBER.start, NOVEMBER.end, Amount(30000), taxed=False)
    for at, fact in (
        ("2026-11-01T08:00:00+01:00", InvoiceStated("INV-1", "issued", (line,))),
        ("2026-11-03T08:00:00+01:00", InvoicePaid("INV-1", 30000)),
    ):
        subscription = decide(subscription, received("fact", at, fact), Rules()).subscription
    return subscription


def told(subscription: Subscription, at: str, command: Command, rules: Rules) -> tuple[Subscription, list[str]]:
    """What the customer is told of a command: by its outcomes that say something, and by the snapshot after it."""
    decision = decide(subscription, received("cancellation-requested", at, command), rules)
    after = decision.subscription
    messages = [message(after, outcome, rules) for outcome in decision.outcomes]
    drawn = snapshot(timeline(after, datetime.fromisoformat(at), rules))
    sentences = [data["text"] for data in messages if "text" in data]
    sentences += [data["calculation"]["text"] for data in messages if "calculation" in data]
    return after, [*sentences, drawn["text"], *(given["text"] for given in drawn["adjustments"])]


ENDS = EndWish("on-date", end_date=date(2026, 11, 21))
CANCEL, REVOKE = Command("request", "A", ENDS), Command("revoke", None, None)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
CANCELLED: dict[Language, tuple[str, str]] = {
    "en": (
        "The last day of the subscription is 20 November 2026.",
        "20 of 30 days at 300.00 kr. a month = 200.00 kr.; 100.00 kr. back.",
    ),
    "da": (
        "Sidste dag med abonnementet er den 20. november 2026.",
        "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.; du får 100,00 kr. tilbage.",
    ),
}


@pytest.mark.parametrize(
    ("agreed", "of_the_tenant", "language"),
    [
        pytest.param(None, None, "en", id="nobody says: English"),
        pytest.param(None, "da", "da", id="the tenant"),
        pytest.param("da", None, "da", id="the subscription"),
        pytest.param("da", "en", "da", id="the subscription before the tenant"),
        pytest.param("en", "da", "en", id="the subscription before the tenant, the other way round"),
    ],
)
def test_the_subscription_says_the_language_and_else_the_tenant(
    agreed: Language | None, of_the_tenant: Language | None, language: Language
) -> None:
    rules = Rules() if of_the_tenant is None else Rules(policies=((SINCE, Policy(language=of_the_tenant)),))
    _, sentences = told(november(agreed), "2026-11-12T09:00:00+01:00", CANCEL, rules)
    ends, credit = CANCELLED[language]
    assert sentences == [ends, credit, ends, credit]


def test_what_was_said_stays_as_it_was_said() -> None:
    """The tenant turns to Danish, and another price comes: the sentence of the first adjustment stands."""
    english = Rules()
    danish = Rules(policies=((datetime(2026, 11, 13, tzinfo=UTC), Policy(language="da")),))
    cancelled, _ = told(november(None), "2026-11-12T09:00:00+01:00", CANCEL, english)
    price = PriceChanged(date(2026, 11, 10), (Line("L1", 60000),))
    known = decide(cancelled, received("price-changed", "2026-11-13T08:00:00+01:00", price), danish).subscription
    _, sentences = told(known, "2026-11-14T09:00:00+01:00", REVOKE, danish)
    debit = (
        "Du beholder abonnementet: prisen er 300,00 kr.; 100,00 kr. er trukket fra tidligere; 100,00 kr. opkræves igen."
    )
    assert sentences == [
        "Opsigelsen af abonnementet er trukket tilbage.",
        debit,
        "Abonnementet fortsætter, indtil det opsiges.",
        CANCELLED["en"][1],
        debit,
    ]


def test_lines_are_called_what_the_customer_knows_them_by() -> None:
    subscription, sentences = told(
        november("da"), "2026-11-12T09:00:00+01:00", replace(CANCEL, lines=("L1", "L2")), Rules()
    )
    assert sentences[0] == "Sidste dag med Avis hver dag og L2 er den 20. november 2026."
    _, sentences = told(subscription, "2026-11-13T09:00:00+01:00", REVOKE, Rules())
    assert sentences[0] == "Opsigelsen af Avis hver dag og L2 er trukket tilbage."


def test_a_refusal_speaks_to_the_customer_beside_the_message_for_the_sender() -> None:
    decision = decide(november("da"), received("cancellation-revoked", "2026-11-12T09:00:00+01:00", REVOKE), Rules())
    refused = message(decision.subscription, decision.outcomes[0], Rules())
    assert (refused["message"], refused["text"]) == (
        "No cancellation is in force.",
        "Intet er ændret: der er ingen sådan opsigelse at ændre eller trække tilbage.",
    )


def test_what_nobody_has_heard_of_is_refused_in_the_language_of_the_tenant() -> None:
    outcome = unheard_of(received("cancellation-requested", "2026-11-12T09:00:00+01:00", CANCEL), CANCEL)
    danish = Rules(policies=((SINCE, Policy(language="da")),))
    assert rejection("default", "S1", outcome, danish)["text"] == (
        "Intet er ændret: der findes ikke et abonnement med dette nummer."
    )


def test_an_end_that_is_sealed_is_told_as_over() -> None:
    cancelled, _ = told(november("da"), "2026-11-12T09:00:00+01:00", CANCEL, Rules())
    now = datetime(2026, 11, 21, tzinfo=UTC)
    decision = tick(cancelled, now, Rules())
    over = "Abonnementet er ophørt. Sidste dag var den 20. november 2026."
    assert message(decision.subscription, decision.outcomes[-1], Rules())["text"] == over
    assert snapshot(timeline(decision.subscription, now, Rules()))["text"] == over


class Numbers(NamedTuple):
    """A charge that is settled, and what had become of it before."""

    full: int
    kept: int
    billed: int
    others: int
    given: int
    active: int
    total: int


@st.composite
def charges(draw: st.DrawFn) -> Numbers:
    """Charges as the rule settles them: a share by days, or all, or nothing."""
    full, total = draw(st.integers(1, 10**6)), draw(st.integers(1, 400))
    active = draw(st.integers(0, total))
    kept = draw(st.sampled_from([share(full, active, total), full]))
    billed = draw(st.sampled_from([full, kept]) | st.integers(0, full))
    others, given_before = draw(st.just(0) | st.integers(0, full)), draw(st.just(0) | st.integers(-full, full))
    return Numbers(full, kept, billed, others, given_before, active, total)


def amount(pattern: str, sentence: str, otherwise: int) -> int:
    """An amount as a reader finds it in the sentence, at the asterisk."""
    found = re.search(pattern.replace("*", r"([0-9.,]+) kr\."), sentence)
    return otherwise if found is None else int(re.sub(r"[.,]", "", found[1]))


@given(charges(), st.sampled_from(["prorate", "full-period", None]), st.sampled_from(get_args(Cause)))
def test_a_reader_who_does_the_sum_comes_to_the_same(n: Numbers, settlement: Settlement | None, cause: Cause) -> None:
    kept = n.kept if settlement == "prorate" else n.full
    assume(max(n.billed - kept - n.others, min(n.billed - kept, 0)) != n.given)
    sentence = said(
        "en",
        full=n.full,
        kept=kept,
        billed=n.billed,
        credited_by_others=n.others,
        given=n.given,
        active=n.active,
        total=n.total,
        settlement=settlement,
        cause=cause,
        refundable=0,
    )
    full = amount(r"(?:at|full:|used:|price is) *", sentence, n.full)
    owed = 0 if "is not charged" in sentence else amount("= *", sentence, full)
    over = amount("* was invoiced", sentence, full) - owed
    before = amount("* was credited", sentence, 0) - amount("* was added", sentence, 0)
    told = max(over - amount("* was already", sentence, 0), min(over, 0)) - before
    less = amount("* less to pay", sentence, 0)
    more = amount("* (?:more to pay|of it falls away|is charged again)", sentence, 0)
    assert (less, more) == (max(told, 0), max(-told, 0)), sentence
    for active, total in re.findall(r"([0-9]+) of ([0-9]+) days? at", sentence):
        assert owed == share(full, int(active), int(total)), sentence


amounts = st.one_of(st.integers(0, 1000), st.integers(0, 10**15))
dates = st.dates(date(2000, 1, 1), date(2100, 1, 1))
ODD = ("{", "}", "None", "!", "  ", "..", "\u00a0", "\u202f")


@given(
    st.sampled_from(LANGUAGES),
    st.fixed_dictionaries(
        {
            "currency": st.sampled_from(["DKK", "EUR", "JPY", "BHD", "CLF", "HUF"]),
            "interval": st.sampled_from([Duration(months=1), Duration(months=12), Duration(days=7)]),
            "full": amounts,
            "billed": amounts,
            "kept": amounts,
            "given": amounts | amounts.map(lambda units: -units),
            "credited_by_others": amounts,
            "active": st.integers(0, 400),
            "total": st.integers(0, 400),
            "unit": st.sampled_from(["day", "second"]),
            "voided": st.booleans(),
            "settlement": st.none() | st.sampled_from(get_args(Settlement)),
            "cause": st.sampled_from(get_args(Cause)),
            "period": st.none()
            | st.builds(lambda start, n: Period(start, start + timedelta(n)), dates, st.integers(1, 400)),
        }
    ),
)
def test_every_sentence_is_whole(language: Language, told: dict[str, Any]) -> None:
    sentence = said(language, **told)
    assert sentence[0].isupper() or not sentence[0].isalpha()
    assert sentence.endswith(".")
    assert not any(wrong in sentence for wrong in ODD)


@given(st.sampled_from(LANGUAGES), st.sampled_from(get_args(StatusName)), dates, dates, st.integers(0, 48 * 3600))
def test_every_status_is_whole(
    language: Language, name: StatusName, start_date: date, end_date: date, seconds: int
) -> None:
    begins = datetime(end_date.year, end_date.month, end_date.day, tzinfo=UTC)
    ends = end(end_date, begins + timedelta(seconds=seconds - DAY), requested_end_date=start_date)
    sentence = status(language, name, ends, agreement(start_date=start_date))
    assert sentence.endswith(".")
    assert not any(wrong in sentence for wrong in ODD)
