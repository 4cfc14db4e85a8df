"""The routes of the pages and of the API, and how they answer when the database does not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Any, get_args
from urllib.parse import urlencode

import asyncpg
import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from service.domain.outcomes import RefusalCode
from service.domain.policy import Language
from service.metrics import AGES, REASONS, WAITS
from service.ops.watching import Watch
from service.settings import Settings, Topics
from service.web import view
from service.web.api import api
from service.web.caller import Caller
from service.web.contract import Contract, contract
from service.web.operations import Operations
from service.web.picture import days_of
from service.web.reading import Reader, Shown
from service.web.wording import LABELS
from service.web.writing import Writer

log = structlog.get_logger(__name__)

OUTAGES: tuple[type[Exception], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_LANGUAGES: tuple[Language, ...] = get_args(Language)


def site(
    pool: asyncpg.Pool, settings: Settings, topics: Topics, clock: Callable[[], datetime], watch: Watch
) -> ASGIApp:
    """Everything under `/` but the probes and the metrics; each request comes with its caller."""
    reader = Reader(pool, settings, clock)
    pages = _Pages(reader, topics, Operations(watch))
    with suppress(FileNotFoundError):
        contract()  # takes its time, which no reader is to wait for
    return Starlette(
        routes=[
            Route("/", requires("reader")(pages.search)),
            Route("/timeline", requires("reader")(pages.timeline)),
            Route("/operations", requires("operator")(pages.operations)),
            Route("/operations/events", requires("operator")(pages.operations_events)),
            Route("/asyncapi", pages.contract),
            Route("/asyncapi/messages/{name}", pages.message),
            Route("/asyncapi/{path:path}", pages.contract_file),
            Mount("/api", api(reader, topics, OUTAGES)),
            Mount("/static", _Static(packages=[("service.web", "static")])),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=1000)],
        exception_handlers={
            HTTPException: pages.refused,
            Exception: pages.failed,
            **dict.fromkeys(OUTAGES, pages.unavailable),
        },
    )


class _Static(StaticFiles):
    """Files that may be kept for an hour; their address changes with what is in them."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:  # noqa: ANN401  passed on as they are
        response = super().file_response(*arguments, **named)
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response


