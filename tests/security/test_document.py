"""What `deploy/SECURITY.md` shows is what the tests try and see."""

from __future__ import annotations

from tests.security.__main__ import DOCUMENT, written


def test_the_tables_are_as_the_tests_know_them_or_make_security_writes_them() -> None:
    shown = DOCUMENT.read_text("utf-8")
    assert written(shown) == shown
