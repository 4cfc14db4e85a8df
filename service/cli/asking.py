"""`python -m service cancel | move | revoke`: one event to Kafka, and nothing else; the service decides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import uuid4

import typer
from rich.console import Console

from service.cli.terminal import ASK, finish, misused, paragraphs, settings_or_stop, stop
from service.flow import utc_now
from service.messages.envelope import UnreadableError
from service.ops import preview as previewing
from service.ops.sending import SUPPORT, Named, event, send

_ENDS = "How it is to end: exactly one"
_MODES = ("immediately", "end-of-period", "end-of-invoiced", "end-of-term", "earliest")
_DATES = ("date", "last_active_day", "at")
_CODES = """
Exit codes: 0 when Kafka has the event, 1 when it was not sent (a sentence says why), 2 when the command is wrong.
What comes of it is the service's decision, and may be a refusal: `timeline` shows it, the topic cancellation-status
tells it.
"""

Subscription: TypeAlias = Annotated[str, typer.Argument(help="The id of the subscription.")]
Tenant: TypeAlias = Annotated[str, typer.Option(help="The tenant it belongs to.")]
Immediately: TypeAlias = Annotated[
    bool, typer.Option("--immediately", help="At the instant of the request.", rich_help_panel=_ENDS)
]
EndOfPeriod: TypeAlias = Annotated[
    bool, typer.Option("--end-of-period", help="With the billing period.", rich_help_panel=_ENDS)
]
EndOfInvoiced: TypeAlias = Annotated[
    bool, typer.Option("--end-of-invoiced", help="When all that is invoiced has run out.", rich_help_panel=_ENDS)
]
EndOfTerm: TypeAlias = Annotated[
    bool, typer.Option("--end-of-term", help="When the binding is over.", rich_help_panel=_ENDS)
]
Earliest: TypeAlias = Annotated[
    bool, typer.Option("--earliest", help="On the first date that notice and binding allow.", rich_help_panel=_ENDS)
]
OnDate: TypeAlias = Annotated[
    str | None,
    typer.Option("--on", metavar="DATE", help="On this date: the first day that is not active.", rich_help_panel=_ENDS),
]
LastDay: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DATE", help="With this as the last active day.", rich_help_panel=_ENDS)
]
At: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="INSTANT", help="At this instant, such as 2026-11-21T12:00:00+01:00.", rich_help_panel=_ENDS),
]
Settle: TypeAlias = Annotated[
    Literal["prorate", "full-period", "refund-period"] | None,
    typer.Option(help="How the period with the end is settled; by default as the terms or the merchant's policy say."),
]
Because: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CODE", help="Why, as a code of your own list, e.g. moved-abroad.")
]
Comment: TypeAlias = Annotated[str | None, typer.Option(help="Why, in words; with --because.")]
By: TypeAlias = Annotated[str | None, typer.Option(help="Who asked; it is kept.")]
OverrideBecause: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Set binding and notice aside, and why; needs --by.")
]
Cancellation: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ID", help="The id of the cancellation; by default the one in force.")
]
EventId: TypeAlias = Annotated[
    str | None, typer.Option("--id", help="The id of the event: sent again with the same, it counts once.")
]
AskedAt: TypeAlias = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], metavar="INSTANT", help="When the customer asked; by default now."),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the event as it was sent.")]


def add_to(cli: typer.Typer) -> None:
    """Adds the three commands."""
    for command in (cancel, move, revoke):
        cli.command(epilog=paragraphs(_CODES), rich_help_panel=ASK)(command)


def cancel(  # noqa: PLR0913  each is an option of the command
    subscription: Subscription,
    *,
    tenant: Tenant = "default",
    immediately: Immediately = False,
    end_of_period: EndOfPeriod = False,
    end_of_invoiced: EndOfInvoiced = False,
    end_of_term: EndOfTerm = False,
    earliest: Earliest = False,
    on: OnDate = None,
    last_day: LastDay = None,
    at: At = None,
    lines: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this line; again for more of them.")
    ] = None,
    settlement: Settle = None,
    because: Because = None,
    comment: Comment = None,
    by: By = None,
    override_because: OverrideBecause = None,
    cancellation: Annotated[
        str | None, typer.Option(metavar="ID", help="What it is to be called; by default as the event.")
    ] = None,
    event_id: EventId = None,
    asked_at: AskedAt = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show first what each end would come to, and ask; reads Postgres.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for the end of a subscription, or of some of its lines.

    For example: cancel S1 --on 2026-12-01 --because moved-abroad --by anna
    """
    modes = immediately, end_of_period, end_of_invoiced, end_of_term, earliest
    data = {
        **_about(tenant, subscription, cancellation),
        "end": _end(modes, (on, last_day, at)),
        "line_ids": lines,
        "settlement": settlement,
        **_said(because, comment, by, override_because),
    }
    if preview:
        _show((tenant, subscription))
    _ask("cancellation-requested", data, event_id, asked_at, as_json=as_json)


