"""The door to pages, API and metrics: who comes in, and how often.

On loopback without a token or an issuer everybody on the machine does, under a name of this machine only: a page from
elsewhere that has its own name point here is turned away. Everywhere else somebody must be named who may.
"""

from __future__ import annotations

import base64
import binascii
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.authentication import AuthCredentials
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.settings import Settings, SettingsError
from service.web.caller import Caller, IssuerAwayError, TokenError

if TYPE_CHECKING:
    from service.web.issuer import Issuer

log = structlog.get_logger(__name__)

_SHORTEST_TOKEN = 16


class RefusedError(Exception):
    """One who is not let in: the status that says so, and why."""

    def __init__(self, status: int, because: str) -> None:
        super().__init__(because)
        self.status = status


@dataclass(frozen=True, slots=True)
class Door:
    """Who is let in, and how often one caller is; `token` reads the token anew, so that it can be changed."""

    token: Callable[[], str] | None
    issuer: Issuer | None
    claims: tuple[str, str]
    limit: RateLimitItem

    @classmethod
    def of(cls, settings: Settings) -> Door:
        """The door that the settings describe.

        Raises:
            SettingsError: everybody could read everything, or a setting cannot be used.
        """
        token, issuer = _token(settings), _issuer(settings)
        if token is None and issuer is None and not _loopback(settings.http_address[0]):
            raise SettingsError(
                f"HTTP_BIND={settings.http_bind} would let everybody who reaches it read every subscription: "
                "set HTTP_TOKEN_FILE, HTTP_TOKEN or OIDC_ISSUER, or bind to 127.0.0.1."
            )
        try:
            limit = parse(settings.http_rate_limit)
        except ValueError as error:
            raise SettingsError("HTTP_RATE_LIMIT is to be such as 600/minute.") from error
        return cls(token, issuer, (settings.oidc_tenants_claim, settings.oidc_roles_claim), limit)

    async def caller(self, request: Request) -> Caller:
        """Who asks.

        Raises:
            RefusedError: nobody who may, or that cannot be told just now.
        """
        if self.token is None and self.issuer is None:
            return _local(request)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        secret = _password(given) if scheme.lower() == "basic" else given.strip() if scheme.lower() == "bearer" else ""
        if not secret:
            raise RefusedError(401, "a token is needed")
        if secrets.compare_digest(secret.encode(), self._token().encode()):  # which no secret is without one
            return Caller("token")
        if self.issuer is None:
            raise RefusedError(401, "that token is not taken")
        try:
            return Caller.claimed(await self.issuer.claims(secret), *self.claims)
        except TokenError as error:
            raise RefusedError(401, f"that token is not taken: {error}") from error
        except IssuerAwayError as error:
            log.warning("issuer-away", error=str(error))
            raise RefusedError(503, "the issuer of tokens does not answer; try again") from error

    def _token(self) -> str:
        """The token as it stands now; the file that holds it may be away while it is written anew."""
        try:
            return "" if self.token is None else self.token()
        except (OSError, UnicodeDecodeError) as error:
            log.warning("token-not-read", error=f"{type(error).__name__}: {error}")
            raise RefusedError(503, "the token cannot be read just now; try again") from error

    @property
    def challenges(self) -> tuple[str, ...]:
        """How to say who one is; a browser asks its user for a name, which is not looked at, and for the token."""
        schemes = ("Bearer",) if self.token is None else ("Bearer", "Basic")
        return tuple(f'{scheme} realm="cancellation"' for scheme in schemes)


class Guard:
    """Lets requests in by a door: each with its caller as `request.user`, each caller no more often than it says.

    One who is not let in is counted by address. Each worker counts for itself.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  that of ASGI
        if scope["type"] != "http":
            return
        request, refused = Request(scope), None
        try:
            caller = await self._door.caller(request)
            who = caller.name
        except RefusedError as error:
            refused, who = error, request.client.host if request.client else ""
        if not await self._limiter.hit(self._door.limit, who):
            await (await self._often(request, who))(scope, receive, send)
        elif refused is not None:
            log.info("caller-refused", status=refused.status, because=str(refused), address=who)
            await self._refusal(request, refused)(scope, receive, send)
        else:
            scope["user"], scope["auth"] = caller, AuthCredentials(sorted(caller.roles))
            await self._app(scope, receive, send)

    async def _often(self, request: Request, who: str) -> Response:
        opens = (await self._limiter.get_window_stats(self._door.limit, who)).reset_time
        answer = _answer(request, 429, "that was too often; wait a little")
        answer.headers["Retry-After"] = str(max(1, math.ceil(opens - time.time())))
        return answer

    def _refusal(self, request: Request, refused: RefusedError) -> Response:
        answer = _answer(request, refused.status, str(refused))
        if refused.status == HTTPStatus.UNAUTHORIZED:
            for challenge in self._door.challenges:  # a line for each: browsers look at the first of a line only
                answer.headers.append("WWW-Authenticate", challenge)
        if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
            answer.headers["Retry-After"] = "5"
        return answer


def _answer(request: Request, status: int, because: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": because}, status)
    return PlainTextResponse(f"{because[0].upper()}{because[1:]}.\n", status)


def _local(request: Request) -> Caller:
    """Anybody on this machine."""
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        name = ""
    if not _loopback(name):
        raise RefusedError(421, "without a token or an issuer this answers under 127.0.0.1 and localhost only")
    return Caller("local")


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _password(given: str) -> str:
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _token(settings: Settings) -> Callable[[], str] | None:
    file, given = settings.http_token_file, settings.http_token
    if file is None and given is None:
        return None
    name, read = "HTTP_TOKEN", given.get_secret_value if given else str
    if file is not None:
        name, read = "HTTP_TOKEN_FILE", lambda: file.read_text("utf-8").strip()
    try:
        long_enough = len(read()) >= _SHORTEST_TOKEN
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"HTTP_TOKEN_FILE cannot be read: {error}.") from error
    if not long_enough:
        raise SettingsError(
            f"The token of {name} has fewer than {_SHORTEST_TOKEN} characters; `openssl rand -hex 32` makes one."
        )
    return read


def _issuer(settings: Settings) -> Issuer | None:
    if settings.oidc_issuer is None:
        return None
    url = urlsplit(settings.oidc_issuer)
    if url.scheme != "https" and not (url.scheme == "http" and _loopback(url.hostname or "")):
        raise SettingsError("OIDC_ISSUER is to be an address that begins with https://.")
    if not settings.oidc_audience:
        raise SettingsError("OIDC_ISSUER needs OIDC_AUDIENCE: whom its tokens are to be for.")
    from service.web.issuer import Issuer  # noqa: PLC0415  nine megabytes of cryptography, for those who have an issuer

    return Issuer(settings.oidc_issuer, settings.oidc_audience)
