"""The command that the cluster is made for, and what a request to end does to it."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

from switchover.errors import InputError


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run it with our input and output; its exit status, 128 more than the signal that ended it.

    SIGTERM is passed on to it once. SIGINT is not: a terminal sends that to both of us.
    """
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise InputError(
            f"{command[0]} cannot be run",
            expected="a program on the PATH",
            found=str(error),
            next_step="correct what stands after --",
        ) from error

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return exit_status(process.wait())


def exit_status(code: int) -> int:
    """What a shell reports for this return code, which is negative for the signal that ended the process."""
    return code if code >= 0 else 128 - code
