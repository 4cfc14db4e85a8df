"""The contract as pages: every topic, every message, every field with its meaning, and the same for machines."""

from __future__ import annotations

import asyncio
import html
import json
import re
from urllib.request import urlopen

import pytest
import yaml
from playwright.async_api import Page, expect

from service.messages.inputs import INPUTS
from service.messages.outcomes import OUTCOMES
from service.schemas import files
from service.web.contract import contract
from tests.conftest import Running
from tests.web.conftest import keep
from tests.web.stage import Stage
from tests.web.test_browser import PHONE, without_findings

MESSAGES = sorted(contract().messages)


async def test_every_topic_and_message_is_listed_with_what_it_is(stage: Stage) -> None:
    text = html.unescape((await stage.ask("/asyncapi", lang="en")).text)
    document = yaml.safe_load((files.FOLDER / "asyncapi.yaml").read_text("utf-8"))
    for name, channel in document["channels"].items():
        assert f'id="{name}"' in text
        assert channel["description"] in text
        for message in channel["messages"]:
            assert f"/asyncapi/messages/{message}?" in text


@pytest.mark.parametrize("name", MESSAGES)
async def test_every_field_of_a_message_has_its_meaning_and_every_example_stands_there(stage: Stage, name: str) -> None:
    answer = await stage.ask(f"/asyncapi/messages/{name}", lang="en")
    assert answer.status == 200
    found = contract().messages[name]
    assert [field.path for field in found.fields if not field.meaning and not field.limits] == []
    text = html.unescape(re.sub(r"</?code>", "", answer.text))
    for field in (*found.fields, *found.headers):
        assert field.meaning.replace("`", "") in text
    for example in found.examples:
        assert example.value in text
        json.loads(example.value)


def test_fields_within_fields_go_by_their_path() -> None:
    fields = {field.path: field for field in contract().messages["cancellation-requested"].fields}
    assert fields["end.mode"].is_required
    assert fields["end.mode"].limits.startswith("one of immediately, end-of-period")
    assert (fields["end.date"].type, fields["line_ids"].type) == ("date or null", "array of string or null")
    activated = {field.path: field for field in contract().messages["subscription-activated"].fields}
    assert "a decimal string" in activated["lines[].amount"].meaning.lower()
    assert not {field.path for field in activated.values() if field.type == "object"} & {"lines[]"}


@pytest.mark.parametrize("name", [*INPUTS, *OUTCOMES])
def test_no_field_of_a_schema_is_left_out(name: str) -> None:
    schema = json.loads((files.FOLDER / "events" / f"{name}.v1.json").read_text("utf-8"))
    shown = {field.path.split(".")[-1] for field in contract().messages[name].fields}
    places = [schema, *schema.get("$defs", {}).values()]
    assert {field for place in places for field in place.get("properties", {})} <= shown


async def test_machines_get_the_document_and_what_it_refers_to(stage: Stage) -> None:
    document = await stage.ask("/asyncapi/asyncapi.yaml")
    assert document.text == (files.FOLDER / "asyncapi.yaml").read_text("utf-8")
    for path in set(re.findall(r"events/[a-z-]+\.v1\.json", document.text)):
        answer = await stage.ask(f"/asyncapi/{path}")
        assert (answer.status, answer.json["type"]) == (200, "object")
        assert answer.headers["Content-Type"] == "application/schema+json"


@pytest.mark.parametrize("path", ["messages/unheard-of", "nothing.yaml", "../pyproject.toml", "events/..%2f..%2fsetup"])
async def test_nothing_else_is_there(stage: Stage, path: str) -> None:
    assert (await stage.ask(f"/asyncapi/{path}")).status == 404


async def test_an_integrator_finds_a_message_from_the_search(stage: Stage, page: Page) -> None:
    await page.goto(stage.url(lang="en"))
    await page.get_by_role("link", name="The contract").click()
    await expect(page.locator("h1")).to_have_text("The contract")
    await keep(page, "contract")
    await without_findings(page)
    await page.get_by_role("link", name="cancellation-requested", exact=True).click()
    await expect(page.locator("h1")).to_have_text("cancellation-requested")
    await expect(page.get_by_role("row", name="end.mode")).to_contain_text("one of immediately, end-of-period")
    await keep(page, "contract-message")
    await without_findings(page)


async def test_it_is_read_on_a_phone_in_danish(stage: Stage, page: Page) -> None:
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    for path in ("/asyncapi", "/asyncapi/messages/subscription-activated"):
        await page.goto(stage.url(path, lang="da"))
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await without_findings(page)
    await keep(page, "contract-phone")


async def test_the_running_service_serves_it(running: Running) -> None:
    def read() -> str:
        with urlopen(f"{running.http}/asyncapi") as response:  # noqa: S310  our own service
            text: str = response.read().decode()
            return text

    assert "credit-adjustment" in await asyncio.to_thread(read)
