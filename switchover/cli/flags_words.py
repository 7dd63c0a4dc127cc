"""A flag in words: its state, and what it serves to whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from switchover.errors import InputError
from switchover.flags.additions import Additions, is_killed, read_additions
from switchover.flags.change_kill import revive
from switchover.flags.rules import Split, describe_rule, read_rule
from switchover.flags.shares import Shares
from switchover.flags.snapshot import Json

_SHOWN = 60
_DEFAULT = "the default variant"  # as `describe_rule` ends where a rule leaves the rest to the flag


def name_state(flag: Mapping[str, Json]) -> str:
    """`killed`, `disabled` or `enabled`; `broken` where there are no variants to serve."""
    if not _variants(flag):
        return "broken"
    if read_additions(flag).kill is not None:
        return "killed"
    return "disabled" if flag.get("state") == "DISABLED" else "enabled"


def describe_served(flag: Mapping[str, Json]) -> str:
    """What the flag serves now, on one line."""
    additions = read_additions(flag)
    if flag.get("state") == "DISABLED":
        return "each caller's own default (disabled)"
    wanted = _describe_prerequisites(additions)
    return _describe_rules(flag, additions) + (f" (only where {wanted})" if wanted else "")


def describe_revived(flag: Mapping[str, Json]) -> str | None:
    """What a killed flag would serve if it were revived, on one line; None for one that is not killed."""
    if not is_killed(flag):
        return None
    try:
        return describe_served(revive(dict(flag)))
    except InputError:
        return "nobody can say: the targeting was changed under the kill (`show` prints it)"


def _describe_rules(flag: Mapping[str, Json], additions: Additions) -> str:
    if additions.kill is not None:
        return f"everybody: {_with_value(flag, additions.kill)} (killed)"
    default = flag.get("defaultVariant")
    last = _with_value(flag, default) if isinstance(default, str) else "each caller's own default"
    targeting = flag.get("targeting")
    if not targeting:
        return f"everybody: {last}"
    rule = read_rule(targeting)
    if rule is None:
        return f"by a rule of its own (`show` prints it), else {last}"
    told = describe_rule(rule)
    return told.removesuffix(_DEFAULT) + last if told.endswith(_DEFAULT) else told


def describe_flag(flag: Mapping[str, Json]) -> list[tuple[str, str]]:
    """The flag in lines of a name and what there is to say."""
    additions = read_additions(flag)
    description = _metadata(flag).get("description")
    lines = [
        ("state", name_state(flag)),
        ("serves", describe_served(flag)),
        ("when revived", describe_revived(flag) or ""),
        ("without a key", _describe_keyless(flag)),
        ("variants", ", ".join(f"{name} = {shorten(value)}" for name, value in _variants(flag).items())),
        ("default", str(flag.get("defaultVariant") or "each caller's own")),
        ("off", additions.off or ""),
        ("description", description if isinstance(description, str) else ""),
        *_describe_additions(additions),
    ]
    return [(name, text) for name, text in lines if text]


def _describe_keyless(flag: Mapping[str, Json]) -> str:
    """What a context without a targeting key gets of a split; empty where no split decides."""
    rule = None if is_killed(flag) else read_rule(flag.get("targeting"))
    outcomes = [] if rule is None else [rule.last, *(branch.outcome for branch in rule.branches)]
    if not any(isinstance(each, Split) and Shares(each.shares).whole is None for each in outcomes):
        return ""
    default = flag.get("defaultVariant")
    what = _with_value(flag, default) if isinstance(default, str) else "the caller's own default"
    return f"{what} in place of a percentage: without a targeting key nobody can be spread"


def shorten(value: object) -> str:
    """The value as JSON, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def list_entry(key: str, flag: Mapping[str, Json]) -> dict[str, Any]:
    """The flag in `list --json`."""
    additions = read_additions(flag)
    return {
        "key": key,
        "state": name_state(flag),
        "serves": describe_served(flag),
        "owner": additions.owner,
        "created": additions.created and additions.created.isoformat(),
        "expires": additions.expires and additions.expires.isoformat(),
        "when_revived": describe_revived(flag),
        "killed": additions.kill is not None,
        "experiment": additions.experiment,
    }


def _describe_additions(additions: Additions) -> list[tuple[str, str]]:
    return [
        ("prerequisites", _describe_prerequisites(additions)),
        ("experiment", "yes: exposures are recorded" if additions.experiment else ""),
        ("owner", additions.owner or ""),
        ("created", additions.created.isoformat() if additions.created else ""),
        ("expires", additions.expires.isoformat() if additions.expires else ""),
    ]


def _describe_prerequisites(additions: Additions) -> str:
    return ", ".join(f"{flag} serves {variant}" for flag, variant in additions.prerequisites.items())


def _with_value(flag: Mapping[str, Json], variant: str) -> str:
    value = _variants(flag).get(variant)
    return variant if value is None or value == variant else f"{variant} ({shorten(value)})"


def _variants(flag: Mapping[str, Json]) -> Mapping[str, Json]:
    variants = flag.get("variants")
    return variants if isinstance(variants, dict) else {}


def _metadata(flag: Mapping[str, Json]) -> Mapping[str, Json]:
    metadata = flag.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
