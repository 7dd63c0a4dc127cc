"""From a plan to what becomes of the files of a checkout."""

from __future__ import annotations

from dataclasses import dataclass

from switchover.decide.changeset_config import FILE
from switchover.decide.edit_rules import read_edit_rules
from switchover.decide.edits import Edit, list_edited_files, plan_edits
from switchover.decide.packages import Package
from switchover.decide.prerelease import FILE as PRE_FILE
from switchover.decide.versions import VersionPlan
from switchover.operations.release_ports import Workspace


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The edits that a plan comes to, and sentences about settings that are followed in another way."""

    edits: tuple[Edit, ...]
    notices: tuple[str, ...] = ()


def read_rewriting_notices(workspace: Workspace, plan: VersionPlan) -> tuple[str, ...]:
    """Sentences about settings that applying the plan would follow in another way."""
    return read_edit_rules(workspace.read_texts((FILE,)).get(FILE), plan).notices


def plan_rewriting(workspace: Workspace, packages: tuple[Package, ...], plan: VersionPlan) -> Rewriting:
    """What applying the plan changes; nothing is written. `packages` are those that it was made from."""
    settings = workspace.read_texts((FILE, PRE_FILE))
    rules = read_edit_rules(settings.get(FILE), plan)
    texts = workspace.read_texts(list_edited_files(packages, plan, settings.get(PRE_FILE)))
    return Rewriting(plan_edits(packages, plan, texts, rules), rules.notices)
