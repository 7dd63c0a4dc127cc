"""What applying a version plan changes in the files of a workspace: texts in, texts out."""

from __future__ import annotations

from dataclasses import dataclass

from switchover.decide.changelog import insert_section, write_section
from switchover.decide.manifests import edit_json, edit_pyproject_version, edit_requirement
from switchover.decide.packages import Kind, Package
from switchover.decide.ranges import rewrite_range
from switchover.decide.versions import RELEASE_TOKEN, PlannedRelease, VersionPlan


@dataclass(frozen=True, slots=True)
class Edit:
    """The wanted content of one file, relative to the root of the workspace; None: the file is gone."""

    path: str
    content: str | None


def list_edited_files(packages: tuple[Package, ...], plan: VersionPlan) -> tuple[str, ...]:
    """The manifests and changelogs whose present text `plan_edits` needs."""
    names = {release.name for release in plan.releases}
    return tuple(path for each in packages if each.name in names for path in (each.manifest, each.changelog))


def plan_edits(packages: tuple[Package, ...], plan: VersionPlan, texts: dict[str, str]) -> tuple[Edit, ...]:
    """Manifests with versions and ranges, changelogs, and the used changesets gone; sorted by path.

    `texts` holds the present content of `list_edited_files`; an absent file is absent there. Changesets that
    count for nothing (only packages that are never versioned) stay.
    """
    releases = {release.name: release for release in plan.releases}
    by_name = {package.name: package for package in packages}
    wanted: dict[str, str | None] = {}
    for name, release in releases.items():
        package = by_name[name]
        manifest = _edit_manifest(package, release, releases, texts[package.manifest])
        if manifest != texts[package.manifest]:
            wanted[package.manifest] = manifest
        if release in plan.changes:
            section = write_section(package, release, plan)
            wanted[package.changelog] = insert_section(texts.get(package.changelog, ""), section, title=name)
    for changeset in plan.changesets:
        if all(name in releases for name, _ in changeset.releases):
            wanted[f".changeset/{changeset.id}.md"] = None
    return tuple(Edit(path, wanted[path]) for path in sorted(wanted))


def write_commit_message(plan: VersionPlan) -> str:
    """The message of the release commit. Its footers mark where the history of each new version begins."""
    names = [f"{release.name}@{release.new_version}" for release in plan.changes]
    subject = f"chore(release): {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    return "\n".join([subject, "", *(f"{RELEASE_TOKEN}: {name}" for name in names)]) + "\n"


def _edit_manifest(package: Package, release: PlannedRelease, releases: dict[str, PlannedRelease], text: str) -> str:
    moved = [
        (dependency, releases[dependency.name])
        for dependency in package.dependencies
        if dependency.name in releases
        and releases[dependency.name].old_version != releases[dependency.name].new_version
    ]
    moves = release.new_version != package.version and bool(release.new_version)
    if package.kind is Kind.PYTHON:
        edited = edit_pyproject_version(text, release.new_version, file=package.manifest) if moves else text
        for dependency, target in moved:
            edited = edit_requirement(edited, dependency.name, target.new_version)
        return edited
    values: dict[tuple[str, ...], str] = {("version",): release.new_version} if moves else {}
    for dependency, target in moved:
        values[dependency.section.value, dependency.name] = rewrite_range(dependency.range, target.new_version)
    return edit_json(text, values, file=package.manifest)
