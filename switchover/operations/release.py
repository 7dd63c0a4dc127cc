"""The stages of a release, each an effect that may be repeated, and all of them in their order.

Versions are committed first; from then on the store is asked what of it is not published yet. Artifacts go
before the entry in the index, and the tag comes last, so that it never names what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from switchover.decide.components import DEPLOYED, Component, ComponentKind, Service
from switchover.decide.edits import list_edited_files, plan_edits, write_commit_message
from switchover.decide.outcome import Done, Failed, Outcome, Skipped
from switchover.decide.packages import Package, find_bundled
from switchover.errors import MissingProgramError, SwitchoverError
from switchover.model import Release
from switchover.operations.planning import ReleasePlan, ReleaseSettings, plan_release, read_components
from switchover.operations.release_ports import Builder, History, Packer, ReleaseStore, ReleaseTools, Scanner, Signer

SIGNATURE = "signature"
# The stages that leave something behind.
CHANGING = ("publish", "tag")


@dataclass(frozen=True, slots=True)
class Pending:
    """A component that is not completely released, with everything that its stages need.

    `published` is its entry in the index when only the tag is missing. `bundled` are the packages inside it.
    """

    component: Component
    commit: str
    service: Service | None = None
    bundled: tuple[Package, ...] = ()
    published: Release | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What the build of a component came to; `archive` None: there is nothing to publish."""

    pending: Pending
    outcome: Outcome
    archive: Path | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """What signing came to; `signature` None: there is none."""

    outcome: Outcome
    signature: Path | None = None


@dataclass(frozen=True, slots=True)
class ComponentReport:
    """How each stage ended for one component. `release` is its entry in the index, None: not published."""

    component: Component
    outcomes: tuple[Outcome, ...]
    release: Release | None


