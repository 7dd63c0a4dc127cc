"""What applying a version plan changes in the files of a workspace: texts in, texts out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from switchover.decide.changelog import insert_section, write_section
from switchover.decide.edit_rules import EditRules
from switchover.decide.manifests import TomlPath, edit_json, edit_line, edit_toml
from switchover.decide.packages import Kind, Package, Section
from switchover.decide.pre_switch import write_pre_state
from switchover.decide.prerelease import FILE as PRE_FILE
from switchover.decide.prerelease import SEPARATE_FOLDER_SINCE, USED_FOLDER, Mode, parse_pre_state
from switchover.decide.range_rewriting import move_range
from switchover.decide.requirements import (
    list_requirements,
    move_requirement,
    normalise_name,
    read_requirement,
    refuse_foreign_version,
)
from switchover.decide.versions import RELEASE_TOKEN, PlannedRelease, VersionPlan

ROOT_MANIFESTS = ("package.json", "pyproject.toml")
# Changesets 2 leaves the root of a workspace alone.
ROOT_SINCE = 3


@dataclass(frozen=True, slots=True)
class Edit:
    """The wanted content of one file, relative to the root of the workspace; None: the file is gone."""

    path: str
    content: str | None


@dataclass(frozen=True, slots=True)
class _Workspace:
    """The releases that ranges can follow, by name of package, with the folders of all packages."""

    releases: dict[str, PlannedRelease]
    folders: dict[str, str]
    rules: EditRules


def list_edited_files(packages: tuple[Package, ...], plan: VersionPlan, pre: str | None) -> tuple[str, ...]:
    """The files whose present text `plan_edits` needs, as far as they exist. `pre` is the text of `PRE_FILE`."""
    names = {release.name for release in plan.releases}
    files = [path for each in packages if each.name in names for path in (each.manifest, each.changelog)]
    taken_over = parse_pre_state(pre).changesets if pre is not None else ()
    changesets = [*(each.path for each in plan.changesets), *(_name_changeset(each) for each in taken_over)]
    return tuple(dict.fromkeys([*files, *ROOT_MANIFESTS, PRE_FILE, *changesets]))


def plan_edits(
    packages: tuple[Package, ...], plan: VersionPlan, texts: Mapping[str, str], rules: EditRules
) -> tuple[Edit, ...]:
    """Manifests with versions and ranges, changelogs, and what becomes of the used changesets; sorted by path.

    `texts` holds the present content of `list_edited_files`; an absent file is absent there. Changesets that
    count for nothing (only packages that are never versioned) stay.
    """
    releases = {release.name: release for release in plan.releases}
    by_name = {package.name: package for package in packages}
    # No range is about a plain package: whatever depends on its name means another one.
    followed = {name: each for name, each in releases.items() if by_name[name].kind is not Kind.PLAIN}
    workspace = _Workspace(followed, {package.name: package.folder for package in packages}, rules)
    wanted: dict[str, str | None] = {}
    for name, release in releases.items():
        package = by_name[name]
        if package.kind is Kind.PLAIN:
            wanted[package.manifest] = _edit_plain(texts.get(package.manifest), release)
        else:
            wanted[package.manifest] = _edit_manifest(package.manifest, texts[package.manifest], workspace, release)
        if release in plan.changes and rules.changelog:
            section = write_section(package, release, plan, workspace.folders, rules.ranges)
            existing = texts.get(package.changelog, "")
            wanted[package.changelog] = insert_section(existing, section, title=name, compat=rules.ranges.compat)
    for path in ROOT_MANIFESTS if releases else ():
        if path in texts and path not in wanted and plan.compat >= ROOT_SINCE:
            wanted[path] = _edit_manifest(path, texts[path], workspace)
    wanted |= _use_changesets(plan, texts, rules)
    return tuple(Edit(path, wanted[path]) for path in sorted(wanted) if wanted[path] != texts.get(path))


def write_commit_message(plan: VersionPlan) -> str:
    """The message of the release commit. Its footers mark where the history of each new version begins."""
    names = [f"{release.name}@{release.new_version}" for release in plan.changes]
    subject = f"chore(release): {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    return "\n".join([subject, "", *(f"{RELEASE_TOKEN}: {name}" for name in names)]) + "\n"


def _name_changeset(identifier: str) -> str:
    return f".changeset/{identifier}.md"


def _edit_manifest(path: str, text: str, workspace: _Workspace, release: PlannedRelease | None = None) -> str:
    """The manifest with the ranges of what is released in it; `release` is that of its own package."""
    version = release.new_version if release else ""
    if path.endswith(".toml"):
        return _edit_pyproject(path, text, workspace, version)
    values: dict[tuple[str, ...], str] = {}
    document = json.loads(text)
    for section in Section:
        for name, present in _read_ranges(document, section):
            if name in workspace.releases:
                target = workspace.releases[name]
                moved = move_range(present, section, target, workspace.folders[name], workspace.rules.ranges)
                if moved != present:
                    values[section.value, name] = moved
    if version and document.get("version") != version:
        values["version",] = version
    return edit_json(text, values, file=path)


def _edit_plain(text: str | None, release: PlannedRelease) -> str | None:
    """The file with the new version. An absent one stays absent until a version moves."""
    if text is None and release.new_version == release.old_version:
        return None
    return edit_line(text or "", release.new_version)


def _read_ranges(document: Any, section: Section) -> list[tuple[str, str]]:
    stated = document.get(section.value) if isinstance(document, dict) else None
    return [each for each in stated.items() if isinstance(each[1], str)] if isinstance(stated, dict) else []


def _edit_pyproject(path: str, text: str, workspace: _Workspace, version: str) -> str:
    document = tomllib.loads(text)
    values: dict[TomlPath, str] = {}
    names = {normalise_name(name): name for name in workspace.releases}
    for place, present, section in list_requirements(document):
        name = names.get(normalise_name(read_requirement(present, section).name))
        if name is not None:
            target = workspace.releases[name]
            values[place] = move_requirement(present, section, target, workspace.folders[name], workspace.rules.ranges)
            if values[place] == present:
                del values[place]
    if version and document["project"].get("version") != version:
        refuse_foreign_version(version, file=path)
        values["project", "version"] = version
    return edit_toml(text, values, file=path)


def _use_changesets(plan: VersionPlan, texts: Mapping[str, str], rules: EditRules) -> dict[str, str | None]:
    """Used changesets are gone; in pre mode they are put aside for the stable version that is to come."""
    used = [each for each in plan.changesets if not any(name in rules.skipped for name, _ in each.releases)]
    if plan.pre_state is None or plan.pre_state.mode is Mode.EXIT:
        left = [PRE_FILE] if plan.pre_state is not None and not plan.snapshot else []
        return dict.fromkeys([*(each.path for each in used), *left])
    present = parse_pre_state(texts[PRE_FILE])
    wanted: dict[str, str | None] = {}
    if present != plan.pre_state:
        wanted[PRE_FILE] = write_pre_state(plan.pre_state, plan.compat)
    if plan.compat >= SEPARATE_FOLDER_SINCE:
        # What changesets 2 only noted as used is taken over into the folder.
        for identifier in (*(each.id for each in used), *present.changesets):
            if _name_changeset(identifier) in texts:
                wanted[_name_changeset(USED_FOLDER + identifier)] = texts[_name_changeset(identifier)]
                wanted[_name_changeset(identifier)] = None
    return wanted
