"""The command line: what each command is called, what it takes, and what it says; what it does is in `service.ops`.

Everything a person got wrong ends with one sentence on what to do and the exit code 2; what is not done, or what was
found, with 1. No other part of the service imports this package.
"""

from service.cli.commands import cli

__all__ = ["cli"]
