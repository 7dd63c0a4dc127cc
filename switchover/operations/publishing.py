"""The stages that let others see a release. Each asks first what is there, and can be repeated.

Bytes go before names, names before the Git tag, the tag before its page, and moving tags last: nothing ever names
what is not there.
"""

from __future__ import annotations

from pathlib import Path

from switchover.decide.components import ComponentKind, find_withdrawn
from switchover.decide.outcome import Done, Skipped
from switchover.decide.pointers import choose_pointers, plan_moves
from switchover.decide.release_notes import read_section, write_notes
from switchover.model import Release
from switchover.operations.making import SIGNATURE
from switchover.operations.progress import Progress
from switchover.operations.release_files import gather_files, write_files
from switchover.operations.release_ports import Published, ReleaseTools

REPORTS = ("report", "sarif", "sbom")


def publish(tools: ReleaseTools, progress: Progress) -> Progress:
    """Store the bytes and what goes with them, give them their version at the destination, and enter the release.

    What was stored first stays: reports and signatures differ from one run to the next.
    """
    pending, component, archive = progress.pending, progress.component, progress.archive
    if archive is None:
        reason = "already published" if pending.done else "nothing was built"
        return progress.after(Skipped("publish", reason), published=pending.published, release=pending.released)
    artifact = tools.store.put(component.name, component.version, component.kind.value, archive)
    extras = {kind: getattr(progress.scanned, kind) for kind in REPORTS if progress.scanned}
    for kind, file in {**extras, SIGNATURE: progress.signature}.items():
        if file is not None and tools.store.find_artifact(component.name, component.version, kind) is None:
            tools.store.put(component.name, component.version, kind, file)
    destination = tools.destination_of(component)
    published = pending.published
    if destination is not None and published is None:
        published = destination.publish(component, archive)
    release = Release(component.name, component.version, artifact, pending.commit)
    tools.store.publish(release)
    if pending.done:
        return progress.after(Skipped("publish", "already published"), published=published, release=release)
    return progress.after(
        Done("publish", published.reference if published else artifact.digest), published=published, release=release
    )


def tag(tools: ReleaseTools, progress: Progress) -> Progress:
    """Tag what is published, here and at the remote. What is not there gets no tag."""
    component, commit = progress.component, progress.pending.commit
    if progress.published is None and progress.release is None and component.kind is not ComponentKind.TAG:
        return progress.after(Skipped("tag", "not published"))
    digest = _digest(progress)
    fresh = tools.history.tag(component.tag, commit, f"{component}\n\n{digest}\n" if digest else f"{component}\n")
    pushed = isinstance(tools.remote.push_tag(component.tag), Done) if tools.remote else False
    return progress.after(Done("tag", component.tag) if fresh or pushed else Skipped("tag", "already there"))


def page(tools: ReleaseTools, progress: Progress, folder: Path) -> Progress:
    """Make the release page: a draft first, then every file, then everybody may see it."""
    component, forge = progress.component, tools.forge
    if forge is None:
        return progress.after(Skipped("page", "no section release.github"))
    if not tools.history.has_tag(component.tag):
        return progress.after(Skipped("page", "not tagged"))
    known = forge.find_release(component.tag)
    if known is not None and not known.draft:
        return progress.after(Skipped("page", "already there"), page=known.url)
    notes = write_notes(
        component,
        read_notes(tools, component.folder, component.version),
        progress.published.reference if progress.published else "",
        _digest(progress),
        progress.pending.commit,
    )
    release = forge.draft_release(component.tag, str(component), notes, prerelease="-" in component.version)
    for file in write_files(tools, progress, gather_files(tools, progress, folder), folder):
        forge.upload_asset(release, file)
    address = forge.publish_release(release, latest=_is_newest(tools, progress))
    return progress.after(Done("page", address), page=address)


def report_findings(tools: ReleaseTools, progress: Progress) -> Progress:
    """Show the scanner's findings where the code is looked at."""
    sarif = progress.scanned.sarif if progress.scanned else None
    if tools.forge is None or not tools.shows_findings:
        return progress.after(Skipped("code scanning", "not asked for"))
    if sarif is None:
        return progress.after(Skipped("code scanning", "nothing was scanned"))
    reference = f"refs/heads/{tools.history.branch()}"
    return progress.after(tools.forge.upload_sarif(sarif, progress.pending.commit, reference))


def point(tools: ReleaseTools, progress: Progress) -> Progress:
    """Bring moving tags to the newest versions there are; a backport leaves `latest` where it is."""
    component, destination = progress.component, tools.destination_of(progress.component)
    if destination is None or progress.published is None:
        return progress.after(Skipped("point", "there are no moving tags here"))
    versions = destination.list_versions(component)
    withdrawn = find_withdrawn(component, versions, tools.history.read_withdrawn())
    wanted = choose_pointers(component.kind, versions, withdrawn)
    moves = plan_moves(component.kind, wanted, destination.read_pointers(component), withdrawn)
    for move in moves:
        destination.move_pointer(component, move.pointer, move.version)
    told = ", ".join(f"{move.pointer} → {move.version or 'nothing'}" for move in moves)
    return progress.after(Done("point", told) if moves else Skipped("point", "they are where they belong"))


def finish(tools: ReleaseTools, all_progress: tuple[Progress, ...]) -> None:
    """Forget that these releases were under way, last of all."""
    tags = tuple(each.component.tag for each in all_progress if tools.history.has_tag(each.component.tag))
    if tools.remote:
        tools.remote.drop_marks(tags)
    for each in tags:
        tools.history.drop_mark(each)


def read_notes(tools: ReleaseTools, folder: str, version: str) -> str:
    """What the changelog in that folder says of a version, empty where it says nothing."""
    path = f"{folder}/CHANGELOG.md" if folder else "CHANGELOG.md"
    return read_section(tools.workspace.read_texts((path,)).get(path, ""), version)


def _digest(progress: Progress) -> str:
    if progress.published is not None:
        return progress.published.digest
    return progress.release.artifact.digest if progress.release else ""


def _is_newest(tools: ReleaseTools, progress: Progress) -> bool:
    """Whether the page may be called the newest: a stable version that is above all others with a tag."""
    component = progress.component
    known: Published | None = progress.published
    destination = tools.destination_of(component)
    versions = (
        destination.list_versions(component)
        if destination and known
        else (each.version for each in tools.store.list_releases(component.name))
    )
    return choose_pointers(component.kind, (*versions, component.version)).get("latest") == component.version
