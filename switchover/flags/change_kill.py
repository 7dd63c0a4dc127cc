"""Killing a flag and reviving it.

A kill wraps the targeting, so that every evaluator of flagd's schema obeys it, in any language. The wrap is
`{"if": [true, "<off>", <what was there>]}`: the rule, or the default variant where there was none, or nothing at all
where there was an empty one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from switchover.flags.additions import KILL, KILLED_STATE, OFF, is_killed, off_variant
from switchover.flags.change_refusals import refused, require_variant, variants_of
from switchover.flags.definition_mistakes import show
from switchover.flags.snapshot import Json

Flag: TypeAlias = dict[str, Json]


def kill(flag: Flag, variant: str | None = None) -> Flag:
    """Serve the variant to everybody; where none is named, the one of `switchover.off` or the only false one.

    A flag that is killed already stays as it is, unless another variant is named. A disabled flag becomes enabled for
    as long as it is killed: the variant is served, not the caller's default.
    """
    if is_killed(flag):
        if variant in {None, _metadata(flag)[KILL]}:
            return flag
        flag = revive(flag)
    off = variant if variant is not None else off_variant(flag)
    if off is None:
        raise refused(
            "the flag cannot be killed: nobody has said what it then serves",
            f"{OFF} in its metadata, or exactly one variant that is false",
            f"variants {', '.join(list(variants_of(flag))[:12])}",
            f"name the variant to serve, and set {OFF} for the next time",
        )
    require_variant(flag, off)
    metadata = {**_metadata(flag), KILL: off}
    if flag.get("state") == "DISABLED":
        metadata[KILLED_STATE] = "DISABLED"
    return {**flag, "state": "ENABLED", "targeting": {"if": [True, off, *_kept(flag)]}, "metadata": metadata}


def revive(flag: Flag) -> Flag:
    """Make the flag what it was before the kill, together with the edits since; one that is not killed stays.

    Exact, but for an empty `metadata`, which is left out.
    """
    if not is_killed(flag):
        return flag
    metadata = dict(_metadata(flag))
    state = metadata.pop(KILLED_STATE, flag.get("state"))
    del metadata[KILL]
    revived: Flag = {**flag, "state": state, "targeting": _unwrapped(flag), "metadata": metadata}
    return {
        key: value for key, value in revived.items() if key not in {"targeting", "metadata"} or _is_kept(key, value)
    }


def edit_inside(flag: Flag, edit: Callable[[Flag], Flag]) -> Flag:
    """Edit what the flag is when it is not killed; a killed one stays killed."""
    if not is_killed(flag):
        return edit(flag)
    inner = revive(flag)
    edited = edit(inner)
    off = _metadata(flag)[KILL]
    return flag if edited == inner else kill(edited, off if isinstance(off, str) else None)


def _is_kept(key: str, value: Json) -> bool:
    return value is not None if key == "targeting" else bool(value)


def _kept(flag: Flag) -> list[Json]:
    targeting = flag.get("targeting")
    if targeting is None:
        return [flag.get("defaultVariant")]
    return [targeting] if targeting else []


def _unwrapped(flag: Flag) -> Json:
    """The targeting inside; None where there was none."""
    targeting = flag.get("targeting")
    branches = targeting.get("if") if isinstance(targeting, dict) and len(targeting) == 1 else None
    if not isinstance(branches, list) or len(branches) not in {2, 3} or branches[0] is not True:
        raise refused(
            "the flag cannot be revived: its targeting was changed while it was killed",
            '{"if": [true, "<the variant that is served>", <the rule>]}',
            show(targeting),
            f"set the flag's JSON anew, without {KILL}",
        )
    if len(branches) == 2:  # noqa: PLR2004
        return {}
    return branches[2] if isinstance(branches[2], dict) else None


def _metadata(flag: Flag) -> dict[str, Json]:
    metadata = flag.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
