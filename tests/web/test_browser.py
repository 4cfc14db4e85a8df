"""What a person sees who looks at the pages alone, in a real browser."""

# ruff: noqa: RUF001  a real dash stands where there is no amount

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from service.messages.envelope import decode
from service.store.records import Incoming
from tests.stories.story import Expected, Story, cancel, charge, issued, on, paused, priced, started
from tests.web.conftest import keep
from tests.web.stage import Stage, titled

PHONE = {"width": 360, "height": 740}


async def answers(page: Page) -> dict[str, str]:
    """The headline and the questions below it with their answers, as they can be read."""
    found = {"headline": " ".join((await page.locator("h1").inner_text()).split())}
    for answer in await page.locator(".answer").all():
        question = await answer.locator("dt").inner_text()
        found[question] = " ".join((await answer.locator("dd").inner_text()).split())
    return found


async def without_findings(page: Page) -> None:
    """Nothing that axe-core finds fault with, be it minor."""
    results = await Axe().run(page)
    found = [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in results.response["violations"]]
    assert found == []


@pytest.fixture
async def november(stage: Stage) -> Stage:
    """A subscription that ends on 21 November, seen on the 13th."""
    await stage.play(titled("a price change after the end"), "S1", "K-7")
    stage.at("2026-11-13 10:00")
    return stage


async def test_a_subscription_that_will_end_answers_at_a_glance(november: Stage, page: Page) -> None:
    await page.goto(november.url("/timeline", subscription="S1"))
    assert await answers(page) == {
        "headline": "Ends 21 November 2026",
        "Last active day": "Friday 20 November 2026",
        "Kept": "200.00 kr. of 300.00 kr.",
        "Given back": "100.00 kr. 20 of 30 days at 300.00 kr. a month = 200.00 kr.; 100.00 kr. back.",
        "Can it be regretted?": "Yes, until 21 November 2026 at 00:00 Taken back before then, it is as if nothing had "
        "happened; so long it can be moved as well.",
    }
    await keep(page, "timeline-ending")
    await without_findings(page)


async def test_a_subscription_that_has_ended_answers_in_danish(stage: Stage, page: Page) -> None:
    await stage.play(titled("a week without a clock"))
    await page.goto(stage.url("/timeline", subscription="S1", lang="da"))
    assert await answers(page) == {
        "headline": "Ophørt 21. november 2026",
        "Sidste aktive dag": "fredag 20. november 2026",
        "Beholdt": "200,00 kr. af 300,00 kr.",
        "Givet tilbage": "100,00 kr. 20 af 30 dage til 300,00 kr. pr. måned = 200,00 kr.; du får 100,00 kr. tilbage.",
        "Kan det fortrydes?": "Nej, det er ophørt Det kunne fortrydes indtil 21. november 2026 kl. 00.00.",
    }
    assert await page.locator("html").get_attribute("lang") == "da"
    await expect(page.locator("#preview")).to_contain_text("Afvist. Intet er ændret: abonnementet er allerede ophørt.")
    await keep(page, "timeline-ended-danish")
    await without_findings(page)


async def test_a_cancellation_taken_back_answers_that_nothing_is_left_of_it(stage: Stage, page: Page) -> None:
    await stage.play(titled("regretted two days later"))
    await page.goto(stage.url("/timeline", subscription="S1"))
    shown = await answers(page)
    assert shown["headline"] == "Runs on No end date"
    assert shown["Kept"] == "300.00 kr. of 300.00 kr."
    assert shown["Given back"].startswith("Nothing")
    assert shown["Given back"].endswith(
        "You keep the subscription: the price is 300.00 kr.; 100.00 kr. was credited earlier; "
        "100.00 kr. is charged again."
    )
    assert shown["Can it be regretted?"] == "There is nothing to regret"
    assert "Last active day" not in shown
    await expect(page.get_by_text("the cancellation was taken back")).to_be_visible()
    await keep(page, "timeline-regretted")
    await without_findings(page)


async def test_a_month_that_is_only_planned_says_what_is_left_of_it(stage: Stage, page: Page) -> None:
    await stage.play(titled("a month that is only planned"))
    await page.goto(stage.url("/timeline", subscription="S1"))
    assert await answers(page) == {
        "headline": "Ends 11 December 2026",
        "Last active day": "Thursday 10 December 2026",
        "Kept": "Everything that is billed December 2026: 100.00 kr. of 310.00 kr.",
        "Given back": "Nothing",
        "Can it be regretted?": "Yes, until 11 December 2026 at 00:00 Taken back before then, it is as if nothing had "
        "happened; so long it can be moved as well.",
    }


async def test_a_period_that_is_kept_whole_says_what_comes_back_all_the_same(stage: Stage, page: Page) -> None:
    await stage.play(titled("the period that has begun is kept whole"))
    await page.goto(stage.url("/timeline", subscription="S1"))
    assert await answers(page) == {
        "headline": "Ends 21 November 2026",
        "Last active day": "Friday 20 November 2026",
        "Kept": "300.00 kr. of 600.00 kr.",
        "Given back": "300.00 kr. December 2026 is not charged: 300.00 kr. less to pay.",
        "Can it be regretted?": "Yes, until 21 November 2026 at 00:00 Taken back before then, it is as if nothing had "
        "happened; so long it can be moved as well.",
    }


