"""The stages that make the bytes of a component and judge them.

Nothing leaves the machine here but an image that was judged, for its signature: it lies in its registry by digest
alone, under no name.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from switchover.decide.components import Component, ComponentKind
from switchover.decide.outcome import Done, Skipped
from switchover.decide.release_files import name_archive
from switchover.errors import InputError, MissingProgramError
from switchover.operations.progress import Progress
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.stored import find_stored

SIGNATURE = "signature"
SBOM = "sbom"


def build(tools: ReleaseTools, progress: Progress, folder: Path) -> Progress:
    """Make the artifact of a component below `folder`, or take the bytes that an interrupted run has stored."""
    pending, component = progress.pending, progress.component
    if component.kind is ComponentKind.TAG:
        return progress.after(Skipped("build", "a private package has no artifact"))
    place = folder_of(component, folder)
    stored = find_stored(tools.store, component, pending.commit)
    if stored is not None:
        archive = Path(shutil.copyfile(tools.store.fetch(stored.digest), place / name_archive(component)))
        reason = "already published" if pending.done else "stored by an interrupted run"
        return _recognise(tools, progress.after(Skipped("build", reason), archive=archive))
    if pending.done and not pending.unpaged:
        return progress.after(Skipped("build", "already published"))
    if pending.done:
        return _make_again(tools, progress, place)
    try:
        archive = _make(tools, progress, place)
    except MissingProgramError as error:
        if component.kind is not ComponentKind.NPM or tools.destination_of(component) is not None:
            raise
        return progress.after(Skipped("build", error.problem.found))
    return _recognise(tools, progress.after(Done("build", archive.name), archive=archive))


def _make(tools: ReleaseTools, progress: Progress, place: Path) -> Path:
    pending, component = progress.pending, progress.component
    if component.kind is ComponentKind.NPM:
        return tools.packer.pack(component, pending.commit, place)
    return tools.builder.build(component, pending.service, pending.bundled, pending.commit, place)


def _make_again(tools: ReleaseTools, progress: Progress, place: Path) -> Progress:
    """The files of what another machine has published, for its page; none where the bytes cannot be had again."""
    component, published = progress.component, progress.pending.published
    destination = tools.destination_of(component)
    if destination is None or published is None:
        return progress.after(Skipped("build", "already published"))
    try:
        archive = _make(tools, progress, place)
    except MissingProgramError as error:
        return progress.after(Skipped("build", f"already published; for its page: {error.problem.found}"))
    if destination.identify(component, archive).digest != published.digest:
        return progress.after(Skipped("build", "already published; built again its bytes are others, and are not used"))
    return progress.after(Skipped("build", "already published; built again for its page"), archive=archive)


def folder_of(component: Component, folder: Path) -> Path:
    """Where the files of a component are made: `@acme/ui` and `acme-ui` have archives of one name."""
    place = folder / quote(component.name, safe="@")
    place.mkdir(parents=True, exist_ok=True)
    return place


def _recognise(tools: ReleaseTools, progress: Progress) -> Progress:
    """Have the destination look at the bytes before anybody sees them.

    What it has under this version, of no known origin, must be what was made of its commit.
    """
    pending, found, archive = progress.pending, progress.pending.found, progress.archive
    destination = tools.destination_of(progress.component)
    if archive is None or destination is None:
        return progress
    made = destination.identify(progress.component, archive)
    if found is None:
        return progress
    if made.digest != found.digest:
        raise InputError(
            f"{progress.component} is published with other bytes",
            expected=f"{made.digest}, made of commit {pending.commit[:12]}",
            found=found.digest,
            next_step=f"if what is published is right, tag its commit: git tag --annotate {progress.component.tag} "
            "COMMIT; else release a new version",
        )
    return replace(progress, pending=replace(pending, published=found, found=None))


def scan(tools: ReleaseTools, progress: Progress, folder: Path) -> Progress:
    """Judge what was built; what is published already was judged before it was."""
    if progress.archive is None:
        return progress.after(Skipped("scan", "already published" if progress.pending.done else "nothing was built"))
    if progress.pending.done:
        return _describe_again(tools, progress, folder)
    scanned = tools.scanner.scan(progress.archive, folder_of(progress.component, folder))
    return progress.after(scanned.outcome, scanned=scanned)


def _describe_again(tools: ReleaseTools, progress: Progress, folder: Path) -> Progress:
    """What is published was judged before it was; its page may still need the list of what is in it."""
    component, outcome = progress.component, Skipped("scan", "already published")
    known = tools.store.find_artifact(component.name, component.version, SBOM) is not None
    if known or not progress.pending.unpaged or progress.archive is None:
        return progress.after(outcome)
    return progress.after(outcome, scanned=tools.scanner.scan(progress.archive, folder_of(component, folder)))


def sign(tools: ReleaseTools, progress: Progress) -> Progress:
    """Vouch for what was built: a file by a signature beside it, an image of a registry in the registry.

    A file is not signed twice: that would give other bytes.
    """
    component, archive = progress.component, progress.archive
    destination = tools.destination_of(component)
    if archive is None or (progress.pending.done and not progress.pending.unpaged):
        return progress.after(Skipped("sign", "already published" if progress.pending.done else "nothing was built"))
    if component.kind is ComponentKind.IMAGE and destination is not None:
        staged = progress.after(destination.stage(component, archive))
        sbom = progress.scanned.sbom if progress.scanned else None
        return staged.after(tools.signer.sign_image(destination.identify(component, archive).reference, sbom))
    stored = tools.store.find_artifact(component.name, component.version, SIGNATURE)
    if stored is not None:
        return progress.after(Skipped("sign", "already signed"), signature=tools.store.fetch(stored.digest))
    signature = archive.with_name(f"{archive.name}.sigstore.json")
    outcome = tools.signer.sign_file(archive, signature)
    return progress.after(outcome, signature=signature if isinstance(outcome, Done) else None)
