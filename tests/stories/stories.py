"""Every story, by the sentence of the product text that it bears out."""

from __future__ import annotations

from tests.stories import (
    books,
    choice,
    end_date,
    in_the_middle,
    invoices,
    last_period,
    life,
    regret,
    renewals,
    timeline,
)
from tests.stories.story import Story

GROUPS: dict[str, tuple[Story, ...]] = {
    (part.__doc__ or "").strip(): part.STORIES
    for part in (
        in_the_middle,
        end_date,
        last_period,
        renewals,
        invoices,
        timeline,
        regret,
        choice,
        life,
        books,
    )
}
