"""Every licence is known and allowed, and the list says what is installed."""

from __future__ import annotations

import pytest

from tests.supply.licences import LIST, allowed, main, refused


@pytest.mark.parametrize(
    "expression", ["MIT", "Apache-2.0 OR AGPL-3.0-only", "MIT AND PSF-2.0", "(MIT OR GPL-3.0-only)"]
)
def test_what_leaves_an_allowed_choice_is_taken(expression: str) -> None:
    assert allowed(expression)


@pytest.mark.parametrize(
    "expression", ["AGPL-3.0-only", "MIT AND GPL-3.0-or-later", "SSPL-1.0 OR BUSL-1.1", "not said", "Proprietary"]
)
def test_what_is_not_known_to_be_allowed_is_refused(expression: str) -> None:
    assert not allowed(expression)
    assert refused(f"| left-pad | {expression} |\n") == [f"left-pad is under {expression}"]


def test_the_list_is_that_of_what_is_installed() -> None:
    assert main(check=True) == ""
    assert "| asyncpg | Apache-2.0 |" in LIST.read_text("utf-8")
