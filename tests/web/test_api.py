"""The pages as JSON: what it says, and that its OpenAPI document says the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from tests.stories.stories import GROUPS
from tests.web.stage import Stage, titled

STORIES = [story for group in GROUPS.values() for story in group]
PATHS = {"/api/subscriptions", "/api/timeline", "/api/preview"}


@pytest.fixture
async def november(stage: Stage) -> Stage:
    """A subscription that ends on 21 November, seen on the 13th."""
    await stage.play(titled("a price change after the end"), "S1", "K-7")
    stage.at("2026-11-13 10:00")
    return stage


async def described(stage: Stage) -> dict[str, Any]:
    document: dict[str, Any] = (await stage.ask("/api/openapi.json")).json
    return document


def fits(document: dict[str, Any], path: str, status: int, answer: object) -> None:
    """The answer is as the document says of that path and status."""
    content = document["paths"][path.removeprefix("/api")]["get"]["responses"][str(status)]["content"]
    schema = {**content["application/json"]["schema"], "components": document["components"]}
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(answer)


async def test_the_document_is_valid_and_names_what_can_be_read(stage: Stage) -> None:
    document = await described(stage)
    validate(document, cls=OpenAPIV31SpecValidator)
    assert {f"/api{path}" for path in document["paths"]} == PATHS
    assert {method for path in document["paths"].values() for method in path} == {"get"}
    assert document["servers"] == [{"url": "/api"}]


async def test_a_search(november: Stage) -> None:
    answer = await november.ask("/api/subscriptions", q="K-")
    assert answer.json == {
        "subscriptions": [
            {
                "tenant_id": "default",
                "subscription_id": "S1",
                "customer_id": "K-7",
                "status": "ending",
                "end_date": "2026-11-21",
                "last_active_day": "2026-11-20",
                "held_since": None,
            }
        ],
        "more": False,
    }
    fits(await described(november), "/api/subscriptions", 200, answer.json)


async def test_a_search_goes_on_after_the_last_one_of_the_page_before(november: Stage) -> None:
    await november.pool.execute(
        "insert into subscription (tenant_id, subscription_id, customer_id, updated_at)"
        " select 'default', 'N' || to_char(n, 'FM00'), 'K-7', now() from generate_series(1, 45) n"
    )
    seen: list[str] = []
    pages = 0
    answer = {"more": True}
    while answer["more"]:
        answer = (await november.ask("/api/subscriptions", q="K-", after=seen[-1] if seen else "")).json
        seen += [found["subscription_id"] for found in answer["subscriptions"]]
        pages += 1
    assert (pages, seen) == (3, [*(f"N{n:02}" for n in range(1, 46)), "S1"])


async def test_a_timeline_is_the_published_one_with_what_support_is_asked(november: Stage) -> None:
    answer = (await november.ask("/api/timeline", subscription_id="S1", language="da")).json
    published = await november.pool.fetchval(
        "select convert_from(value, 'utf8') from outbox where topic = 'subscription-timeline' order by id desc limit 1"
    )
    told = json.loads(published)
    texts = {"text", "adjustments"}
    same = {name: value for name, value in answer["timeline"].items() if name not in texts}
    assert same == {name: value for name, value in told.items() if name not in texts}
    assert answer["timeline"]["text"] == "Sidste dag med abonnementet er den 20. november 2026."
    assert [each["text"] for each in answer["timeline"]["adjustments"]] == [
        "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.; du får 100,00 kr. tilbage."
    ]
    assert answer["revocable_until"] == "2026-11-20T23:00:00Z"
    assert [(each["charge_id"], each["text"]) for each in answer["explanations"]] == [
        ("C1", "20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr."),
        ("C2", "Du betaler ikke for december 2026."),
    ]


async def test_a_preview_has_dates_money_and_the_event_for_every_mode(november: Stage) -> None:
    answer = (await november.ask("/api/preview", subscription_id="S1", date="2026-11-26")).json
    ends = {name: (mode["end_date"], mode["kept"], mode["credited"]) for name, mode in answer["modes"].items()}
    assert ends == {
        "immediately": ("2026-11-14", "130.00", "70.00"),
        "end-of-period": ("2026-12-01", "300.00", "-100.00"),
        "end-of-invoiced": ("2026-12-01", "300.00", "-100.00"),
        "end-of-term": ("2026-12-01", "300.00", "-100.00"),
        "earliest": ("2026-11-14", "130.00", "70.00"),
        "on-date": ("2026-11-26", "250.00", "-50.00"),
    }
    event = answer["modes"]["on-date"]["event"]
    assert event["data"] == {
        "tenant_id": "default",
        "subscription_id": "S1",
        "end": {"mode": "on-date", "date": "2026-11-26"},
    }
    assert {name: event["headers"][name] for name in ("ce_type", "ce_subject", "ce_time", "content-type")} == {
        "ce_type": "cancellation-requested",
        "ce_subject": "S1",
        "ce_time": "2026-11-13T09:00:00.000+00:00",
        "content-type": "application/json",
    }
    assert event["structured_value"]["data"] == event["data"]


async def test_what_would_be_refused_has_its_reason_and_no_event(stage: Stage) -> None:
    await stage.play(titled("a week without a clock"))
    answer = (await stage.ask("/api/preview", subscription_id="S1")).json
    assert {mode["refusal"]["code"] for mode in answer["modes"].values()} == {"already-ended"}
    assert not [mode for mode in answer["modes"].values() if "event" in mode]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/timeline", {"subscription_id": "unknown"}, 404),
        ("/api/preview", {"subscription_id": "unknown"}, 404),
        ("/api/timeline", {}, 422),
        ("/api/subscriptions", {"q": ""}, 422),
        ("/api/preview", {"subscription_id": "S1", "date": "tomorrow"}, 422),
        ("/api/timeline", {"subscription_id": "S1", "language": "fr"}, 422),
        ("/api/timeline", {"subscription_id": "x" * 256}, 422),
    ],
)
async def test_what_cannot_be_answered_is_said_as_documented(
    stage: Stage, path: str, query: dict[str, str], status: int
) -> None:
    answer = await stage.ask(path, **query)
    assert answer.status == status
    fits(await described(stage), path, status, answer.json)


async def test_of_every_story_page_and_answers_are_as_the_document_says(stage: Stage) -> None:
    document = await described(stage)
    for number, story in enumerate(STORIES):
        tenant = f"merchant {number}"
        await stage.play(story, tenant=tenant)
        status = 404 if story.expected.status == "never heard of" else 200
        for path in ("/api/timeline", "/api/preview"):
            answer = await stage.ask(path, subscription_id="S1", tenant_id=tenant)
            assert (answer.status, story.title) == (status, story.title)
            fits(document, path, status, answer.json)
        for language in ("en", "da"):
            page = await stage.ask("/timeline", subscription="S1", tenant=tenant, lang=language, date="2026-11-26")
            assert (page.status, story.title) == (status, story.title)
