"""How a rollout of a flag ends: said in the trail when all went well, taken back when its run died without a word.

Both know from the audit trail alone what the run has made of the flag.
"""

from __future__ import annotations

from switchover.errors import LedgerConflictError
from switchover.flags.ports import FlagStore
from switchover.flags.rollout_trail import FlagRollout, find_flag, find_steps, has_ended
from switchover.flags.snapshot import Change
from switchover.operations.flag_owner import require_ours
from switchover.operations.flag_rollout import take_flag_back


def end_flag_rollout(store: FlagStore, rollout: FlagRollout) -> None:
    """Say that the last step was watched to its end: whatever becomes of the run now, the flag stays.

    The flag itself is written as it is. Repeating it, and a rollout that had no step to make, change nothing.
    Raises `FencedError` when somebody else has changed the flag since the last step.
    """
    part = f"flags/{rollout.flag}"
    while True:
        snapshot, history = store.read(), store.history()
        if has_ended(history, rollout) or not find_steps(history, rollout.flag, rollout.run):
            return
        require_ours(store, rollout)
        try:
            store.write(snapshot, {part: snapshot.flag(rollout.flag)}, rollout.end_note())
        except LedgerConflictError:
            continue  # another flag of the set, or this one: look again
        return


def take_run_back(store: FlagStore, run: str, *, flag: str | None = None, who: str, why: str) -> Change | None:
    """Put the flag that a run has raised back to where the run began; with `flag` only if it is that one.

    None, and nothing is changed, where the run has raised no flag, has ended well, was taken back already, or somebody
    else has taken the flag over. Raises what the store raises.
    """
    raised = find_flag(store.history(), run)
    if raised is None or flag not in {None, raised}:
        return None
    return take_flag_back(store, raised, run, who=who, why=why)
