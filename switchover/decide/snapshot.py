"""Snapshot releases: versions for trying things out, which no range ever finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from switchover.errors import InputError

BASE = "0.0.0"
SHORT = 7
SHORT_COMMIT_SINCE = 3


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot: `taken_at` in milliseconds since 1970, the full hash of the commit, and a tag if there is one."""

    taken_at: int
    commit: str = ""
    tag: str | None = None


def write_suffix(snapshot: Snapshot, template: str, compat: int) -> str:
    """The part of the version after the hyphen. An empty template is `{tag}-{datetime}`.

    Raises `InputError` for a template that does not fit the snapshot. Whether versions come of it is not looked at.
    """
    values = _list_values(snapshot, compat)
    if not template:
        suffix = "-".join(part for part in (snapshot.tag, values["datetime"]) if part)
    else:
        if "{tag}" not in template and snapshot.tag is not None:
            raise _refuse(template, "{tag} in it, since the snapshot has a tag", repr(snapshot.tag))
        suffix = template
        for name, value in values.items():
            if f"{{{name}}}" in suffix and value is None:
                raise _refuse(template, f"a value for {{{name}}}", "a snapshot without one")
            suffix = suffix.replace(f"{{{name}}}", value or "")
    return suffix


def _list_values(snapshot: Snapshot, compat: int) -> dict[str, str | None]:
    short = {"commit-short": snapshot.commit[:SHORT] or None} if compat >= SHORT_COMMIT_SINCE else {}
    moment = datetime.fromtimestamp(snapshot.taken_at // 1000, UTC)
    return {
        "commit": snapshot.commit or None,
        **short,
        "tag": snapshot.tag,
        "timestamp": str(snapshot.taken_at),
        "datetime": moment.strftime("%Y%m%d%H%M%S"),
    }


def _refuse(template: str, expected: str, found: str) -> InputError:
    return InputError(
        "the versions of a snapshot cannot be made",
        expected=f"{expected}, as the template {template!r} asks" if template else expected,
        found=found,
        next_step="correct 'snapshot.prereleaseTemplate' in .changeset/config.json, or the tag",
    )
