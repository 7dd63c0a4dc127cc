"""Which failures are worth another try."""

from __future__ import annotations

from typing import Any

from switchover.errors import BusyError, FencedError, InputError, LedgerUnreadableError, UnhealthyError

POINTLESS = (InputError, UnhealthyError, FencedError, BusyError, LedgerUnreadableError)


def worth_repeating(_task: Any, _run: Any, state: Any) -> bool:
    """Repeat what the world may let pass the next time; never a verdict, a fence or a user's mistake."""
    try:
        state.result()
    except POINTLESS:
        return False
    except Exception:  # noqa: BLE001 whatever else a task raised may pass the next time
        return True
    return False