async def test_a_search_finds_by_what_a_subscription_or_a_customer_begins_with(november: Stage, page: Page) -> None:
    await november.play(titled("regretted two days later"), "S2", "K-7")
    november.at("2026-11-15 10:00")
    await page.goto(november.url())
    await page.get_by_label("Subscription or customer").press_sequentially("K-")
    await expect(page.get_by_text("2 found")).to_be_visible()
    await keep(page, "search")
    await without_findings(page)
    await page.get_by_label("Subscription or customer").fill("S1")
    await expect(page.get_by_text("1 found")).to_be_visible()
    await expect(page.locator(".hit")).to_contain_text("Ends 21 November 2026")
    await page.locator(".hit").click()
    await expect(page.locator("h1")).to_contain_text("21 November 2026")


async def test_what_is_found_is_leafed_through(november: Stage, page: Page) -> None:
    await november.pool.execute(
        "insert into subscription (tenant_id, subscription_id, customer_id, state, updated_at)"
        " select tenant_id, 'S1' || to_char(n, 'FM000'), customer_id, state, updated_at"
        " from subscription, generate_series(1, 45) n"
    )
    await page.goto(november.url(lang="en"))
    await page.get_by_label("Subscription or customer").press_sequentially("K-")
    await expect(page.get_by_text("20 shown; there are more.")).to_be_visible()
    await page.get_by_role("link", name="The next ones").click()
    await expect(page.locator(".hit strong").first).to_have_text("S1020")
    await without_findings(page)
    await page.get_by_role("link", name="The next ones").click()
    await expect(page.locator(".hit strong")).to_have_text([f"S10{n}" for n in range(40, 46)])
    await expect(page.get_by_role("link", name="The next ones")).to_have_count(0)
    await keep(page, "search-paged")
    await page.get_by_role("link", name="From the first one").click()
    await expect(page.locator(".hit strong").first).to_have_text("S1")


async def test_the_keyboard_alone_leads_from_the_search_to_the_event(november: Stage, page: Page) -> None:
    await page.goto(november.url())
    await page.keyboard.type("S1")
    await expect(page.get_by_text("1 found")).to_be_visible()
    await _tab_to(page, "a.hit")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text("21 November 2026")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await _tab_to(page, "#option-immediately summary")
    await page.keyboard.press("Enter")
    await expect(page.locator("#event-immediately")).to_be_visible()
    await _tab_to(page, "#option-immediately button.copy")
    await expect(page.locator("#option-immediately button.copy")).to_be_focused()


async def _tab_to(page: Page, selector: str) -> None:
    """Presses Tab until an element has the focus; it is visible where that is."""
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await page.locator(selector).first.evaluate("element => element === document.activeElement"):
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    pytest.fail(f"Tab does not lead to {selector}")


async def test_the_preview_lays_every_end_side_by_side_with_its_event(november: Stage, page: Page) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(november.url("/timeline", subscription="S1"))
    await page.get_by_label("End date as well").fill("2026-11-26")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("#option-on-date")).to_contain_text("25 Nov 2026")
    rows = {}
    for option in await page.locator("table.options tbody").all():
        cells = await option.locator("tr").first.locator("th, td").all_inner_texts()
        rows[cells[0]] = [" ".join(cell.split()) for cell in cells[1:6]]
    again = "−100.00 kr. charged again"
    assert rows == {
        "At once": [
            "14 Nov 2026",
            "13 Nov 2026 access until 13 Nov 2026 10:00",
            "130.00 kr.",
            "70.00 kr.",
            "70.00 kr.",
        ],
        "With the period": ["1 Dec 2026", "30 Nov 2026", "300.00 kr.", again, "–"],
        "When what is invoiced runs out": ["1 Dec 2026", "30 Nov 2026", "300.00 kr.", again, "–"],
        "When the binding is over": ["1 Dec 2026", "30 Nov 2026", "300.00 kr.", again, "–"],
        "As early as the terms allow": ["14 Nov 2026", "13 Nov 2026", "130.00 kr.", "70.00 kr.", "70.00 kr."],
        "On the date": ["26 Nov 2026", "25 Nov 2026", "250.00 kr.", "−50.00 kr. charged again", "–"],
    }
    await page.locator("#option-on-date summary").click()
    await page.locator("#option-on-date").get_by_role("button", name="Copy").click()
    await expect(page.locator("#option-on-date").get_by_role("button", name="Copied")).to_be_visible()
    copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert (copied["topic"], copied["key"]) == ("cancellation-requested", "S1")
    headers = [(name, value.encode()) for name, value in copied["headers"].items()]
    envelope = decode(Incoming(copied["topic"], 0, 0, 0, b"S1", json.dumps(copied["value"]).encode(), headers))
    assert (envelope.type, envelope.time, envelope.raw) == (
        "cancellation-requested",
        november.now,
        b'{"end":{"date":"2026-11-26","mode":"on-date"},"subscription_id":"S1","tenant_id":"default"}',
    )
    await keep(page, "preview")
    await without_findings(page)


