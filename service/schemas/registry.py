"""Handing the schemas to a schema registry that speaks Confluent's HTTP API (Confluent, Karapace, Apicurio, Redpanda).

For whoever looks schemas up or generates code there. The records themselves are plain JSON without a
registry's prefix, and the service never asks a registry anything: it may be down, or not be there.

A subject is called `<topic>-<title of the schema>`, as a `TopicRecordNameStrategy` names it: several
types of event share a topic.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from service.schemas import events
from service.schemas.asyncapi import topic_of
from service.settings import Topics

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_SECONDS = 30
_NOT_FOUND, _CONFLICT = 404, 409


class RegistryError(Exception):
    """The registry cannot be asked, or says no; the message is a sentence, without the password."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema as the registry knows it; `new` unless it did before."""

    subject: str
    version: int
    id: int
    new: bool


def register(url: str, topics: Topics) -> Iterator[Registered]:
    """Registers the schema of each event, one after the other; what is registered already stays as it is.

    Args:
        url: the registry's; name and password in it are sent as basic authentication.
        topics: what the topics are called here.

    Raises:
        RegistryError: it cannot be reached, or refuses one.
    """
    registry = _Registry(url)
    for name in events.names():
        schema = events.schema(name)
        yield registry.register(f"{topics.named(topic_of(name))}-{schema['title']}", schema)


class _Registry:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise RegistryError("The address of a registry begins with http:// or https:// and names a host.")
        _, _, host = parts.netloc.rpartition("@")
        self._url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._headers = {"Content-Type": _CONTENT_TYPE, "Accept": f"{_CONTENT_TYPE}, application/json"}
        if parts.username is not None:
            both = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"

    def register(self, subject: str, schema: events.Schema) -> Registered:
        body = {"schemaType": "JSON", "schema": json.dumps(schema, ensure_ascii=False)}
        path = f"/subjects/{quote(subject, safe='')}"
        known = self._post(path, body)
        if known is None:
            self._post(f"{path}/versions", body)
        found = known or self._post(path, body)
        try:
            return Registered(subject, int((found or {})["version"]), int((found or {})["id"]), new=known is None)
        except (KeyError, TypeError, ValueError) as error:
            raise RegistryError(f"{self._url} does not answer as a schema registry does.") from error

    def _post(self, path: str, body: dict[str, str]) -> dict[str, Any] | None:
        """What the registry answers; None where it does not know the subject, or not this schema of it."""
        request = Request(self._url + path, json.dumps(body).encode(), self._headers)  # noqa: S310 - http, as checked
        try:
            with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 - likewise
                answer: dict[str, Any] = json.load(response)
                return answer
        except HTTPError as error:
            told = error.read().decode("utf-8", "replace")
            if error.code == _NOT_FOUND and _code(told) // 100 == _NOT_FOUND:
                return None
            subject = unquote(path.split("/")[2])
            why = "it is not compatible with what is registered" if error.code == _CONFLICT else f"HTTP {error.code}"
            raise RegistryError(f"{self._url} refuses {subject}: {why}. {_message(told)}".rstrip()) from error
        except (URLError, OSError) as error:
            raise RegistryError(f"{self._url} cannot be reached: {getattr(error, 'reason', error)}.") from error
        except ValueError as error:
            raise RegistryError(f"{self._url} does not answer as a schema registry does.") from error


def _code(told: str) -> int:
    """The registry's own code of an error: 40401 and 40403 say that there is no such subject or schema."""
    try:
        return int(json.loads(told)["error_code"])
    except (KeyError, TypeError, ValueError):
        return 0


def _message(told: str) -> str:
    try:
        return str(json.loads(told)["message"])
    except (KeyError, TypeError, ValueError):
        return ""
