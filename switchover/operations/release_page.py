"""The page of a release: what changed, and every file with its checksum. One page for each tag."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from switchover.decide.components import ComponentKind, read_tag
from switchover.decide.outcome import Done, Outcome, Skipped
from switchover.decide.pointers import LATEST, choose_pointers
from switchover.decide.release_notes import join_notes, read_section, write_notes
from switchover.operations.progress import Progress
from switchover.operations.publishing import find_digest
from switchover.operations.release_files import gather_files, write_files
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.shared_places import Forge, ForgeRelease

Group = tuple[Progress, ...]


def group_by_tag(all_progress: Iterable[Progress]) -> tuple[Group, ...]:
    """The components that one tag stands for, together."""
    groups: dict[str, Group] = {}
    for progress in all_progress:
        tag = progress.component.tag
        groups[tag] = (*groups.get(tag, ()), progress)
    return tuple(groups.values())


def page(tools: ReleaseTools, group: Group, folder: Path) -> Group:
    """Make the page of a tag: a draft first, then every file, then everybody may see it."""
    tag, forge = group[0].component.tag, tools.forge
    if forge is None or not tools.makes_pages:
        return _after(group, Skipped("page", "no section release.github, or releases = false in it"))
    if not tools.history.has_tag(tag):
        return _after(group, Skipped("page", "not tagged"))
    known = forge.find_release(tag)
    if known is not None and not known.draft:
        return _after(group, Skipped("page", "already there"), known.url)
    prerelease = "-" in group[0].component.version
    title = str(group[0].component) if len(group) == 1 else tag
    release = forge.draft_release(tag, title, _write_notes(tools, group), prerelease=prerelease)
    address = _fill(tools, forge, release, group, folder)
    return _after(group, Done("page", address), address)


def read_notes(tools: ReleaseTools, folder: str, version: str) -> str:
    """What the changelog in that folder says of a version, empty where it says nothing."""
    path = f"{folder}/CHANGELOG.md" if folder else "CHANGELOG.md"
    return read_section(tools.workspace.read_texts((path,)).get(path, ""), version)


def _fill(tools: ReleaseTools, forge: Forge, release: ForgeRelease, group: Group, folder: Path) -> str:
    files = {each.component.name: gather_files(tools, each, folder) for each in group}
    for file in write_files(tools, group, files, folder):
        forge.upload_asset(release, file)
    if tools.remote:
        tools.remote.require_alone()
    return forge.publish_release(release, latest=any(_is_newest(tools, each) for each in group))


def _write_notes(tools: ReleaseTools, group: Group) -> str:
    texts = {
        each.component.name: write_notes(
            each.component,
            read_notes(tools, each.component.folder, each.component.version),
            each.published.reference if each.published else "",
            find_digest(each),
            each.pending.commit,
        )
        for each in group
    }
    return join_notes(texts)


def _after(group: Group, outcome: Outcome, address: str = "") -> Group:
    return tuple(each.after(outcome, page=address) for each in group)


def _is_newest(tools: ReleaseTools, progress: Progress) -> bool:
    """Whether the page may be called the newest of the repository: a stable version above all others.

    Where each component has tags of its own none may: the mark would be that of whoever came last.
    """
    component = progress.component
    if component.package in component.tag:
        return False
    withdrawn = set(tools.history.read_withdrawn())
    tags = {*(tools.remote.read_tags() if tools.remote else tools.history.read_tags()), component.tag} - withdrawn
    versions = [version for tag in tags if (version := read_tag(component, tag))]
    return choose_pointers(ComponentKind.IMAGE, component.version, versions).get(LATEST) == component.version
