"""What the command says of a registry, whatever that answers; `elsewhere` asks a real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from service.schemas.registry import RegistryError, register
from service.settings import Topics

Answer = tuple[int, Any]


class Registry:
    """Subjects in a dict, behind the part of the documented API that is used; `answer` may say otherwise."""

    def __init__(self) -> None:
        self.subjects: dict[str, str] = {}
        self.authorizations: set[str | None] = set()
        self.answer: Callable[[str], Answer | None] = lambda _: None

    def take(self, path: str, body: dict[str, str]) -> Answer:
        if (otherwise := self.answer(path)) is not None:
            return otherwise
        assert body["schemaType"] == "JSON"
        _, _, subject, *versions = path.split("/")
        if versions:
            self.subjects[subject] = body["schema"]
            return 200, {"id": len(self.subjects)}
        if subject not in self.subjects:
            return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
        assert self.subjects[subject] == body["schema"]
        return 200, {"subject": subject, "version": 1, "id": list(self.subjects).index(subject) + 1}


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def address(registry: Registry) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            registry.authorizations.add(self.headers["Authorization"])
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, told = registry.take(self.path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(told if isinstance(told, bytes) else json.dumps(told).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


TOPICS = Topics.model_construct()


def refused(address: str) -> str:
    with pytest.raises(RegistryError) as found:
        list(register(address, TOPICS))
    return str(found.value)


def test_each_event_has_a_subject_of_its_topic_and_title(registry: Registry, address: str) -> None:
    first = list(register(f"http://{address}/", TOPICS))
    assert [(each.version, each.new) for each in first] == [(1, True)] * 24
    assert "cancellation-status-SubscriptionEnded" in registry.subjects
    assert not any(each.new for each in register(f"http://{address}", TOPICS))


def test_topics_are_named_as_they_are_here(registry: Registry, address: str) -> None:
    list(register(f"http://{address}", TOPICS.model_copy(update={"credit_adjustment": "billing/credit"})))
    assert "billing%2Fcredit-CreditAdjustment" in registry.subjects


def test_name_and_password_are_sent_and_never_shown(registry: Registry, address: str) -> None:
    registry.answer = lambda _: (401, {"error_code": 40101, "message": "Unauthorized"})
    told = refused(f"http://ops:s%40cret@{address}")
    assert registry.authorizations == {"Basic b3BzOnNAY3JldA=="}
    subject = "subscription-lifecycle-SubscriptionActivated"
    assert told == f"http://{address} refuses {subject}: HTTP 401. Unauthorized"


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/versions", (409, {"error_code": 409, "message": "READER_FIELD_MISSING"}), "it is not compatible with what"),
        ("/versions", (422, {"error_code": 42201, "message": "Invalid schema"}), "HTTP 422. Invalid schema"),
        ("", (404, b"<html>no registry"), "HTTP 404."),
        ("", (500, {"error_code": 50001, "message": "Error in the backend"}), "HTTP 500. Error in the backend"),
        ("", (200, b"<html>a portal"), "does not answer as a schema registry does."),
        ("", (200, {"subject": "?"}), "does not answer as a schema registry does."),
        ("", (200, ["?"]), "does not answer as a schema registry does."),
    ],
)
def test_what_a_registry_refuses_is_said_in_a_sentence(
    registry: Registry, address: str, path: str, answer: Answer, said: str
) -> None:
    registry.answer = lambda asked: answer if asked.endswith(path) else None
    assert said in refused(f"http://{address}")


@pytest.mark.parametrize("wrong", ["registry:8081", "file:///etc/passwd", "http://", "ftp://registry"])
def test_an_address_that_is_none_is_not_asked(wrong: str) -> None:
    assert refused(wrong) == "The address of a registry begins with http:// or https:// and names a host."


def test_a_registry_that_is_not_there_is_said_to_be_so() -> None:
    assert refused("http://127.0.0.1:1").startswith("http://127.0.0.1:1 cannot be reached: ")
