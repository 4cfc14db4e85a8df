"""Who is let in to pages, API and metrics, what they then see, and what everybody else is told."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import asyncpg
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from playwright.async_api import Browser

from service.local import Servers
from service.settings import Settings, SettingsError
from service.store.roles import Roles
from service.web.caller import Caller
from service.web.door import Door
from tests.conftest import Running, cloned, service, signed_in
from tests.flow.conftest import command_line
from tests.kafka import client
from tests.security.attempts import attempts
from tests.security.conftest import Estate
from tests.security.issuer import AUDIENCE, Issuer, issuing
from tests.web.conftest import browser
from tests.web.stage import Answer, Stage, staged, titled

__all__ = ["browser"]

TOKEN = secrets.token_hex(32)
OTHERS_KEY = rsa.generate_private_key(65537, 2048)
ATTEMPTS = attempts("7-http")
OPENINGS = attempts("6-door")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as answering:
        yield answering


@pytest.fixture(scope="module")
async def site(embedded: Servers, template: str, roles: Roles, issuer: Issuer) -> AsyncIterator[Stage]:
    """A site behind a token and an issuer, read by the reader's own user; a life of tenant A and one of tenant B."""
    async with cloned(embedded.postgres, template) as url, asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        reader = signed_in(url, roles.reader)
        who = {"http_token": TOKEN, "oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
        async with (
            asyncpg.create_pool(reader, min_size=0, max_size=1) as reading,
            staged(pool, reading, **who) as stage,
        ):
            for tenant in ("A", "B"):
                await stage.play(titled("a price change after the end"), f"{tenant}1", f"of {tenant}", tenant)
            yield stage


def changed(token: str) -> str:
    """The same signature under other claims."""
    head, _, signature = token.split(".")
    claims = {**jwt.decode(token, options={"verify_signature": False}), "tenants": ["B"]}
    return ".".join((head, jwt.encode(claims, "k" * 32).split(".")[1], signature))


def basic(password: str) -> str:
    return f"Basic {base64.b64encode(f'anna:{password}'.encode()).decode()}"


def days(number: float) -> int:
    return int(time.time() + number * 86400)


BEARERS: dict[str, Callable[[Issuer], str]] = {
    "wrong": lambda _: secrets.token_hex(32),
    "expired": lambda issuer: issuer.token(exp=days(-0.001)),
    "early": lambda issuer: issuer.token(nbf=days(1)),
    "audience": lambda issuer: issuer.token(aud="invoicing"),
    "issuer": lambda issuer: issuer.token(iss="https://elsewhere.example"),
    "unsigned": lambda issuer: issuer.token(key="", algorithm="none"),
    "confused": lambda issuer: issuer.confused(),
    "other-algorithm": lambda issuer: issuer.token(algorithm="RS512"),
    "forged": lambda issuer: issuer.token(key=OTHERS_KEY),
    "own-key": lambda issuer: issuer.token(key=OTHERS_KEY, head={"jwk": jwk(), "jku": f"{issuer.url}/theirs"}),
    "changed": lambda issuer: changed(issuer.token()),
    "unknown-key": lambda issuer: issuer.token(key=OTHERS_KEY, head={"kid": "theirs"}),
    "for-ever": lambda issuer: issuer.token(exp=None),
}
"""Tokens that are no good, each asking for the subscription that its like may see."""
ASKED: dict[str, tuple[dict[str, Any], str, dict[str, str]]] = {
    "no-role": ({"roles": []}, "/timeline", {"subscription": "A1", "tenant": "A"}),
    "operator-reads": ({"roles": "operator"}, "/timeline", {"subscription": "A1", "tenant": "A"}),
    "reader-operates": ({}, "/operations", {}),
    "reader-streams": ({}, "/operations/events", {}),
    "reader-measures": ({}, "/metrics", {}),
    "other-subscription": ({}, "/timeline", {"subscription": "B1", "tenant": "B"}),
    "other-timeline": ({}, "/api/timeline", {"subscription_id": "B1", "tenant_id": "B"}),
    "other-preview": ({}, "/api/preview", {"subscription_id": "B1", "tenant_id": "B"}),
    "other-search": ({}, "/", {"q": "B", "tenant": "B"}),
    "no-tenant": ({"tenants": None}, "/timeline", {"subscription": "A1", "tenant": "A"}),
}
"""What good tokens with these claims ask for in vain."""
HEADERS = {"nothing": "", "wrong-password": basic("wrong"), "no-basic": "Basic nonsense"}


def jwk() -> dict[str, Any]:
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(OTHERS_KEY.public_key(), as_dict=True), "kid": "first"}


