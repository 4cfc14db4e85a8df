"""The JSON of the API: what the pages show, as data. The timeline itself is the one that is published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from service.domain.policy import Language
from service.domain.timeline import Status
from service.messages.outcomes import Maybe, Money, SubscriptionTimeline, as_read
from service.ops.preview import Previewed, document
from service.web.reading import Hits, Shown
from service.web.view import Option, charge_text


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class FoundSubscription(_Model):
    """A subscription that a search found; status null: nobody has activated it yet, or its state cannot be read."""

    tenant_id: str
    subscription_id: str
    customer_id: str | None
    status: Status | None
    end_date: date | None
    last_active_day: date | None
    held_since: AwareDatetime | None


class SearchDocument(_Model):
    """A page of what a search found; `more` says that there are others after its last."""

    subscriptions: list[FoundSubscription]
    more: bool


class HeldDocument(_Model):
    """Since when a subscription is held, and why: a decision failed, and what has come since waits."""

    since: AwareDatetime
    because: str


class Explanation(_Model):
    """How one charge comes to what is kept of it, in words. Null ids: invoicing reports no charges."""

    charge_id: str | None
    line_id: str | None
    period_start: date | None
    text: str


class TimelineDocument(_Model):
    """A subscription's timeline as it is published, and what support is asked besides.

    `revocable_until` is the instant before which the cancellation can be taken back or moved; null where none is in
    force, or no more.
    """

    timeline: SubscriptionTimeline
    revocable_until: AwareDatetime | None
    explanations: list[Explanation]
    held: HeldDocument | None


class Refusal(_Model):
    """Why an end would be refused."""

    code: str
    message: str


class PeriodDocument(_Model):
    """Local dates, the end being the first date outside."""

    start: date
    end: date


class PreviewedChargeDocument(_Model):
    """What would become of a charge: `credited` negative takes back. `text` says how it comes to what is kept."""

    charge_id: str
    invoice_id: str
    period: PeriodDocument | None
    amount: Money
    kept: Money
    credited: Money
    offset: Money
    refundable: Money
    text: str


class EventDocument(_Model):
    """The CloudEvent that would ask for it: in binary mode `headers` and `data`, in structured mode all in `value`."""

    topic: str
    key: str
    headers: dict[str, str]
    data: dict[str, Any]
    structured_headers: dict[str, str]
    structured_value: dict[str, Any]


class OptionDocument(_Model):
    """What one way to end would come to now: a refusal, or dates and money and the event that would ask for it."""

    refusal: Maybe[Refusal] = None
    requested_end_date: Maybe[date] = None
    earliest_permitted_end_date: Maybe[date] = None
    end_date: Maybe[date] = None
    last_active_day: Maybe[date] = None
    access_ends_at: Maybe[AwareDatetime] = None
    settlement: Maybe[str] = None
    charges: Annotated[list[PreviewedChargeDocument], Field(default_factory=list)]
    kept: Maybe[Money] = None
    credited: Maybe[Money] = None
    offset: Maybe[Money] = None
    refundable: Maybe[Money] = None
    renewals_stopped: Annotated[list[PeriodDocument], Field(default_factory=list)]
    event: Maybe[EventDocument] = None


ModeName = Literal["immediately", "end-of-period", "end-of-invoiced", "end-of-term", "earliest", "on-date"]


class PreviewDocument(_Model):
    """Every end mode with what it would come to at `as_of`; nothing is asked for by looking."""

    tenant_id: str
    subscription_id: str
    currency: str
    as_of: AwareDatetime
    modes: dict[ModeName, OptionDocument]


class Problem(_Model):
    """Why there is no answer."""

    detail: str


def search_document(hits: Hits) -> SearchDocument:
    """What a search found."""
    found = [
        FoundSubscription(
            tenant_id=hit.key[0],
            subscription_id=hit.key[1],
            customer_id=None if hit.subscription is None else hit.subscription.agreement.customer_id,
            status=hit.status,
            end_date=None if hit.end is None else hit.end.end_date,
            last_active_day=None if hit.end is None else hit.end.last_active_day,
            held_since=None if hit.held is None else hit.held.since,
        )
        for hit in hits.found
    ]
    return SearchDocument(subscriptions=found, more=hits.more)


def timeline_document(found: Shown, language: Language | None) -> TimelineDocument:
    """A subscription's timeline, in the language the customer is written to in, or another."""
    timeline = found.timeline if language is None else found.timeline.told_in(language)
    explanations = [
        Explanation(
            charge_id=None if settled.charge.implied else settled.charge.charge_id,
            line_id=settled.charge.line_id,
            period_start=None if settled.window is None else settled.window.start,
            text=text,
        )
        for settled in timeline.charges
        if (text := charge_text(settled, found, timeline.language)) is not None
    ]
    held = found.held
    return TimelineDocument(
        timeline=as_read(timeline),
        revocable_until=timeline.revocable_until,
        explanations=explanations,
        held=None if held is None else HeldDocument(since=held.since, because=held.because),
    )


def preview_document(previewed: Previewed, now: datetime, options: Sequence[Option]) -> PreviewDocument:
    """Every end mode with what it would come to."""
    fields = document(previewed)
    for option in options:
        mode = fields["modes"][option.name]
        for charge, text in zip(mode.get("charges", ()), option.texts, strict=True):
            charge["text"] = text
        if option.asking is not None:
            binary, structured = option.asking.document, option.asking.structured.document
            mode["event"] = EventDocument(
                topic=binary["topic"],
                key=binary["key"],
                headers=binary["headers"],
                data=binary["value"],
                structured_headers=structured["headers"],
                structured_value=structured["value"],
            )
    return PreviewDocument.model_validate({**fields, "as_of": now})