async def test_the_language_is_switched_where_one_is(november: Stage, page: Page) -> None:
    await page.goto(november.url("/timeline", subscription="S1", date="2026-11-26"))
    await page.get_by_role("link", name="Dansk").click()
    await expect(page.locator("h1")).to_have_text("Ophører 21. november 2026", use_inner_text=True)
    await expect(page.locator("#option-on-date")).to_contain_text("26. nov. 2026")
    await page.get_by_role("link", name="Abonnementer").click()
    await expect(page.get_by_role("heading", name="Find et abonnement")).to_be_visible()
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_role("heading", name="Find a subscription")).to_be_visible()


async def test_a_browser_set_to_danish_gets_danish(november: Stage, browser: Browser) -> None:
    page = await browser.new_page(locale="da-DK")
    await page.goto(november.url())
    await expect(page.get_by_role("heading", name="Find et abonnement")).to_be_visible()
    await page.close()


@pytest.mark.parametrize("language", ["en", "da"])
async def test_a_phone_shows_all_of_it_without_scrolling_sideways(november: Stage, page: Page, language: str) -> None:
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    for name, address in {
        "search": november.url(q="K", lang=language),
        "timeline": november.url("/timeline", subscription="S1", lang=language, date="2026-11-26"),
    }.items():
        await page.goto(address)
        await keep(page, f"phone-{name}-{language}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await without_findings(page)
    box = await page.locator("h1").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < PHONE["height"] / 2, "the end date is not what one sees first"


async def test_it_reads_in_the_dark_and_on_paper(november: Stage, page: Page) -> None:
    await page.emulate_media(color_scheme="dark")
    await page.goto(november.url("/timeline", subscription="S1"))
    await keep(page, "timeline-dark")
    await without_findings(page)
    await page.emulate_media(media="print", color_scheme="light")
    await keep(page, "timeline-print")
    await expect(page.locator(".headline")).to_be_visible()
    await expect(page.locator("nav")).to_be_hidden()


async def test_it_works_without_scripts(november: Stage, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(november.url())
    await page.get_by_label("Subscription or customer").fill("K-7")
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("link", name="S1").click()
    await expect(page.locator("h1")).to_contain_text("21 November 2026")
    await page.get_by_label("End date as well").fill("2026-11-26")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("#option-on-date")).to_contain_text("250.00 kr.")
    await context.close()


async def test_a_screen_reader_hears_the_picture_in_words(november: Stage, page: Page) -> None:
    await page.goto(november.url("/timeline", subscription="S1"))
    picture = page.get_by_role("img", name="The life of the subscription: ends 21 November 2026")
    await expect(picture).to_have_count(1)
    heard = await page.locator(".life.wide desc").text_content()
    assert heard is not None
    assert "November 2026: shortened, ends 21 November 2026 (20 of 30 days)." in heard
    assert "December 2026: stopped." in heard


def five_years() -> Story:
    """Sixty months at 300.00 kr., dearer from the third year on, one paused; then an end that is three years away."""
    months = [f"{2021 + number // 12}-{number % 12 + 1:02}-01" for number in range(61)]
    invoices = [
        issued(
            f"{start} 08:00", f"INV-{number}", charge(f"C{number}", start, until, "300.00" if number < 36 else "360.00")
        )
        for number, (start, until) in enumerate(pairwise(months))
    ]
    dearer, pause = (
        priced("2023-11-01 08:00", "2024-01-01", "360.00"),
        paused("2025-09-01 08:00", "2025-11-10", "2025-11-20"),
    )
    events = sorted([started("2021-01-01"), *invoices, dearer, pause], key=lambda event: event.at)
    return Story(
        "five years", "", (*events, cancel("2025-12-12 09:00", on("2028-12-11"))), Expected("ending", None, None, {})
    )


@pytest.mark.parametrize("width", [1200, 360])
async def test_of_a_long_life_what_is_near_is_drawn_and_the_rest_is_listed(
    stage: Stage, page: Page, width: int
) -> None:
    await stage.play(five_years())
    stage.at("2025-12-13 10:00")
    await page.set_viewport_size({"width": width, "height": 740})
    await page.goto(stage.url("/timeline", subscription="S1"))
    await expect(page.locator("figcaption:visible")).to_contain_text("earlier periods are in the list below")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await keep(page, f"timeline-long-{width}")
    await without_findings(page)


async def test_a_pause_is_drawn_where_it_takes_days(stage: Stage, page: Page) -> None:
    await stage.play(titled("a pause that reaches past the end"))
    await page.goto(stage.url("/timeline", subscription="S1"))
    await expect(page.locator(".bar.pause").first).to_be_visible()
    await keep(page, "timeline-paused")
    await without_findings(page)