def said(answer: Answer) -> str:
    """The status, and the sentence that says why."""
    if answer.headers["Content-Type"] == "application/json":
        return f"{answer.status} {answer.json['detail']}"
    for pattern in (r"<h1[^>]*>(Y[^<]+|There[^<]+)</h1>", r"(Nothing found)", r"\A(.*?)\n?\Z"):
        if found := re.search(pattern, unescape(answer.text)):
            return f"{answer.status} {found[1]}"
    return str(answer.status)


def test_every_attempt_that_is_told_of_is_made() -> None:
    assert {*BEARERS, *ASKED, *HEADERS, "too-often", "rebound", "inline"} == ATTEMPTS.keys()
    assert OPEN.keys() == OPENINGS.keys()


@pytest.mark.parametrize("name", HEADERS)
async def test_without_a_token_nobody_comes_in(site: Stage, name: str) -> None:
    answer = await site.ask("/timeline", authorization=HEADERS[name], subscription="A1", tenant="A")
    assert said(answer) == ATTEMPTS[name].refusal
    assert answer.headers.get_all("WWW-Authenticate") == ['Bearer realm="cancellation"', 'Basic realm="cancellation"']
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("name", BEARERS)
async def test_no_other_token_is_taken_than_one_that_the_issuer_made_for_this(
    site: Stage, issuer: Issuer, name: str
) -> None:
    token = BEARERS[name](issuer)
    answer = await site.ask("/timeline", authorization=f"Bearer {token}", subscription="A1", tenant="A")
    assert said(answer) == ATTEMPTS[name].refusal


@pytest.mark.parametrize("name", ASKED)
async def test_a_caller_sees_what_the_token_says_and_nothing_else(site: Stage, issuer: Issuer, name: str) -> None:
    claims, path, query = ASKED[name]
    answer = await site.ask(path, authorization=f"Bearer {issuer.token(**claims)}", **query)
    assert said(answer) == ATTEMPTS[name].refusal
    assert "of B" not in answer.text


async def test_a_token_of_the_issuer_opens_its_tenants(site: Stage, issuer: Issuer) -> None:
    bearer = f"Bearer {issuer.token(tenants=['A', 'C'])}"
    assert "of A" in (await site.ask("/timeline", authorization=bearer, subscription="A1", tenant="A")).text
    found = (await site.ask("/api/subscriptions", authorization=bearer, q="A")).json
    assert [each["subscription_id"] for each in found["subscriptions"]] == ["A1"]  # A is the first of theirs
    assert "/operations" not in (await site.ask("/", authorization=bearer)).text
    operator = f"Bearer {issuer.token(roles=['operator'], tenants=None)}"
    assert (await site.ask("/metrics", authorization=operator)).status == 200
    assert (await site.ask("/operations", authorization=operator)).status == 200


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", basic(TOKEN)], ids=["as a bearer", "as a password"])
async def test_the_token_opens_everything(site: Stage, header: str) -> None:
    for tenant in ("A", "B"):
        page = await site.ask("/timeline", authorization=header, subscription=f"{tenant}1", tenant=tenant)
        assert f"of {tenant}" in page.text
    for path in ("/", "/metrics", "/operations", "/api/openapi.json", "/static/page.css"):
        assert (await site.ask(path, authorization=header)).status == 200


async def test_probes_need_no_token_and_say_nothing_of_anybody(site: Stage) -> None:
    assert (await site.ask("/livez")).json == {"status": "live"}
    assert (await site.ask("/readyz")).json == {"status": "not ready", "missing": ["assignment", "relay"]}
    for path in ("/", "/timeline", "/operations", "/metrics", "/api/openapi.json", "/static/page.css", "/nowhere"):
        assert (await site.ask(path)).status == 401


async def test_where_the_service_forgets_to_look_whose_it_is_the_database_does_not(
    site: Stage, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Caller, "sees", lambda *_: True)
    bearer = f"Bearer {issuer.token()}"
    assert (await site.ask("/timeline", authorization=bearer, subscription="A1", tenant="A")).status == 200
    assert (await site.ask("/timeline", authorization=bearer, subscription="B1", tenant="B")).status == 404
    assert "Nothing found" in (await site.ask("/", authorization=bearer, q="B", tenant="B")).text


