"""Who asks, what they may do, and whose subscriptions they may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from starlette.authentication import BaseUser

Role: TypeAlias = Literal["reader", "operator"]
"""Who reads subscriptions, and who watches the service: `/metrics` and `/operations`. One may be both."""

ROLES: frozenset[Role] = frozenset(get_args(Role))
_FIRST = "default"


class TokenError(Exception):
    """A token that is not taken; the message says why, and nothing of what is in it."""


class IssuerAwayError(Exception):
    """The issuer of tokens does not answer as one; the message says how."""


@dataclass(frozen=True, slots=True)
class Caller(BaseUser):
    """One who was let in, as Starlette's user of a request; `tenants` is None for one who may see every tenant."""

    name: str
    roles: frozenset[Role] = ROLES
    tenants: frozenset[str] | None = None

    @classmethod
    def claimed(cls, claims: Mapping[str, Any], tenants: str, roles: str) -> Caller:
        """The one of whom an issuer says so, by the names of its claims; what is not claimed is not granted."""
        return cls(
            name=f"{claims['iss']} {claims['sub']}",
            roles=frozenset(role for role in ROLES if role in _texts(claims.get(roles))),
            tenants=_texts(claims.get(tenants)),
        )

    @property
    def is_authenticated(self) -> bool:  # noqa: D102  that of Starlette
        return True

    @property
    def display_name(self) -> str:  # noqa: D102  that of Starlette
        return self.name

    @property
    def identity(self) -> str:  # noqa: D102  that of Starlette
        return self.name

    @property
    def first_tenant(self) -> str:
        """Whose subscriptions are meant where nobody says."""
        return _FIRST if self.tenants is None or _FIRST in self.tenants else min(self.tenants, default=_FIRST)

    def seen(self, tenant: str) -> frozenset[str]:
        """The tenants whose rows may be read when one is asked for."""
        return frozenset({tenant}) if self.tenants is None else self.tenants

    def sees(self, tenant: str) -> bool:
        """Whether they may see a tenant's subscriptions."""
        return tenant in self.seen(tenant)


def _texts(claimed: object) -> frozenset[str]:
    """A claim that holds one text or several."""
    several = [claimed] if isinstance(claimed, str) else claimed if isinstance(claimed, list) else []
    return frozenset(text for text in several if isinstance(text, str))
