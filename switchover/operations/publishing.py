"""The stages that let others see a release. Each asks first what is there, and can be repeated.

Bytes go before names, names before the Git tag, the tag before its page, and moving tags last: nothing ever names
what is not there.
"""

from __future__ import annotations

from dataclasses import replace

from switchover.decide.components import ComponentKind, find_withdrawn
from switchover.decide.outcome import Done, Skipped
from switchover.decide.pointers import PENDING, choose_pointers, plan_moves
from switchover.model import Release
from switchover.operations.making import SIGNATURE
from switchover.operations.pending import list_stale_marks
from switchover.operations.planning import ReleaseSettings
from switchover.operations.progress import Progress
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.stored import store_archive

REPORTS = ("report", "sarif", "sbom")


def publish(tools: ReleaseTools, progress: Progress) -> Progress:
    """Store the bytes and what goes with them, give them their version at the destination, and enter the release.

    What was stored first stays: reports and signatures differ from one run to the next.
    """
    pending, component, archive = progress.pending, progress.component, progress.archive
    if archive is None:
        reason = "already published" if pending.done else "nothing was built"
        return progress.after(Skipped("publish", reason), published=pending.published, release=pending.released)
    artifact = store_archive(tools.store, component, pending.commit, archive)
    extras = {kind: getattr(progress.scanned, kind) for kind in REPORTS if progress.scanned}
    for kind, file in {**extras, SIGNATURE: progress.signature}.items():
        if file is not None and tools.store.find_artifact(component.name, component.version, kind) is None:
            tools.store.put(component.name, component.version, kind, file)
    destination = tools.destination_of(component)
    published = pending.published
    if tools.remote:
        tools.remote.require_alone()
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
    digest = find_digest(progress)
    fresh = tools.history.tag(component.tag, commit, f"{component}\n\n{digest}\n" if digest else f"{component}\n")
    pushed = isinstance(tools.remote.push_tag(component.tag), Done) if tools.remote else False
    return progress.after(Done("tag", component.tag) if fresh or pushed else Skipped("tag", "already there"))


def report_findings(tools: ReleaseTools, progress: Progress) -> Progress:
    """Show the scanner's findings where the code is looked at."""
    sarif = progress.scanned.sarif if progress.scanned else None
    if tools.forge is None or not tools.shows_findings:
        return progress.after(Skipped("code scanning", "not asked for"))
    if sarif is None:
        return progress.after(Skipped("code scanning", "nothing was scanned"))
    reference = f"refs/heads/{tools.history.branch()}"
    outcome = tools.forge.upload_sarif(sarif, progress.pending.commit, reference)
    return progress.after(replace(outcome, stage="code scanning"))


def point(tools: ReleaseTools, progress: Progress) -> Progress:
    """Bring moving tags to the newest versions there are; a backport leaves `latest` where it is."""
    component, destination = progress.component, tools.destination_of(progress.component)
    if destination is None or progress.published is None:
        return progress.after(Skipped("point", "there are no moving tags here"))
    versions = destination.list_versions(component)
    withdrawn = find_withdrawn(component, versions, tools.history.read_withdrawn())
    wanted = choose_pointers(component.kind, component.version, versions, withdrawn)
    moves = plan_moves(component.kind, component.version, wanted, destination.read_pointers(component), withdrawn)
    told = ", ".join(f"{move.pointer} → {move.version or 'nothing'}" for move in moves if move.pointer != PENDING)
    if moves and not destination.moves_pointers:
        return progress.after(Skipped("point", f"without a token tags cannot be moved; left to a person: {told}"))
    if moves and tools.remote:
        tools.remote.require_alone()
    for move in moves:
        destination.move_pointer(component, move.pointer, move.version)
    return progress.after(
        Done("point", told or "none but a mark of ours") if moves else Skipped("point", "they are where they belong")
    )


def finish(tools: ReleaseTools, all_progress: tuple[Progress, ...]) -> None:
    """Forget that these releases were under way, last of all.

    A release commit of which nothing was to be released goes out with this.
    """
    tags = tuple(each.component.tag for each in all_progress if tools.history.has_tag(each.component.tag))
    if tools.remote:
        tools.remote.push_branch()
        tools.remote.drop_marks(tags)
    for each in tags:
        tools.history.drop_mark(each)


def forget_stale(tools: ReleaseTools, settings: ReleaseSettings) -> None:
    """Drop the marks of versions that were given up before anything of them was public."""
    tags = list_stale_marks(tools, settings)
    if tags and tools.remote:
        tools.remote.drop_marks(tags)
    for each in tags:
        tools.history.drop_mark(each)


def find_digest(progress: Progress) -> str:
    """What the bytes are called by: at their destination, else in the store; empty where there are none."""
    if progress.published is not None:
        return progress.published.digest
    return progress.release.artifact.digest if progress.release else ""