def move(  # noqa: PLR0913  each is an option of the command
    subscription: Subscription,
    *,
    tenant: Tenant = "default",
    immediately: Immediately = False,
    end_of_period: EndOfPeriod = False,
    end_of_invoiced: EndOfInvoiced = False,
    end_of_term: EndOfTerm = False,
    earliest: Earliest = False,
    on: OnDate = None,
    last_day: LastDay = None,
    at: At = None,
    settlement: Settle = None,
    because: Because = None,
    comment: Comment = None,
    by: By = None,
    override_because: OverrideBecause = None,
    cancellation: Cancellation = None,
    event_id: EventId = None,
    asked_at: AskedAt = None,
    as_json: AsJson = False,
) -> None:
    """Ask for another end of a cancellation.

    For example: move S1 --end-of-period
    """
    modes = immediately, end_of_period, end_of_invoiced, end_of_term, earliest
    data = {
        **_about(tenant, subscription, cancellation),
        "end": _end(modes, (on, last_day, at)),
        "settlement": settlement,
        **_said(because, comment, by, override_because),
    }
    _ask("cancellation-moved", data, event_id, asked_at, as_json=as_json)


def revoke(  # noqa: PLR0913  each is an option of the command
    subscription: Subscription,
    *,
    tenant: Tenant = "default",
    because: Because = None,
    comment: Comment = None,
    by: By = None,
    cancellation: Cancellation = None,
    event_id: EventId = None,
    asked_at: AskedAt = None,
    as_json: AsJson = False,
) -> None:
    """Take a cancellation back: the customer regrets it.

    For example: revoke S1 --by anna
    """
    data = {**_about(tenant, subscription, cancellation), **_said(because, comment, by, None)}
    _ask("cancellation-revoked", data, event_id, asked_at, as_json=as_json)


def _about(tenant: str, subscription: str, cancellation: str | None) -> dict[str, Any]:
    return {"tenant_id": tenant, "subscription_id": subscription, "cancellation_id": cancellation}


def _end(modes: Sequence[bool], dates: Sequence[str | None]) -> dict[str, str]:
    """The one end that was chosen; both as they stand in `_MODES` and `_DATES`."""
    chosen = [{"mode": mode} for mode, given in zip(_MODES, modes, strict=True) if given]
    chosen += [{"mode": "on-date", name: text} for name, text in zip(_DATES, dates, strict=True) if text is not None]
    if len(chosen) != 1:
        misused(
            "Say how it is to end, by exactly one of --immediately, --end-of-period, --end-of-invoiced, --end-of-term, "
            "--earliest, --on, --last-day and --at."
        )
    return chosen[0]


def _said(because: str | None, comment: str | None, by: str | None, override: str | None) -> dict[str, Any]:
    if comment is not None and because is None:
        misused("A --comment goes with the code that --because gives.")
    if override is not None and by is None:
        misused("Who sets the terms aside? --override-because needs --by.")
    return {
        "reason": None if because is None else _given({"code": because, "comment": comment}),
        "requested_by": by,
        "override_terms": None if override is None else {"by": by, "why": override},
    }


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _show(key: tuple[str, str]) -> None:
    settings, _ = settings_or_stop()
    shown = finish(previewing.read(settings, key, None, utc_now()))
    if shown is None:
        stop(f"There is no subscription {key[1]} of tenant {key[0]}.")
    Console(stderr=True).print(previewing.draw(shown))
    if not typer.confirm("Send the request?", err=True):
        stop("Nothing was sent.")


def _ask(kind: str, data: dict[str, Any], event_id: str | None, asked_at: datetime | None, *, as_json: bool) -> None:
    settings, topics = settings_or_stop()
    now = utc_now()
    named = Named(SUPPORT, str(uuid4()) if event_id is None else event_id, kind, asked_at or now)
    asked = event(topics, named, _given(data), now)
    try:
        asked.read()
    except UnreadableError as error:
        misused(f"That cannot be asked for, and nothing was sent: {error}.")
    finish(send(settings, asked))
    if as_json:
        typer.echo(json.dumps(asked.document, indent=2, ensure_ascii=False))
    else:
        typer.echo(f"{kind} {named.id} is with Kafka, on {asked.topic}; `timeline {data['subscription_id']}` shows it.")
