"""The site answers as it says it does: read-only, with its headers, also where there is nothing to show."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from string import Formatter
from typing import get_args

import asyncpg
import pytest

from service.domain.facts import Mode
from service.domain.policy import Settlement
from service.domain.subscription import Cause
from service.domain.timeline import Status
from service.messages.inputs import INPUTS
from service.ops.preview import Previewed
from service.web import reading
from service.web.wording import LABELS
from tests.conftest import Running
from tests.kafka import client
from tests.web.stage import Stage, staged, titled

WEB = Path("service/web")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/timeline", "/operations", "/asyncapi", "/asyncapi/messages/price-changed", "/asyncapi/asyncapi.yaml"),
        *("/api/timeline", "/api/openapi.json", "/static/page.css", "/nowhere"),
    ],
)
async def test_every_answer_allows_nothing_inline_and_nothing_from_elsewhere(stage: Stage, path: str) -> None:
    headers = (await stage.ask(path)).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == ("public, max-age=3600" if path == "/static/page.css" else "no-store")


@pytest.mark.parametrize(
    "path",
    ["/", "/timeline", "/operations", "/operations/events", "/api/timeline", "/api/subscriptions", "/api/preview"],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nothing_can_be_changed(stage: Stage, path: str, method: str) -> None:
    assert (await stage.ask(path, method)).status == 405


@pytest.mark.parametrize("language", ["en", "da"])
async def test_no_page_holds_an_inline_script_or_style(stage: Stage, language: str) -> None:
    await stage.play(titled("a price change after the end"))
    asked: dict[str, dict[str, str]] = {
        "/": {"q": "S"},
        "/timeline": {"subscription": "S1", "date": "2026-11-26"},
        "/operations": {},
        "/asyncapi": {},
        "/asyncapi/messages/cancellation-requested": {},
    }
    for path, query in asked.items():
        text = (await stage.ask(path, lang=language, **query)).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=\"/static/)", text)
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)


async def test_text_from_outside_is_text_and_no_markup(stage: Stage) -> None:
    name = '<img src=x onerror="alert(1)">&\'"'
    await stage.play(titled("a price change after the end"), name, f"customer {name}")
    for path, query in {"/": {"q": name}, "/timeline": {"subscription": name}}.items():
        answer = await stage.ask(path, **query)
        assert answer.status == 200
        assert "<img" not in answer.text
        assert "&lt;img src=x" in answer.text


@pytest.mark.parametrize("subscription", ["S2", "", "a/../b", "..", "%2e", "null\0byte", "æøå", "x" * 300])
async def test_what_is_not_known_is_said_to_be_missing(stage: Stage, subscription: str) -> None:
    answer = await stage.ask("/timeline", subscription=subscription)
    assert (answer.status, "There is no such subscription" in answer.text) == (404, True)
    assert (await stage.ask("/timeline", subscription="S1", tenant=subscription or "S2")).status == 404


async def test_an_id_may_be_any_text(stage: Stage) -> None:
    for name in ("a/../b", "..", "%2e", "æ ø å", "?x=1&y=2#z"):
        await stage.play(titled("a price change after the end"), name)
        assert (await stage.ask("/timeline", subscription=name)).status == 200
        assert (await stage.ask("/api/timeline", subscription_id=name)).json["timeline"]["subscription_id"] == name


async def test_a_date_that_is_none_is_said_to_be_none(stage: Stage) -> None:
    await stage.play(titled("a price change after the end"))
    for text in ("tomorrow", "2026-02-30", "0001-01-01", "9999-12-31"):
        answer = await stage.ask("/timeline", subscription="S1", date=text)
        assert (answer.status, f"“{text}” is not a date." in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("accepted", "asked", "shown"),
    [
        ("", "", "en"),
        ("da-DK,da;q=0.9,en;q=0.8", "", "da"),
        ("sv,en-US;q=0.8", "", "en"),
        ("da", "en", "en"),
        ("", "fr", "en"),
    ],
)
async def test_the_language_is_that_asked_for_else_the_readers_own(
    stage: Stage, accepted: str, asked: str, shown: str
) -> None:
    answer = await stage.ask("/", accept=accepted, lang=asked)
    assert f'<html lang="{shown}">' in answer.text
    assert "Accept-Language" in answer.headers["Vary"]


async def test_a_held_subscription_says_so(stage: Stage) -> None:
    await stage.play(titled("a price change after the end"))
    await stage.pool.execute("update subscription set held_since = $1, held_because = 'a bug'", stage.now)
    assert (
        "This subscription is held since 12 November 2026 at 09:00"
        in (await stage.ask("/timeline", subscription="S1")).text
    )
    assert (await stage.ask("/api/timeline", subscription_id="S1")).json["held"]["because"] == "a bug"


async def test_one_that_cannot_be_read_keeps_no_other_from_being_found(stage: Stage) -> None:
    await stage.play(titled("a price change after the end"), "S1")
    await stage.play(titled("a price change after the end"), "S2")
    await stage.pool.execute("update subscription set state = '{}' where subscription_id = 'S1'")
    text = (await stage.ask(q="S")).text
    assert "cannot be shown: a fault of the service" in text
    assert "Ends 21 November 2026" in text
    for path, query in {"/timeline": {"subscription": "S1"}, "/api/timeline": {"subscription_id": "S1"}}.items():
        answer = await stage.ask(path, **query)
        assert (answer.status, "its log says which" in answer.text) == (500, True)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_where_the_preview_fails_the_timeline_is_shown_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Previewed:
        raise AssertionError("a bug")

    monkeypatch.setattr(reading, "previewed", failing)
    await stage.play(titled("a price change after the end"))
    page = await stage.ask("/timeline", subscription="S1")
    assert (page.status, "a fault of the service" in page.text, "20 of 30 days" in page.text) == (200, True, True)
    assert (await stage.ask("/api/preview", subscription_id="S1")).status == 500


async def test_a_line_that_ends_by_itself_can_be_regretted_by_itself(stage: Stage) -> None:
    await stage.play(titled("an extra that ends next month, where invoicing reports nothing"))
    page = (await stage.ask("/timeline", subscription="S1")).text
    assert "Yes, for single lines" in page
    assert "L2: until 11 December 2026 at 00:00" in page
    assert "L2: ends 11 December 2026, last active day 10 December 2026" in page


async def test_one_that_is_only_waited_for_is_found_and_cannot_be_opened(stage: Stage) -> None:
    await stage.pool.execute(
        "insert into subscription (tenant_id, subscription_id, updated_at) values ('default', 'W1', now())"
    )
    assert "not activated yet" in (await stage.ask(q="W")).text
    assert (await stage.ask("/timeline", subscription="W1")).status == 404


async def test_a_tenant_finds_its_own_alone(stage: Stage) -> None:
    await stage.play(titled("a price change after the end"))
    assert "Nothing found" in (await stage.ask(q="S1", tenant="another")).text
    assert (await stage.ask("/timeline", subscription="S1", tenant="another")).status == 404


async def test_a_search_names_twenty_and_says_that_there_are_more(stage: Stage) -> None:
    await stage.pool.execute(
        "insert into subscription (tenant_id, subscription_id, updated_at)"
        " select 'default', 'W' || n, now() from generate_series(1, 21) n"
    )
    text = (await stage.ask(q="W")).text
    assert text.count('class="hit"') == 20
    assert "20 shown; there are more." in text


async def test_without_its_database_a_page_says_to_try_again(database: str) -> None:
    async with asyncpg.create_pool(database, min_size=1, max_size=1) as lost, staged(lost) as other:
        await other.pool.close()
        for path, query in {
            "/": {"q": "S"},
            "/timeline": {"subscription": "S"},
            "/api/timeline": {"subscription_id": "S"},
        }.items():
            answer = await other.ask(path, **query)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert "does not answer" in answer.text


async def test_pages_take_turns_and_leave_the_rest_of_the_pool_to_decisions(database: str) -> None:
    """Ten pages asked for at once share the one connection that decisions leave them."""
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool, staged(pool) as stage, pool.acquire():
        answers = await asyncio.gather(*(stage.ask(q="S") for _ in range(10)))
        assert [answer.status for answer in answers] == [200] * 10
        assert pool.get_size() - pool.get_idle_size() == 1


def test_both_languages_have_the_same_labels_with_the_same_blanks() -> None:
    blanks = {
        language: {key: {name for _, name, _, _ in Formatter().parse(label) if name} for key, label in labels.items()}
        for language, labels in LABELS.items()
    }
    assert blanks["da"] == blanks["en"]


def test_every_label_is_used_and_every_value_has_one() -> None:
    sources = "".join(
        file.read_text("utf-8") for file in [*WEB.glob("*.py"), *WEB.glob("templates/*")] if file.name != "wording.py"
    )
    named = set(re.findall(r"""['"]([a-z-]+(?:/[a-z-]+)?)['"]""", sources))
    groups = set(re.findall(r"""['"]([a-z-]+)/""", sources))
    unused = {key for key in LABELS["en"] if key not in named and key.split("/")[0] not in groups}
    assert not unused
    wanted = {
        *(f"status/{status}" for status in get_args(Status)),
        *(f"mode/{mode}" for mode in get_args(Mode)),
        *(f"settlement/{settlement}" for settlement in get_args(Settlement)),
        *(f"cause/{cause}" for cause in get_args(Cause)),
        *(f"entry/{name}" for name in INPUTS if name != "cancellation-policy-set"),
    }
    assert wanted <= LABELS["en"].keys()


