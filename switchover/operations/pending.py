"""What is not completely released: the manifests on one side, every place that a release goes to on the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from switchover.decide.components import DEPLOYED, Component, ComponentKind, Service, read_tag
from switchover.decide.packages import Package, find_bundled
from switchover.decide.publish_order import plan_order
from switchover.errors import InputError
from switchover.model import Release
from switchover.operations.planning import ReleaseSettings, read_components
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.shared_places import Published
from switchover.operations.stored import read_stored_commit

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

    @property
    def is_public(self) -> bool:
        """Whether others can see some of it already."""
        return self.published is not None or self.released is not None


@dataclass(frozen=True, slots=True)
class Pending:
    """A component that is not completely released, with everything that its stages need.

    `commit` is what it is made of, `bundled` are the packages inside it, `rank` counts the groups in which things are
    published. `published` is the version as its destination has it, when that is known to be of this commit; `found`
    when that has still to be compared. `resumed`: a run before this one has begun with it and did not end.
    `unpaged`: its page is to be made, for which its files are needed.
    """

    component: Component
    commit: str
    rank: int = 0
    service: Service | None = None
    bundled: tuple[Package, ...] = ()
    published: Published | None = None
    found: Published | None = None
    released: Release | None = None
    resumed: bool = False
    unpaged: bool = False

    @property
    def done(self) -> bool:
        """Whether the bytes are where they belong, so that nothing has to be built."""
        return self.published is not None or self.released is not None


def choose_pending(
    tools: ReleaseTools, settings: ReleaseSettings, *, public: bool = False, fill_store: bool = False
) -> tuple[Pending, ...]:
    """What the manifests say is released and some place does not have yet, dependencies first.

    With `public` only what others can see already: that has to be finished before any version moves on. With
    `fill_store` also what is released and only this machine's store does not have. Notes for each the commit that it
    is made of. What is public goes on with its commit, and so does what this machine has stored; until then a version
    is made of HEAD, so that a repair of what a stage refused gets in.
    """
    packages, components = read_components(tools.workspace, settings)
    marks = tools.history.read_marks()
    withdrawn = set(tools.history.read_withdrawn())
    listed = (*components, *_list_left_behind(components, marks)) if public else components
    asked = [each for each in listed if each.tag not in withdrawn]
    remote_tags = tools.remote.read_tags() if tools.remote else None
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        found = list(pool.map(partial(_look, tools, marks, remote_tags, fill_store), asked))
    standings = dict(zip(asked, found, strict=True))
    # A tag is one unit: it is put when everything that it stands for is there.
    units = {each.tag for each in asked if not standings[each].complete and (not public or standings[each].is_public)}
    wanted = [each for each in asked if each.tag in units and not standings[each].complete]
    _refuse_unseen(tools, wanted, remote_tags or {})
    begun = {each.tag for each in wanted if _has_begun(tools, each, standings[each], marks)}
    return tuple(
        _prepare(tools, settings, packages, each, standings[each], rank=rank, begun=each.tag in begun)
        for rank, group in enumerate(plan_order(packages, wanted))
        for each in group
    )


def list_built_commits(pending: Iterable[Pending]) -> list[str]:
    """The commits that something is about to be built from, each once."""
    return sorted({each.commit for each in pending if not each.done and each.component.kind is not ComponentKind.TAG})


def list_stale_marks(tools: ReleaseTools, settings: ReleaseSettings) -> tuple[str, ...]:
    """The marks of versions that no manifest states any more: nothing public was ever made of them."""
    _, components = read_components(tools.workspace, settings)
    return tuple(sorted(set(tools.history.read_marks()) - {each.tag for each in components}))


def _list_left_behind(components: Iterable[Component], marks: Mapping[str, str]) -> list[Component]:
    """Versions under way that the manifests have left behind, in a pull request that was merged meanwhile say."""
    known = {each.tag for each in components}
    return [
        replace(component, version=version, tag=tag)
        for tag in sorted(set(marks) - known)
        for component in components
        if (version := read_tag(component, tag))
    ]


def _look(
    tools: ReleaseTools,
    marks: dict[str, str],
    remote_tags: dict[str, str] | None,
    fill_store: bool,  # noqa: FBT001 - bound by position
    component: Component,
) -> Standing:
    """Ask every place about one component. Changes nothing."""
    destination = tools.destination_of(component)
    released = tools.store.find(component.name, component.version)
    published = destination.find(component) if destination else None
    tagged = tools.history.has_tag(component.tag) if remote_tags is None else component.tag in remote_tags
    if destination is not None:
        there = published is not None
    else:
        # Where nothing is shared the store of this machine is all there is; else a tag there says that it is done.
        asked = component.kind is not ComponentKind.TAG and (
            remote_tags is None or fill_store or component.tag in marks
        )
        there = released is not None or not asked
    page = tools.forge.find_release(component.tag) if tools.forge and tools.makes_pages and tagged else None
    return Standing(
        published=published,
        released=released if destination is None else None,
        tagged=tagged and there,
        paged=tools.forge is None or not tools.makes_pages or (page is not None and not page.draft),
        open=component.tag in marks,
    )


def _refuse_unseen(tools: ReleaseTools, wanted: Iterable[Component], remote_tags: Mapping[str, str]) -> None:
    """A release that is not finished and whose commit is not in this clone cannot be finished here."""
    for component in wanted:
        commit = remote_tags.get(component.tag, "")
        if commit and not tools.history.has_tag(component.tag):
            raise InputError(
                f"{component} cannot be finished here",
                expected=f"its tag {component.tag}, which the remote has at {commit[:12]}",
                found="a clone without it: its history is cut off",
                next_step="run: git fetch --unshallow --tags",
            )


def _has_begun(tools: ReleaseTools, component: Component, standing: Standing, marks: Mapping[str, str]) -> bool:
    """Whether bytes of this version are somewhere already, so that its commit is decided."""
    if standing.published is not None:
        return True
    commit = marks.get(component.tag, "")
    return bool(commit) and read_stored_commit(tools.store, component) == commit


def _prepare(
    tools: ReleaseTools,
    settings: ReleaseSettings,
    packages: tuple[Package, ...],
    component: Component,
    standing: Standing,
    *,
    rank: int,
    begun: bool,
) -> Pending:
    services = {service.name: service for service in settings.services}
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
        rank,
        services.get(component.name) if component.kind in DEPLOYED else None,
        find_bundled(packages, component.package) if component.kind is ComponentKind.SERVICE else (),
        published if known else None,
        None if known else published,
        standing.released,
        standing.open,
        not standing.paged,
    )
