"""The entry point of `switchover`: which command, and what any failure looks like.

Exit status: 0 done, 1 failed, 2 the caller's input is wrong, 130 interrupted, 141 nobody reads the output.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import click

from switchover.cli.commands import LazyGroup
from switchover.cli.failures import show_problem, show_unexpected, show_usage_error
from switchover.errors import SwitchoverError

INTERRUPTED = 130
NOBODY_READS = 141

_NAME = "switchover"
_COMPLETION_VARIABLE = "_SWITCHOVER_COMPLETE"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="switchover")
def switchover() -> None:
    """Release a monorepo, bring it live blue-green, and take it back by itself when it is bad."""


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str], connect: Callable[..., object] | None = None) -> int:
    """Run one command line and return its exit status; nothing but `SystemExit` of a command's own leaves.

    `connect` replaces how commands reach an environment, for those who bring their own ports.
    """
    as_json = "--json" in arguments
    try:
        status = _guard(list(arguments), connect, as_json=as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more on its way out, and must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    return status


def _guard(arguments: list[str], connect: Callable[..., object] | None, *, as_json: bool) -> int:
    try:
        return _invoke(arguments, connect)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except SwitchoverError as error:
        return show_problem(error, as_json=as_json)
    except click.ClickException as error:
        return show_usage_error(error, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the one place where a defect becomes a line instead of a traceback
        return show_unexpected(error, as_json=as_json)


def _invoke(arguments: list[str], connect: Callable[..., object] | None) -> int:
    """Run the command; return the status that it returns, 0 for none.

    click's own `main` would turn interruptions and broken pipes into its kind of failure.
    """
    if _COMPLETION_VARIABLE in os.environ:
        switchover.main(prog_name=_NAME)
    with switchover.make_context(_NAME, arguments or ["--help"], obj=connect) as context:
        status = switchover.invoke(context)
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    main()
