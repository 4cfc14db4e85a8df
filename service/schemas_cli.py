"""The command line's part about the contract: `python -m service schemas …`."""

from __future__ import annotations

from typing import Annotated

import typer

from service.schemas import files
from service.terminal import stop

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
    stale = files.stale()
    if check and stale:
        stop(f"{len(stale)} files in {files.FOLDER} are not fresh; run: python -m service schemas")
    if not check:
        files.write()
    typer.echo(f"{files.FOLDER}: {'fresh' if check else 'written'}")
