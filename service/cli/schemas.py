"""The command line's part about the contract: `python -m service schemas …`."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.terminal import settings_or_stop, stop
from service.schemas import files, registry

schemas = typer.Typer(help="The contract as files: JSON Schemas and AsyncAPI.", pretty_exceptions_enable=False)


@schemas.callback(invoke_without_command=True)
def write(
    context: typer.Context,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say whether they are fresh.")] = False,
) -> None:
    """Write schemas/events and schemas/asyncapi.yaml as they follow from the models, or see whether they do."""
    if context.invoked_subcommand is not None:
        return
    if not files.FOLDER.is_dir():
        stop(f"There is no folder {files.FOLDER}: run it in a checkout.")
    stale = files.stale()
    if check and stale:
        stop(f"{len(stale)} files in {files.FOLDER.name} are not fresh; run: python -m service schemas")
    if not check:
        files.write()
    typer.echo(f"{files.FOLDER.name}: {'fresh' if check else 'written'}")


@schemas.command()
def register(
    url: Annotated[str, typer.Argument(help="Of the registry; with name and password if it asks for them.")],
) -> None:
    """Hand the schemas to a schema registry (Confluent's HTTP API); topics are named as the environment says."""
    _, topics = settings_or_stop()
    try:
        for each in registry.register(url, topics):
            done = "registered" if each.new else "known"
            typer.echo(f"{each.subject}: version {each.version}, id {each.id}, {done}")
    except registry.RegistryError as error:
        stop(str(error))
