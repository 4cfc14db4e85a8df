"""`python -m service …`: the command line is in `service.cli`."""

import sys


def main() -> None:
    """Runs the command line; a Ctrl-C ends it without a traceback, even while it is still being loaded."""
    try:
        from service.cli import cli  # noqa: PLC0415  what takes the time is to be inside the try

        cli()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
