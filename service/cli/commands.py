"""`python -m service …`: the short commands, and the groups of others that are added to them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from service import __version__, app, clients, topics
from service.cli import asking, forgetting, importing
from service.cli.dead_letters import dead_letters
from service.cli.schemas import schemas
from service.cli.terminal import (
    BUILD,
    LOOK,
    MEND,
    RUN,
    SEE,
    AsJson,
    finish,
    log_lines,
    misused,
    paragraphs,
    settings_or_stop,
    stop,
)
from service.demo import stage
from service.demo.drawing import draw
from service.domain.timeline import timeline
from service.flow import utc_now
from service.local import servers
from service.local.jars import cache
from service.messages.outcomes import SubscriptionTimeline, as_read
from service.ops import adjustments, held
from service.ops import preview as previewing
from service.ops.report import report
from service.ops.verify import Scope
from service.settings import Settings, Topics
from service.store import policies, roles, subscriptions
from service.store.migrate import migrate as apply_migrations

_ABOUT = """
Settings come from the environment: KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL say where Kafka and Postgres are, the
README lists the others. COMMAND --help says more of each.

Exit codes: 0 done; 1 not done, or something was found that is to be looked at (one sentence on stderr says what); 2 the
command is wrong; 130 interrupted.
"""
cli = typer.Typer(
    help="Puts cancelled subscriptions right: when they end, what is shortened, what stops, what is given back.",
    epilog=paragraphs(_ABOUT),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(asked: bool) -> None:  # noqa: FBT001  as the option hands it over
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@cli.callback()
def _options(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Takes what stands before the command."""


@cli.command(rich_help_panel=SEE)
def local(
    data: Annotated[Path | None, typer.Option(help="Keep the data here and go on from it next time.")] = None,
    *,
    only_servers: Annotated[bool, typer.Option("--only-servers", help="Kafka and Postgres, no service.")] = False,
) -> None:
    """Run an embedded Kafka and Postgres with the service; one line of JSON on stdout says when they are ready."""
    settings, names = settings_or_stop()
    log_lines()
    finish(_local(settings, names, data, only_servers=only_servers))


@cli.command(rich_help_panel=SEE)
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards, for events of your own.")] = False,
) -> None:
    """Play one morning's cancellations through an embedded Kafka and Postgres, and show what comes of them."""
    settings, names = settings_or_stop()
    log = cache() / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        log_lines(stream)
        finished = finish(stage.demo(settings, names, Console(), keep=keep))
    if not finished:
        raise typer.Exit(130)


@cli.command(rich_help_panel=RUN)
def run() -> None:
    """Run the service against KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL until SIGINT or SIGTERM."""
    settings, names = settings_or_stop()
    log_lines()
    finish(app.run(settings, names, lambda _: None))


@cli.command("timeline", rich_help_panel=LOOK)
def show_timeline(
    subscription: Annotated[str, typer.Argument(help="The id of the subscription.")],
    tenant: Annotated[str, typer.Option(help="The tenant it belongs to.")] = "default",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As it is published, for programs.")] = False,
) -> None:
    """Show the timeline of a subscription: when it ends, what was billed, kept and given back, and why."""
    settings, _ = settings_or_stop()
    shown = finish(_timeline(settings, (tenant, subscription)))
    if shown is None:
        stop(f"There is no subscription {subscription} of tenant {tenant}.")
    if as_json:
        typer.echo(shown.model_dump_json(indent=2))
    else:
        Console().print(draw(shown))


