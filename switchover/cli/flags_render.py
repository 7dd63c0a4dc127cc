"""What commands that change flags say: the difference, what came of it, who has confirmed it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from switchover.cli.flags_words import describe_revived, describe_served
from switchover.cli.output import is_terminal
from switchover.flags.snapshot import Acknowledgement, Change, Edits, Json
from switchover.operations.flag_changes import ChangePlan, count_edits
from switchover.operations.flag_proof import FRESH_SECONDS, Outcome, Proof

_LISTED = 20
_WHOLE = {"import", "restore"}
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def render_diff(plan: ChangePlan, place: str) -> str:
    """The plan as a unified diff of the JSON of each part; coloured at a terminal."""
    if not plan.edits:
        return f"nothing would change: the flags are so already (version {plan.snapshot.version} of {place})"
    lines = [line for part, after in sorted(plan.edits.items()) for line in _diff(part, plan.before[part], after)]
    told = [_paint(line) for line in lines] if is_terminal() else lines
    then = f"version {plan.snapshot.version + 1} of {place}"
    return "\n".join([*told, f"nothing was changed: this would make {then} ({_sum_up(plan.before, plan.edits)})"])


def render_change(subject: str, made: Change, place: str) -> str:
    """What is true now, and which version of which set that is; of a whole set also how much."""
    if not made.edits:
        return f"{subject}: nothing to change, it is so already (version {made.version} of {place})"
    told = [_now(part, after) for part, after in sorted(made.edits.items())]
    more = [f"… and {len(told) - _LISTED} more"] if len(told) > _LISTED else []
    why = f": {made.note.why}" if made.note.why else ""
    counted = [_sum_up(made.before, made.edits)] if made.note.action in _WHOLE else []
    version = f"version {made.version} of {place} by {made.note.who}{why}"
    return "\n".join([*told[:_LISTED], *more, *counted, version])


def render_proof(proof: Proof) -> str:
    """Who confirmed, and each who did not with where it is; or why nothing is proven."""
    if proof.outcome not in {Outcome.CONFIRMED, Outcome.LATE}:
        return f"not proven: {proof.why} (version {proof.version}, after {proof.seconds:.3f} s)"
    done, all_of_them = len(proof.acknowledged), len(proof.acknowledged) + len(proof.missing)
    line = f"{done} of {all_of_them} processes confirmed version {proof.version} after {proof.seconds:.3f} s"
    missing = [f"  not yet: {_name(each)}" for each in proof.missing]
    return "\n".join([line, *missing])


def show_proof(proof: Proof | None) -> dict[str, Any] | None:
    """The proof in JSON."""
    if proof is None:
        return None
    return {
        "complete": proof.complete,
        "outcome": proof.outcome,
        "why": proof.why,
        "version": proof.version,
        "seconds": round(proof.seconds, 6),
        "acknowledged": proof.acknowledged,
        "missing": proof.missing,
    }


def _name(process: Acknowledgement) -> str:
    ago = process.seen_seconds_ago
    heard = f"heard of {ago:.1f} s ago"
    if ago > FRESH_SECONDS:
        since = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%H:%M:%SZ")
        heard = f"silent since {since}, {ago:.0f} s ago: it was killed, or hangs, or is cut off"
    return f"{process.host} pid {process.pid}, serves version {process.version}, {heard} ({process.instance})"


def _sum_up(before: Edits, after: Edits) -> str:
    return ", ".join(f"{number} {what}" for what, number in count_edits(before, after).items())


def _now(part: str, after: Json) -> str:
    section, _, name = part.partition("/")
    if after is None:
        return f"{name if section == 'flags' else part}: gone"
    if section == "flags" and isinstance(after, dict):
        revived = describe_revived(after)
        return f"{name}: {describe_served(after)}" + (f"; when revived: {revived}" if revived else "")
    return f"{part}: changed"


def _diff(part: str, before: Json, after: Json) -> Iterable[str]:
    old, new = (_lines(value) for value in (before, after))
    return difflib.unified_diff(old, new, f"{part} (now)", f"{part} (then)", lineterm="")


def _lines(value: Json) -> list[str]:
    return [] if value is None else json.dumps(value, indent=2, ensure_ascii=False).splitlines()


def _paint(line: str) -> str:
    colour = _COLOURS.get(line[:1])
    return click.style(line, fg=colour) if colour else line