async def test_a_new_key_of_the_issuer_counts_and_an_old_one_counts_no_more(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.web.issuer._KEYS_REST_SECONDS", 0)
    with issuing() as issuer:
        async with staged(pool, oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as site:
            before = f"Bearer {issuer.token()}"
            assert (await site.ask(authorization=before)).status == 200
            issuer.rotate("second", algorithm="ES256")
            assert (await site.ask(authorization=f"Bearer {issuer.token(algorithm='ES256')}")).status == 200
            assert said(await site.ask(authorization=before)) == ATTEMPTS["unknown-key"].refusal


async def test_however_many_unknown_keys_are_named_the_issuer_is_asked_once(pool: asyncpg.Pool) -> None:
    with issuing() as issuer:
        async with staged(pool, oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as site:
            for number in range(20):
                token = issuer.token(key=OTHERS_KEY, head={"kid": f"theirs {number}"})
                assert (await site.ask(authorization=f"Bearer {token}")).status == 401
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_while_the_issuer_is_away_a_token_is_neither_taken_nor_refused(
    pool: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    with issuing() as issuer:
        async with staged(pool, http_token=TOKEN, oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as site:
            bearer = f"Bearer {issuer.token()}"
            issuer.away = True
            answer = await site.ask(authorization=bearer)
            assert said(answer) == "503 The issuer of tokens does not answer; try again."
            assert answer.headers["Retry-After"] == "5"
            assert (await site.ask(authorization=f"Bearer {TOKEN}")).status == 200
            issuer.away = False
            assert (await site.ask(authorization=bearer)).status == 200
            issuer.away = True  # its keys are known by now
            assert (await site.ask(authorization=bearer)).status == 200
    log = capsys.readouterr().out
    assert "issuer-away" in log
    assert bearer.split()[1] not in log


async def test_a_token_in_a_file_is_changed_without_a_restart(pool: asyncpg.Pool, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    async with staged(pool, http_token_file=file) as site:
        assert (await site.ask(authorization=f"Bearer {TOKEN}")).status == 200
        file.unlink()
        assert (await site.ask(authorization=f"Bearer {TOKEN}")).status == 503
        file.write_text("another token, just as long\n")
        assert said(await site.ask(authorization=f"Bearer {TOKEN}")) == "401 That token is not taken."
        assert (await site.ask(authorization="Bearer another token, just as long")).status == 200


async def test_who_asks_too_often_waits_and_nobody_else_does(pool: asyncpg.Pool) -> None:
    with issuing() as issuer:
        async with staged(pool, oidc_issuer=issuer.url, oidc_audience=AUDIENCE, http_rate_limit="5/hour") as site:
            anna, bent = (f"Bearer {issuer.token(sub=name)}" for name in ("anna", "bent"))
            answers = [await site.ask(authorization=anna) for _ in range(6)]
            assert [answer.status for answer in answers] == [200] * 5 + [429]
            assert said(answers[-1]) == ATTEMPTS["too-often"].refusal
            assert 0 < int(answers[-1].headers["Retry-After"]) <= 3600
            assert (await site.ask(authorization=bent)).status == 200
            assert [(await site.ask()).status for _ in range(6)] == [401] * 5 + [429]
            assert (await site.ask("/api/timeline", authorization=anna)).json[
                "detail"
            ] == "that was too often; wait a little"
            assert (await site.ask("/livez")).status == 200


async def test_without_a_token_only_names_of_this_machine_are_answered(pool: asyncpg.Pool) -> None:
    """A page of somebody's whose name is made to point here must not read what is here."""
    async with staged(pool) as site:
        host, _, port = site.address.removeprefix("http://").partition(":")
        found = {}
        for name in ("localhost", f"127.0.0.1:{port}", "[::1]", "evil.example", "127.0.0.1.evil.example", "[", ""):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = (await reader.read()).decode()
            found[name] = f"{answer.split()[1]} {answer.splitlines()[-1]}"
            writer.close()
            await writer.wait_closed()
    ours, others = list(found.values())[:3], list(found.values())[3:]
    assert [answer[:3] for answer in ours] == ["200"] * 3
    assert others == [ATTEMPTS["rebound"].refusal] * 4


OPEN = {
    "open": {"HTTP_BIND": "0.0.0.0:8080"},
    "open-to-all": {"HTTP_BIND": ":8080"},
    "short": {"HTTP_TOKEN": "guess me"},
    "overheard": {"OIDC_ISSUER": "http://issuer.example", "OIDC_AUDIENCE": "cancellation"},
    "any-audience": {"OIDC_ISSUER": "https://issuer.example"},
    "limit": {"HTTP_RATE_LIMIT": "often"},
}


@pytest.mark.parametrize("name", OPENINGS)
def test_a_door_left_open_is_not_opened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in OPEN[name].items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        Door.of(Settings())
    assert str(refused.value) == OPENINGS[name].refusal


def test_the_service_ends_at_once_with_that_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_BIND", "0.0.0.0:8080")
    code, out, err = command_line("postgresql://127.0.0.1:1/none", "run")
    assert (code, out, err) == (1, "", f"{OPENINGS['open'].refusal}\n")


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "localhost:0", "127.1.2.3:0"])
def test_a_door_on_this_machine_may_stand_open(bind: str) -> None:
    assert Door.of(Settings(http_bind=bind)).token is None


def test_a_door_to_everywhere_opens_with_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    assert Door.of(Settings(http_bind="0.0.0.0:0", http_token_file=tmp_path / "token")).token is not None


async def test_tenants_without_a_reader_of_their_own_are_told_of_in_the_log(
    pool: asyncpg.Pool, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with staged(pool, oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as site:
        for _ in range(2):
            assert (await site.ask(authorization=f"Bearer {issuer.token()}", q="A")).status == 200
    assert capsys.readouterr().out.count("rows-unguarded") == 1


async def test_a_reader_who_is_not_let_in_keeps_pages_from_being_shown_and_nothing_else(
    pool: asyncpg.Pool, users: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = users["reader"].replace("@", "-and-wrong@")
    async with asyncpg.create_pool(url, min_size=0, max_size=1) as reading, staged(pool, reading) as site:
        for path, query in {"/": {"q": "S"}, "/api/timeline": {"subscription_id": "S1"}}.items():
            assert (await site.ask(path, **query)).status == 503
        assert (await site.ask("/readyz")).json["missing"] == ["assignment", "relay"]
    log = capsys.readouterr().out
    assert log.count("page-unavailable") == 2
    assert "password authentication failed for user" in log
    assert "-and-wrong" not in log


async def test_a_person_signs_in_with_a_browser_and_no_inline_script_runs(site: Stage, browser: Browser) -> None:
    context = await browser.new_context(http_credentials={"username": "anna", "password": TOKEN}, locale="en-GB")
    page = await context.new_page()
    await page.goto(site.url("/timeline", subscription="A1", tenant="A"))
    assert "of A" in await page.inner_text("main")
    found = await page.evaluate(
        """async () => {
            const blocked = [];
            document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            const elsewhere = document.createElement("script");
            elsewhere.src = "https://evil.example/script.js";
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.body.append(script, elsewhere, style);
            document.body.insertAdjacentHTML("beforeend", '<img src="/static/none" onerror="window.ran = true">');
            while (blocked.length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
            return [window.ran ?? false, getComputedStyle(document.body).display, blocked.sort()];
        }"""
    )
    await context.close()
    ran, shown, blocked = found
    assert (ran, shown, ", ".join(blocked)) == (False, "block", ATTEMPTS["inline"].refusal)


async def test_a_worker_of_the_least_rights_decides_and_shows(
    embedded: Servers, template: str, roles: Roles, tmp_path: Path
) -> None:
    """The real process: as the service, with a reader of its own, behind a token, on every address."""
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "password").write_text(f"{roles.reader}\n")
    async with cloned(embedded.postgres, template) as url:
        environment = {
            "DATABASE_URL": signed_in(url, roles.service),
            "DATABASE_READER_URL": signed_in(url, roles.reader).replace(f":{roles.reader}@", "@"),
            "DATABASE_READER_PASSWORD_FILE": str(tmp_path / "password"),
            "HTTP_BIND": "0.0.0.0:0",
            "HTTP_TOKEN_FILE": str(tmp_path / "token"),
        }
        async with service(embedded, template, environment) as running:
            await sent(running)
            address = running.http.replace("0.0.0.0", "127.0.0.1")  # noqa: S104  what it says it is bound to
            async with asyncpg.create_pool(url, min_size=0) as pool:
                site = Stage(pool, address)
                page = await site.ask("/timeline", authorization=f"Bearer {TOKEN}", subscription="seen")
                assert "21 November 2026" in page.text
                assert (await site.ask("/timeline", subscription="seen")).status == 401
                assert (await site.ask("/readyz")).status == 200
        assert TOKEN not in "".join(running.log)


async def test_a_worker_that_may_not_migrate_says_so_and_waits(estate: Estate, roles: Roles) -> None:
    url = estate.of(roles.service)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "run"),
        env={**os.environ, "DATABASE_URL": url, "HTTP_BIND": "127.0.0.1:0"},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(30):
        told = json.loads(await process.stderr.readline())
        process.terminate()
        await process.communicate()
    assert (told["event"], told["what"]) == ("retrying", "migrations")
    assert f"the user {roles.service} may not change it" in told["error"]


async def sent(running: Running) -> None:
    """A subscription and its cancellation, decided and published."""
    async with client(running.kafka, running.topics) as kafka:
        activated = {
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
            "subscription-lifecycle", "subscription-activated", "1", activated, time="2026-11-01T00:00:00Z"
        )
        wish = {"subscription_id": "seen", "end": {"mode": "on-date", "date": "2026-11-21"}}
        await kafka.send("cancellation-requested", "cancellation-requested", "2", wish, time="2026-11-12T09:00:00Z")
        await kafka.until(lambda _: any(outcome.type == "cancellation-scheduled" for outcome in kafka.of("seen")))
