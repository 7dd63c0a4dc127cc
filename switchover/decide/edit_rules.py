"""What `.changeset/config.json` says about rewriting files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from switchover.decide.bumps import Bump
from switchover.decide.changeset_config import FILE, ChangesetConfig, parse_changeset_config
from switchover.decide.range_rewriting import RangeRules
from switchover.decide.versions import VersionPlan
from switchover.errors import InputError

DEFAULT_CHANGELOG = "@changesets/cli/changelog"
OWN_CHANGELOGS = frozenset({DEFAULT_CHANGELOG, "@changesets/changelog-git"})


@dataclass(frozen=True, slots=True)
class EditRules:
    """How files are rewritten. `skipped` are the packages that are never versioned: their changesets stay.

    `notices` are sentences about settings that are followed in another way.
    """

    ranges: RangeRules = field(default_factory=RangeRules)
    changelog: bool = True
    skipped: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()


def read_edit_rules(config: str | None, plan: VersionPlan) -> EditRules:
    """The rules in the text of the file, changesets' own where there is none. Raises `InputError` for another shape."""
    settings = parse_changeset_config(config) if config is not None else ChangesetConfig()
    document = json.loads(config) if config is not None else {}
    minimum = document.get("updateInternalDependencies", "patch")
    if minimum not in {"patch", "minor"}:
        raise _refuse("patch or minor under 'updateInternalDependencies'", repr(minimum))
    ranges = RangeRules(
        compat=plan.compat,
        minimum=Bump(minimum),
        peers_when_left=settings.peers_when_left,
        workspace_protocol_only=settings.workspace_protocol_only,
        exact=plan.snapshot,
    )
    changelog = document.get("changelog", DEFAULT_CHANGELOG)
    name = changelog[0] if isinstance(changelog, list) and changelog else changelog
    if name is not False and not isinstance(name, str):
        raise _refuse("false, a module or a list of a module and its options under 'changelog'", repr(changelog))
    foreign = name is not False and name not in OWN_CHANGELOGS
    notice = f"{FILE}: the changelog module {name!r} is not run; entries have the default format of changesets"
    return EditRules(ranges, name is not False, plan.skipped, (notice,) if foreign else ())


def _refuse(expected: str, found: str) -> InputError:
    return InputError(f"{FILE} cannot be read", expected=expected, found=found, next_step="correct the file")
