"""`python -m service forget`: a customer's personal data taken out of everything that is stored and kept."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from service.cli.terminal import MEND, AsJson, finish, paragraphs, settings_or_stop, stop
from service.ops.forgetting import Customer, Forgotten, find, forget

_HELP = """
Take a customer's personal data out of all that is stored, and out of the timelines and dead letters; the books stay.

DATABASE_URL is to be that of the user who owns the tables: the service's may not change the history. Workers go on
meanwhile, and one has to run: it publishes the timelines anew. The same command goes on where it was interrupted. See
deploy/PERSONAL-DATA.md for what is stored where, and for what this does not reach.
"""


def add_to(cli: typer.Typer) -> None:
    """Adds the command."""
    cli.command("forget", help=paragraphs(_HELP.strip()), rich_help_panel=MEND)(forget_customer)


def forget_customer(
    customer: Annotated[str, typer.Argument(help="The customer's id, as the events say it.")],
    tenant: Annotated[str, typer.Option(help="The tenant whose customer it is.")] = "default",
    by: Annotated[str | None, typer.Option(help="On whose behalf, such as a ticket's number; it is kept.")] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(help="Further words, such as a name, by which dead letters are known to be about the customer."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be forgotten.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forgets a customer."""
    settings, topics = settings_or_stop()
    whom = Customer(tenant, customer, tuple(also or ()))
    if not all((customer, *whom.also)):
        stop("Name the customer, and with --also words that are not empty.")
    if dry_run:
        found = finish(find(settings, topics, whom))
    elif by is None:
        stop("Say with --by on whose behalf, such as a ticket's number; --dry-run only looks.")
    else:
        found = finish(forget(settings, topics, whom, by, lambda line: typer.echo(line, err=True)))
    if as_json:
        typer.echo(json.dumps(found.document, indent=2, ensure_ascii=False))
    else:
        typer.echo(_told(found, dry_run=dry_run))
    if found.left:
        raise typer.Exit(1)


def _told(found: Forgotten, *, dry_run: bool) -> str:
    if not (found.subscriptions or found.dead_letters):
        return "Nothing is stored of this customer."
    done, clean = "would be" if dry_run else "are", len(found.subscriptions) - len(found.left)
    lines = [
        f"{clean} subscriptions with {found.facts} facts {done} without the person",
        f"{len(found.dead_letters)} dead letters {done} taken off: {', '.join(found.dead_letters) or 'none'}",
    ]
    if found.pseudonym is not None:
        lines.append(f"the customer's id is now {found.pseudonym}")
    lines += [f"left as it was: {tenant} {name} {why}" for (tenant, name), why in found.left.items()]
    lines += [f"an id that others have in their books too names the customer: {each}" for each in found.references]
    lines += [
        f"{topic} keeps what was sent for ever: give it a retention"
        if at is None
        else f"{topic} holds nothing of what was sent until now after {at:%Y-%m-%d %H:%M} UTC"
        for topic, at in found.expires.items()
    ]
    return "\n".join(lines)
