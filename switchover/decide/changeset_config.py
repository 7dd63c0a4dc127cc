"""What `.changeset/config.json` says about versions. Everything else in it is not ours to follow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from switchover.decide.plan_settings import NEWEST, PlanSettings
from switchover.errors import InputError

FILE = ".changeset/config.json"
EXPERIMENTAL = "___experimentalUnsafeOptions_WILL_CHANGE_IN_PATCH"
_Value = TypeVar("_Value")
_KINDS: dict[type, str] = {bool: "true or false", str: "a text", dict: "an object"}


@dataclass(frozen=True, slots=True)
class ChangesetConfig:
    """Groups and exceptions. Lists hold names or globs; `private_packages`: private ones are versioned too.

    None: the file does not say, and the major of changesets decides. `present`: there is such a file.
    """

    private_packages: bool | None = None
    ignore: tuple[str, ...] = ()
    fixed: tuple[tuple[str, ...], ...] = ()
    linked: tuple[tuple[str, ...], ...] = ()
    present: bool = False
    follow_always: bool = False
    peers_when_left: bool = False
    workspace_protocol_only: bool = False
    calculated_snapshots: bool | None = None
    calculated_snapshots_before: bool = False
    snapshot_template: str = ""


def parse_changeset_config(text: str) -> ChangesetConfig:
    """Read the file's text. Raises `InputError` for what is not JSON, has another shape, or contradicts itself."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _refuse("JSON", str(error)) from error
    if not isinstance(document, dict):
        raise _refuse("a JSON object", type(document).__name__)
    snapshot = _read(document, "snapshot", dict) or {}
    experimental = _read(document, EXPERIMENTAL, dict) or {}
    dependents = experimental.get("updateInternalDependents", "out-of-range")
    if dependents not in {"out-of-range", "always"}:
        raise _refuse("out-of-range or always under 'updateInternalDependents'", repr(dependents))
    template = _read(snapshot, "prereleaseTemplate", str)
    if template is not None and not template:
        raise _refuse("a template under 'snapshot.prereleaseTemplate'", "an empty text")
    return ChangesetConfig(
        private_packages=_read_private(document),
        ignore=_read_names(document.get("ignore", []), "ignore"),
        fixed=_read_groups(document.get("fixed", []), "fixed"),
        linked=_read_groups(document.get("linked", []), "linked"),
        present=True,
        follow_always=dependents == "always",
        peers_when_left=_read(experimental, "onlyUpdatePeerDependentsWhenOutOfRange", bool) or False,
        workspace_protocol_only=_read(document, "bumpVersionsWithWorkspaceProtocolOnly", bool) or False,
        calculated_snapshots=_read(snapshot, "useCalculatedVersion", bool),
        calculated_snapshots_before=_read(experimental, "useCalculatedVersionForSnapshots", bool) or False,
        snapshot_template=template or "",
    )


def choose_settings(config: ChangesetConfig, compat: int) -> PlanSettings:
    """The settings of a plan as that major of changesets reads them out of its configuration."""
    newest = compat >= NEWEST
    calculated = config.calculated_snapshots
    if calculated is None:
        calculated = not newest and config.calculated_snapshots_before
    return PlanSettings(
        private_packages=not newest if config.private_packages is None else config.private_packages,
        ignore=config.ignore,
        fixed=config.fixed,
        linked=config.linked,
        compat=compat,
        follow_always=config.follow_always,
        peers_when_left=config.peers_when_left,
        workspace_protocol_only=config.workspace_protocol_only,
        guarded=config.present,
        calculated_snapshots=calculated,
        snapshot_template=config.snapshot_template,
    )


def _read_private(document: dict[str, Any]) -> bool | None:
    private = document.get("privatePackages")
    if private is None or isinstance(private, bool):
        return private
    if not isinstance(private, dict):
        raise _refuse("true, false or an object under 'privatePackages'", repr(private))
    version, tag = _read(private, "version", bool), _read(private, "tag", bool)
    if tag and version is False:
        raise _refuse("'privatePackages.tag' only together with 'privatePackages.version'", repr(private))
    return version


def _read(table: dict[str, Any], key: str, kind: type[_Value]) -> _Value | None:
    """The value, None where there is none."""
    value = table.get(key)
    if key in table and not isinstance(value, kind):
        raise _refuse(f"{_KINDS[kind]} under {key!r}", repr(value))
    return value if isinstance(value, kind) else None


def _read_groups(value: Any, key: str) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list):
        raise _refuse(f"a list of lists of names under {key!r}", repr(value))
    return tuple(_read_names(group, key) for group in value)


def _read_names(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _refuse(f"a list of names under {key!r}", repr(value))
    return tuple(value)


def _refuse(expected: str, found: str) -> InputError:
    return InputError(f"{FILE} cannot be read", expected=expected, found=found, next_step="correct the file")