@cli.command(rich_help_panel=LOOK)
def preview(
    subscription: Annotated[str, typer.Argument(help="The id of the subscription.")],
    tenant: Annotated[str, typer.Option(help="The tenant it belongs to.")] = "default",
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="An end date as well: the first day not active.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what each way to end a subscription would come to today, side by side; nothing is asked for."""
    settings, _ = settings_or_stop()
    day = None if date is None else date.date()
    shown = finish(previewing.read(settings, (tenant, subscription), day, utc_now()))
    if shown is None:
        stop(f"There is no subscription {subscription} of tenant {tenant}.")
    if as_json:
        typer.echo(json.dumps(previewing.document(shown), indent=2))
    else:
        Console().print(previewing.draw(shown))


@cli.command(rich_help_panel=LOOK)
def verify(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's subscriptions.")] = None,
    subscription: Annotated[str | None, typer.Option(help="Only the subscription with this id.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Recompute every subscription from its facts and name what is stored or published otherwise; 1 if anything is."""
    settings, names = settings_or_stop()
    if finish(report(settings, names, Scope(tenant, subscription), Console(), as_json=as_json)):
        raise typer.Exit(1)


@cli.command("adjustments", rich_help_panel=LOOK)
def show_adjustments(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    older_than: Annotated[int, typer.Option(min=0, metavar="DAYS", help="Only those that have waited so long.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List the adjustments that invoicing has not carried out yet, the oldest first."""
    settings, _ = settings_or_stop()
    waiting = finish(adjustments.read(settings, tenant, timedelta(days=older_than), limit, utc_now()))
    if as_json:
        typer.echo(json.dumps(adjustments.document(waiting), indent=2))
    else:
        Console().print(adjustments.draw(waiting, limit))


@cli.command("held", rich_help_panel=LOOK)
def show_held(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the subscriptions that are held because a decision failed: since when, why, and how many events wait."""
    settings, _ = settings_or_stop()
    found = finish(held.read(settings, tenant))
    if as_json:
        typer.echo(json.dumps(held.document(found), indent=2))
    else:
        Console().print(held.draw(found, utc_now()))


@cli.command(rich_help_panel=MEND)
def resume(
    subscription: Annotated[str | None, typer.Argument(help="The id of a held subscription.")] = None,
    tenant: Annotated[
        str | None, typer.Option(help="The tenant it belongs to; with --all, only this tenant's.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every held subscription.")] = False,
    as_json: AsJson = False,
) -> None:
    """Decide what waits for held subscriptions, in order; what fails again stays held, and the exit code is then 1."""
    settings, names = settings_or_stop()
    if everything == (subscription is not None):
        misused("Name one subscription, or --all.")
    log_lines()
    done = finish(held.resume(settings, names, tenant if everything else tenant or "default", subscription))
    if not done and subscription is not None:
        stop(f"No subscription {subscription} of tenant {tenant or 'default'} is held.")
    if as_json:
        typer.echo(json.dumps(held.resumed(done), indent=2))
    elif not done:
        typer.echo("No subscription is held.")
    else:
        for each, again in done:
            outcome = f"{each.waiting} events decided" if again is None else f"still held: {again.because}"
            typer.echo(f"{each.key[0]} {each.key[1]}: {outcome}")
    if any(again is not None for _, again in done):
        raise typer.Exit(1)


@cli.command("topics", rich_help_panel=RUN)
def create_topics(*, as_json: AsJson = False) -> None:
    """Create the topics that are missing."""
    settings, names = settings_or_stop()
    _list("created", finish(topics.create(settings, names)), as_json=as_json)


@cli.command(rich_help_panel=RUN)
def migrate(
    *,
    with_roles: Annotated[
        bool, typer.Option("--roles", help="Create the roles of the service and of the reader as well.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database to this release's schema, and grant the roles that exist what is theirs.

    The user that runs it owns the tables. The service does so by itself when it starts, where its user may.
    """
    settings, _ = settings_or_stop()
    created, applied = finish(_migrate(settings, with_roles=with_roles))
    if as_json:
        typer.echo(json.dumps({"created_roles": created, "applied": applied}))
    else:
        for name in created:
            typer.echo(f"created role {name}")
        _list("applied", applied, as_json=False)


asking.add_to(cli)
forgetting.add_to(cli)
importing.add_to(cli)
cli.add_typer(dead_letters, name="dead-letters", rich_help_panel=MEND)
cli.add_typer(schemas, name="schemas", rich_help_panel=BUILD)


def _list(done: str, names: list[str], *, as_json: bool) -> None:
    """What has been done, a line each; a line as well where there was nothing to do."""
    if as_json:
        typer.echo(json.dumps({done: names}))
    else:
        typer.echo("\n".join(f"{done} {name}" for name in names) or f"nothing to do: all of it is {done}")


async def _local(settings: Settings, names: Topics, data: Path | None, *, only_servers: bool) -> None:
    async with servers(data) as found:
        update: dict[str, Any] = {} if "HTTP_BIND" in os.environ else {"http_bind": "127.0.0.1:0"}
        settings = settings.at(found.kafka, found.postgres).model_copy(update=update)
        await topics.create(settings, names)
        addresses = {"kafka": found.kafka, "postgres": found.postgres}
        if only_servers:
            typer.echo(json.dumps(addresses))
            await _stopped()
        else:
            await app.run(settings, names, lambda http: typer.echo(json.dumps({**addresses, "http": http})))


async def _stopped() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


async def _timeline(settings: Settings, key: subscriptions.Key) -> SubscriptionTimeline | None:
    async with clients.connected(settings) as connection:
        found = await subscriptions.read(connection, key)
        rules = settings.rules((await policies.read(connection, [key[0]])).get(key[0], ()))
        return None if found is None else as_read(timeline(found, utc_now(), rules))


async def _migrate(settings: Settings, *, with_roles: bool) -> tuple[list[str], list[str]]:
    names = roles.Roles(*settings.database_roles)
    async with clients.connected(settings) as connection:
        created = await roles.create(connection, names) if with_roles else []
        applied = await apply_migrations(connection)
        await roles.grant(connection, names)
        return created, applied
