"""The OpenID Connect issuer whose tokens are taken, and its keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import jwt

from service.web.caller import IssuerAwayError, TokenError

ALGORITHMS = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Signatures by a key that only the issuer has; none that whoever can check them could make."""

_CLAIMS = ("iss", "sub", "aud", "exp")
_LEEWAY_SECONDS = 30.0
_PATIENCE_SECONDS = 5.0
_KEYS_LAST_SECONDS = 300.0
_KEYS_REST_SECONDS = 10.0
"""However many tokens name a key that is not known, its issuer is asked for its keys so seldom."""

_BECAUSE: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidAudienceError, "it is for another audience"),
    (jwt.InvalidIssuerError, "it is from another issuer"),
    (jwt.InvalidAlgorithmError, "its algorithm is not taken"),
    (jwt.InvalidSignatureError, "its signature is wrong"),
    (jwt.MissingRequiredClaimError, f"it lacks one of {', '.join(_CLAIMS)}"),
    (jwt.PyJWKClientError, "its key is not known"),
)


class Issuer:
    """Checks tokens: signature, algorithm, issuer, audience and time. Keys are read again when one is not known.

    Waiting for an issuer is done on threads of its own, so that nobody else waits.
    """

    def __init__(self, url: str, audience: str) -> None:
        self._url, self._audience = url, audience
        self._threads = ThreadPoolExecutor(2, "issuer")

    async def claims(self, token: str) -> Mapping[str, Any]:
        """What a token says.

        Raises:
            TokenError: it is not taken.
            IssuerAwayError: that cannot be told just now.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._claims, token)

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise jwt.InvalidAlgorithmError
            return jwt.decode(
                token,
                self._keys.get_signing_key(header.get("kid", "")),
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._url,
                leeway=_LEEWAY_SECONDS,
                options={"require": list(_CLAIMS)},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise IssuerAwayError(str(error)) from error
        except jwt.PyJWTError as error:
            because = (sentence for kind, sentence in _BECAUSE if isinstance(error, kind))
            raise TokenError(next(because, "it is none")) from error

    @cached_property
    def _keys(self) -> jwt.PyJWKClient:
        """The keys at the place that the issuer names; what fails is tried again with the next token."""
        address = f"{self._url.rstrip('/')}/.well-known/openid-configuration"
        try:
            with urlopen(Request(address), timeout=_PATIENCE_SECONDS) as response:  # noqa: S310  as it was set
                told = json.load(response)
            if told["issuer"] != self._url:
                raise IssuerAwayError(f"{address} is of the issuer {told['issuer']}, and not of OIDC_ISSUER")
            return jwt.PyJWKClient(
                told["jwks_uri"],
                lifespan=_KEYS_LAST_SECONDS,
                timeout=_PATIENCE_SECONDS,
                cooldown_duration=_KEYS_REST_SECONDS,
            )
        except HTTPError as error:
            error.close()
            raise IssuerAwayError(f"{address} answers {error.code}") from error
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWKClientError) as error:
            raise IssuerAwayError(f"{address}: {type(error).__name__}: {error}") from error
