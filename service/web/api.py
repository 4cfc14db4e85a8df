"""The pages as JSON, with their OpenAPI document."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, TypeAlias

import structlog
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer

from service.domain.policy import Language
from service.settings import Topics
from service.web.caller import Caller
from service.web.documents import (
    PreviewDocument,
    Problem,
    SearchDocument,
    TimelineDocument,
    preview_document,
    search_document,
    timeline_document,
)
from service.web.reading import Reader, Shown
from service.web.view import options

log = structlog.get_logger(__name__)

_LONGEST = 255
Responses: TypeAlias = dict[int | str, dict[str, Any]]

Tenant = Annotated[
    str | None,
    Query(max_length=_LONGEST, description="The tenant it belongs to; by default the caller's first, or `default`."),
]
SubscriptionId = Annotated[str, Query(max_length=_LONGEST, description="The id of the subscription.")]
Text = Annotated[
    str,
    Query(min_length=1, max_length=_LONGEST, description="What the id of the subscription or customer begins with."),
]
After = Annotated[
    str, Query(max_length=_LONGEST, description="The last subscription_id of the page before; empty: the first page.")
]
Told = Annotated[
    Language | None, Query(description="The language of sentences; by default the one the customer is written to in.")
]
Day = Annotated[date | None, Query(description="An end date as well: the first day not active.")]

_MISSING: Responses = {404: {"model": Problem, "description": "No such subscription is known."}}
_FAILED: Responses = {500: {"model": Problem, "description": "A fault of the service; its log says which."}}
_REFUSED: Responses = {
    401: {"model": Problem, "description": "A token is needed, or is not taken."},
    403: {"model": Problem, "description": "The token's roles do not allow it."},
    429: {"model": Problem, "description": "That was too often; `Retry-After` says how long to wait."},
}
_UNAVAILABLE: Responses = {503: {"model": Problem, "description": "The database does not answer; try again."}}


def api(reader: Reader, topics: Topics, outages: tuple[type[Exception], ...]) -> FastAPI:
    """The API, to be mounted under `/api`; ids are parameters and not parts of a path, for they may hold any text."""
    app = FastAPI(
        title="Subscription cancellation",
        version="1",
        description="The timelines of subscriptions, and what each way to end them would come to. Changes nothing.",
        servers=[{"url": "/api"}],
        root_path_in_servers=False,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        responses=_REFUSED,
        dependencies=[Depends(HTTPBearer(auto_error=False, description="A token, where the service asks for one."))],
    )
    for outage in outages:
        app.add_exception_handler(outage, _unavailable)
    app.add_exception_handler(Exception, _failed)

    @app.get("/subscriptions", responses=_UNAVAILABLE, operation_id="search")
    async def search(caller: Asking, q: Text, tenant_id: Tenant = None, after: After = "") -> SearchDocument:
        """Subscriptions whose id, or whose customer's id, begins with a text: by id first, twenty a page."""
        return search_document(await reader.search(caller, tenant_id or caller.first_tenant, q, after))

    @app.get("/timeline", responses=_MISSING | _FAILED | _UNAVAILABLE, operation_id="timeline")
    async def timeline(
        caller: Asking, subscription_id: SubscriptionId, tenant_id: Tenant = None, language: Told = None
    ) -> TimelineDocument:
        """The timeline of a subscription as of now."""
        return timeline_document(
            _known(await reader.show(caller, (tenant_id or caller.first_tenant, subscription_id))), language
        )

    @app.get("/preview", responses=_MISSING | _FAILED | _UNAVAILABLE, operation_id="preview")
    async def preview(
        caller: Asking,
        subscription_id: SubscriptionId,
        tenant_id: Tenant = None,
        language: Told = None,
        date: Day = None,
    ) -> PreviewDocument:
        """What each way to end a subscription would come to now, and the event that would ask for it."""
        found = _known(await reader.show(caller, (tenant_id or caller.first_tenant, subscription_id), date))
        if found.previewed is None:
            raise HTTPException(500, "the preview has failed; the log of the service says why")
        told = options(found.previewed, topics, found.now, language or found.timeline.language)
        return preview_document(found.previewed, found.now, told)

    return app


async def _reading(request: Request) -> Caller:
    """Who asks, if they may read; FastAPI would take anything but a coroutine to a thread of its own."""
    if "reader" not in request.user.roles:
        raise HTTPException(403, "you may not read subscriptions")
    caller: Caller = request.user
    return caller


Asking: TypeAlias = Annotated[Caller, Depends(_reading)]


def _known(found: Shown | None) -> Shown:
    if found is None:
        raise HTTPException(404, "no such subscription is known")
    return found


async def _failed(request: Request, error: Exception) -> Response:
    log.error("page-failed", path=request.url.path, exc_info=error)
    return JSONResponse({"detail": "a fault of the service; its log says which"}, status_code=500)


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("page-unavailable", path=request.url.path, error=f"{type(error).__name__}: {error}")
    return JSONResponse({"detail": "the database does not answer"}, status_code=503, headers={"Retry-After": "5"})