def test_vendored_files_are_those_that_are_noted() -> None:
    noted = re.findall(
        r"^\| (\S+) \| .* \| `([0-9a-f]{64})` \|$", (WEB / "static/VENDORED.md").read_text("utf-8"), re.MULTILINE
    )
    assert noted
    for name, digest in noted:
        assert hashlib.sha256((WEB / "static" / name).read_bytes()).hexdigest() == digest


async def test_the_running_service_shows_what_came_over_kafka(running: Running) -> None:
    """The real process: a subscription sent, decided and looked at."""
    async with client(running.kafka, running.topics) as kafka:
        data = {
            "subscription_id": "seen",
            "customer_id": "C",
            "currency": "DKK",
            "time_zone": "Europe/Copenhagen",
            "start_date": "2026-11-01",
            "interval": "P1M",
            "billing": "in-advance",
            "lines": [{"line_id": "L1", "amount": "300.00"}],
        }
        await kafka.send(
            "subscription-lifecycle", "subscription-activated", "seen-1", data, time="2026-11-01T00:00:00Z"
        )
        wish = {"subscription_id": "seen", "end": {"mode": "on-date", "date": "2026-11-21"}}
        await kafka.send(
            "cancellation-requested", "cancellation-requested", "seen-2", wish, time="2026-11-12T09:00:00Z"
        )
        await kafka.until(lambda _: any(outcome.type == "cancellation-scheduled" for outcome in kafka.of("seen")))
    async with asyncpg.create_pool(running.postgres, min_size=0) as pool:
        service = Stage(pool, running.http)
        assert "21 November 2026" in (await service.ask("/timeline", subscription="seen")).text
        told = (await service.ask("/api/timeline", subscription_id="seen")).json["timeline"]
    assert (told["end_date"], told["last_active_day"]) == ("2026-11-21", "2026-11-20")
