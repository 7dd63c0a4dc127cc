"""What is not completely released: the manifests on one side, every place that a release goes to on the other."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from switchover.decide.components import DEPLOYED, Component, ComponentKind, Service
from switchover.decide.packages import Package, find_bundled
from switchover.decide.publish_order import plan_order
from switchover.errors import InputError
from switchover.model import Release
from switchover.operations.planning import ReleaseSettings, read_components
from switchover.operations.release_ports import Published, ReleaseTools

# Registries are asked side by side; more would look like an attack to some.
_ASKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the release of a component has come. `published` and `released` are None where it is not there."""

    published: Published | None
    released: Release | None
    tagged: bool
    paged: bool
    open: bool

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.tagged and self.paged and not self.open


@dataclass(frozen=True, slots=True)
class Pending:
    """A component that is not completely released, with everything that its stages need.

    `commit` is what it is made of, `bundled` are the packages inside it. `published` is the version as its
    destination has it, when that is known to be of this commit; else it is built and compared.
    """

    component: Component
    commit: str
    service: Service | None = None
    bundled: tuple[Package, ...] = ()
    published: Published | None = None
    released: Release | None = None

    @property
    def done(self) -> bool:
        """Whether the bytes are where they belong, so that nothing has to be built."""
        return self.published is not None or self.released is not None


def choose_pending(tools: ReleaseTools, settings: ReleaseSettings) -> tuple[Pending, ...]:
    """What the manifests say is released and some place does not have yet, dependencies first.

    Notes for each the commit that it is made of, here and at the remote. A run that was killed after bytes of a
    version were stored goes on with that commit; until then a version is made of HEAD, so that a repair of what a
    stage refused gets in.
    """
    packages, components = read_components(tools.workspace, settings)
    withdrawn = set(tools.history.read_withdrawn())
    asked = [each for each in components if each.tag not in withdrawn]
    marks = tools.history.read_marks()
    remote_tags = tools.remote.read_tags() if tools.remote else None
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        standings = list(pool.map(partial(_look, tools, marks, remote_tags), asked))
    unfinished = {
        component.name: standing for component, standing in zip(asked, standings, strict=True) if not standing.complete
    }
    ordered = [
        component for group in plan_order(packages, asked) for component in group if component.name in unfinished
    ]
    pending = tuple(_prepare(tools, settings, packages, each, unfinished[each.name]) for each in ordered)
    if tools.remote and pending:
        tools.remote.push_marks(tuple(each.component.tag for each in pending))
    return pending


def group_pending(packages: tuple[Package, ...], pending: Iterable[Pending]) -> tuple[tuple[Pending, ...], ...]:
    """The pending components in the groups in which they may be published, one after the other."""
    by_name = {each.component.name: each for each in pending}
    groups = plan_order(packages, (each.component for each in by_name.values()))
    return tuple(tuple(by_name[component.name] for component in group) for group in groups)


def _look(
    tools: ReleaseTools, marks: dict[str, str], remote_tags: dict[str, str] | None, component: Component
) -> Standing:
    """Ask every place about one component. Changes nothing."""
    destination = tools.destination_of(component)
    released = tools.store.find(component.name, component.version)
    published = destination.find(component) if destination else None
    needs_bytes = component.kind is not ComponentKind.TAG
    there = published is not None if destination else released is not None
    here = tools.history.has_tag(component.tag) and (remote_tags is None or component.tag in remote_tags)
    page = tools.forge.find_release(component.tag) if tools.forge and here else None
    return Standing(
        published=published,
        released=released if destination is None else None,
        tagged=here and (there or not needs_bytes),
        paged=tools.forge is None or (page is not None and not page.draft),
        open=component.tag in marks,
    )


def _prepare(
    tools: ReleaseTools,
    settings: ReleaseSettings,
    packages: tuple[Package, ...],
    component: Component,
    standing: Standing,
) -> Pending:
    services = {service.name: service for service in settings.services}
    stored = tools.store.find_artifact(component.name, component.version, component.kind.value) is not None
    begun = stored or standing.published is not None
    tagged = tools.history.has_tag(component.tag)
    if standing.released is not None and not tagged:
        commit = standing.released.source_commit
        tools.history.mark(component.tag, commit)
    else:
        commit = tools.history.reserve(component.tag, stored=begun)
    published = standing.published
    if published is not None and published.source_commit and published.source_commit != commit:
        raise InputError(
            f"{component} was published from another commit",
            expected=f"{commit[:12]}, which {'its tag says' if tagged else 'would be released here'}",
            found=f"{published.source_commit[:12]}, which {published.reference} says",
            next_step=f"if that release is right, tag it: git tag --annotate {component.tag} "
            f"{published.source_commit[:12]}; else release a new version",
        )
    known = published is not None and (tagged or bool(published.source_commit))
    return Pending(
        component,
        commit,
        services.get(component.name) if component.kind in DEPLOYED else None,
        find_bundled(packages, component.package) if component.kind is ComponentKind.SERVICE else (),
        published if known else None,
        standing.released,
    )