@dataclass(frozen=True, slots=True)
class ReleaseReport:
    """What a release did. `commit` is the release commit, empty when no version moved."""

    plan: ReleasePlan
    commit: str
    components: tuple[ComponentReport, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was done; a finished release that runs again does nothing."""
        outcomes = [outcome for each in self.components for outcome in each.outcomes]
        return bool(self.commit) or any(isinstance(each, Done) and each.stage in CHANGING for each in outcomes)


def apply_versions(tools: ReleaseTools, plan: ReleasePlan) -> str:
    """Commit versions, changelogs and used changesets; return the hash, empty when there is nothing to change."""
    if not plan.versions.changes:
        return ""
    texts = tools.workspace.read_texts(list_edited_files(plan.packages, plan.versions))
    edits = plan_edits(plan.packages, plan.versions, texts)
    return tools.history.commit_edits(edits, write_commit_message(plan.versions))


def choose_pending(tools: ReleaseTools, settings: ReleaseSettings) -> tuple[Pending, ...]:
    """What the manifests say is released and the store or the tags do not have yet.

    Notes for each the commit that it is made from. A run that was killed after bytes of a version were stored goes
    on with that commit; until then a version is made of HEAD, so that a repair of what a stage refused gets in.
    """
    packages, components = read_components(tools.workspace, settings)
    services = {service.name: service for service in settings.services}
    pending: list[Pending] = []
    for component in components:
        published = tools.store.find(component.name, component.version)
        needs_store = component.kind is not ComponentKind.TAG
        if tools.history.has_tag(component.tag) and (published is not None or not needs_store):
            continue
        service = services.get(component.name) if component.kind in DEPLOYED else None
        bundled = find_bundled(packages, component.package) if component.kind is ComponentKind.SERVICE else ()
        stored = tools.store.find_artifact(component.name, component.version, component.kind.value) is not None
        commit = published.source_commit if published else tools.history.reserve(component.tag, stored=stored)
        pending.append(Pending(component, commit, service, bundled, published))
    return tuple(pending)


def build_service(builder: Builder, pending: Pending, folder: Path) -> Built:
    """Make the archive of a service or of a source package."""
    archive = builder.build(pending.component, pending.service, pending.bundled, pending.commit, folder)
    return Built(pending, Done("build", archive.name), archive)


def build_package(packer: Packer, pending: Pending, folder: Path) -> Built:
    """Make the tarball of an npm package; without npm that is a skip."""
    try:
        archive = packer.pack(pending.component, pending.commit, folder)
    except MissingProgramError as error:
        return Built(pending, Skipped("build", error.problem.found))
    return Built(pending, Done("build", archive.name), archive)


def build(tools: ReleaseTools, pending: Pending, folder: Path) -> Built:
    """Make the artifact of a component, whatever kind it is."""
    if pending.published is not None:
        return Built(pending, Skipped("build", "already published"))
    if pending.component.kind is ComponentKind.TAG:
        return Built(pending, Skipped("build", "a private package has no artifact"))
    if pending.component.kind is ComponentKind.NPM:
        return build_package(tools.packer, pending, folder)
    return build_service(tools.builder, pending, folder)


def scan(scanner: Scanner, built: Built) -> Outcome:
    """Judge what was built."""
    return scanner.scan(built.archive) if built.archive else Skipped("scan", "nothing was built")


def sign(signer: Signer, store: ReleaseStore, built: Built) -> Signed:
    """Sign what was built, unless the store has a signature of it: signing twice gives other bytes."""
    component = built.pending.component
    if built.archive is None:
        return Signed(Skipped("sign", "nothing was built"))
    if store.find_artifact(component.name, component.version, SIGNATURE) is not None:
        return Signed(Skipped("sign", "already signed"))
    signature = built.archive.with_name(f"{built.archive.name}.sigstore.json")
    outcome = signer.sign(built.archive, signature)
    return Signed(outcome, signature if isinstance(outcome, Done) else None)


def publish(store: ReleaseStore, built: Built, signed: Signed) -> Release | None:
    """Store the bytes and then enter the release into the index; None when there is nothing to publish."""
    pending, component = built.pending, built.pending.component
    if built.archive is None:
        return pending.published
    artifact = store.put(component.name, component.version, component.kind.value, built.archive)
    if signed.signature is not None:
        store.put(component.name, component.version, SIGNATURE, signed.signature)
    release = Release(component.name, component.version, artifact, pending.commit)
    store.publish(release)
    return release


def tag(history: History, pending: Pending, release: Release | None) -> Outcome:
    """Tag what is published. What is not there gets no tag."""
    component = pending.component
    if release is None and component.kind is not ComponentKind.TAG:
        return Skipped("tag", "not published")
    digest = f"\n\n{release.artifact.digest}" if release else ""
    fresh = history.tag(component.tag, pending.commit, f"{component}{digest}\n")
    return Done("tag", component.tag) if fresh else Skipped("tag", "already there")


def describe(
    built: Built, scanned: Outcome, signed: Signed, release: Release | None, tagged: Outcome
) -> ComponentReport:
    """Gather how the stages of one component ended."""
    published: Outcome = Skipped("publish", "already published")
    if built.pending.published is None:
        published = Done("publish", release.artifact.digest) if release else Skipped("publish", "nothing was built")
    return ComponentReport(
        built.pending.component, (built.outcome, scanned, signed.outcome, published, tagged), release
    )


def require_passed(outcomes: Iterable[tuple[Component, Outcome]]) -> None:
    """Stop the release at the first failed stage, before this run publishes anything."""
    for component, outcome in outcomes:
        if isinstance(outcome, Failed):
            raise SwitchoverError(
                f"the release of {component} stops at: {outcome.stage}",
                expected="that the stage is done, or skipped for a stated reason",
                found=outcome.reason,
                next_step="repair that, commit what changed and run again; what an interrupted run has stored of this "
                "version stays as it is: if that is at fault, add a changeset",
            )


def release(tools: ReleaseTools, settings: ReleaseSettings, folder: Path) -> ReleaseReport:
    """Run every stage in this process. `folder` is where archives are made before they are stored."""
    with tools.history.alone():
        tools.history.require_clean()
        plan = plan_release(tools.workspace, tools.history, settings)
        commit = apply_versions(tools, plan)
        builds = [build(tools, pending, folder) for pending in choose_pending(tools, settings)]
        scans = [scan(tools.scanner, built) for built in builds]
        require_passed((built.pending.component, outcome) for built, outcome in zip(builds, scans, strict=True))
        signs = [sign(tools.signer, tools.store, built) for built in builds]
        require_passed((built.pending.component, each.outcome) for built, each in zip(builds, signs, strict=True))
        releases = [publish(tools.store, built, signed) for built, signed in zip(builds, signs, strict=True)]
        tags = [tag(tools.history, built.pending, each) for built, each in zip(builds, releases, strict=True)]
    stages = zip(builds, scans, signs, releases, tags, strict=True)
    return ReleaseReport(plan, commit, tuple(describe(*each) for each in stages))