class _Pages:
    """The pages in the reader's language, whole or, where a script asks, the part of them that it replaces."""

    def __init__(self, reader: Reader, topics: Topics, operations: Operations) -> None:
        self._reader, self._topics, self._operations = reader, topics, operations
        self._templates = _templates()

    async def search(self, request: Request) -> Response:
        """A form, and what was found."""
        text, tenant, after = _parameter(request, "q").strip(), _tenant(request), _parameter(request, "after")
        hits = await self._reader.search(request.user, tenant, text, after) if text else None
        part = "found.html" if request.headers.get("HX-Request") else "search.html"
        return self._page(request, part, text=text, tenant=tenant, hits=hits, after=after)

    async def timeline(self, request: Request) -> Response:
        """A subscription's timeline with its preview."""
        key = (_tenant(request), _parameter(request, "subscription"))
        day, bad_day = _day(_parameter(request, "date"))
        found = await self._reader.show(request.user, key, day)
        if found is None:
            return self._page(request, "missing.html", status=404, key=key)
        write, part = _writer(request), bool(request.headers.get("HX-Request"))
        told = self._options(found, write, key=key, day=day, bad_day=bad_day)
        if part:
            return self._page(request, "preview.html", **told)
        return self._page(
            request,
            "timeline.html",
            **told,
            view=view.page(found, write),
            entry_text=view.entry_text,
            days_of=days_of,
        )

    async def operations(self, request: Request) -> Response:
        """What operations look at: empty, and filled by what comes after."""
        write = _writer(request)
        return self._page(
            request,
            "operations.html",
            ages=[(age, write(f"operations/open/{age}")) for age in AGES],
            waits=[(what, what) for what in WAITS],
            reasons=[(reason, reason) for reason in REASONS],
            codes=[(code, code) for code in get_args(RefusalCode)],
        )

    async def operations_events(self, request: Request) -> Response:  # noqa: ARG002  whose caller is looked at
        """What fills it, for as long as somebody looks."""
        return self._operations.stream()

    async def contract(self, request: Request) -> Response:
        """The topics and what goes over them."""
        return self._page(request, "contract.html", contract=_contract())

    async def message(self, request: Request) -> Response:
        """One message, field by field, with its examples."""
        found = _contract().messages.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return self._page(request, "message.html", message=found)

    async def contract_file(self, request: Request) -> Response:
        """The document for machines, and the schemas that it refers to."""
        path = request.path_params["path"]
        text = _contract().files.get(path)
        if text is None:
            raise HTTPException(404)
        media_type = "application/yaml" if path.endswith(".yaml") else "application/schema+json"
        return Response(text, media_type=media_type)

    async def refused(self, request: Request, error: Exception) -> Response:
        """What there is no page for."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        title = "not-yours" if status == HTTPStatus.FORBIDDEN else "no-page"
        return self._page(request, "problem.html", status=status, title_key=title, text_key=None)

    async def unavailable(self, request: Request, error: Exception) -> Response:
        """What cannot be read just now."""
        log.warning("page-unavailable", path=request.url.path, error=f"{type(error).__name__}: {error}")
        page = self._page(request, "problem.html", status=503, title_key="unavailable", text_key="unavailable/text")
        page.headers["Retry-After"] = "5"
        return page

    async def failed(self, request: Request, error: Exception) -> Response:
        """What a bug of ours keeps from being shown."""
        log.error("page-failed", path=request.url.path, exc_info=error)
        return self._page(request, "problem.html", status=500, title_key="failed", text_key="failed/text")

    def _options(self, found: Shown, write: Writer, **given: Any) -> dict[str, Any]:  # noqa: ANN401  for a template
        agreement, previewed = found.timeline.subscription.agreement, found.previewed
        told = () if previewed is None else view.options(previewed, self._topics, found.now, write.language)
        return {
            "currency": agreement.currency,
            "zone": agreement.time_zone,
            "ending": found.timeline.end is not None,
            "options": told,
            **given,
        }

    def _page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:  # noqa: ANN401
        write = _writer(request)
        text = self._templates.get_template(template).render(
            **values,
            write=write,
            operator="operator" in request.user.roles,
            languages=[
                (language, LABELS[language]["language"], _address(request, lang=language)) for language in _LANGUAGES
            ],
            address=lambda path, **query: f"{path}?{urlencode({**query, 'lang': write.language})}",
        )
        return HTMLResponse(text, status, headers={"Vary": "Accept-Language, HX-Request"})


def _contract() -> Contract:
    try:
        return contract()
    except FileNotFoundError as error:
        raise HTTPException(404) from error


@cache
def _templates() -> Environment:
    """The templates, compiled now: no reader waits for it, and a mistake in one is found at the start."""
    environment = Environment(
        loader=PackageLoader("service.web"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = {
        name: _versioned(name)
        for name in (
            *("page.css", "page.js", "htmx.min.js", "icon.svg"),
            *("operations.js", "uplot.min.js", "uplot.min.css"),
        )
    }
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


def _writer(request: Request) -> Writer:
    """The language asked for, else the first of the reader's own that there is, else English."""
    accepted = [part.split(";")[0].strip()[:2] for part in request.headers.get("Accept-Language", "").split(",")]
    for wanted in (_parameter(request, "lang"), *accepted):
        for language in _LANGUAGES:
            if wanted.lower() == language:
                return Writer(language)
    return Writer("en")


def _tenant(request: Request) -> str:
    caller: Caller = request.user
    return _parameter(request, "tenant") or caller.first_tenant


def _parameter(request: Request, name: str) -> str:
    return request.query_params.get(name, "")


def _day(text: str) -> tuple[date | None, str | None]:
    """The date that somebody wrote, or what they wrote where it is none."""
    if not text:
        return None, None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None, text
    return (day, None) if 1900 <= day.year < 2200 else (None, text)  # noqa: PLR2004  as on the wire


def _address(request: Request, **changed: str) -> str:
    return f"{request.url.path}?{urlencode({**request.query_params, **changed})}"


def _versioned(name: str) -> str:
    content = (files("service.web") / "static" / name).read_bytes()
    return f"/static/{name}?{sha256(content).hexdigest()[:12]}"
