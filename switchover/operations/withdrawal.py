"""Taking a release back, as far as the places that it went to allow.

A published version stays what it is for ever. What can be undone: moving tags go back to the release before, people
are warned off the version, and nothing of ours will ever point at it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from switchover.decide.components import Component, find_withdrawn, write_next_tag
from switchover.decide.outcome import Done, Failed, Outcome, Skipped
from switchover.decide.pointers import LATEST, choose_pointers, plan_moves
from switchover.errors import InputError, SwitchoverError
from switchover.operations.planning import ReleaseSettings, read_components
from switchover.operations.release import alone, prepare
from switchover.operations.release_ports import ReleaseTools
from switchover.operations.shared_places import Destination


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What became of a withdrawal, stage by stage; a failed one can be repeated."""

    component: Component
    outcomes: tuple[Outcome, ...]

    @property
    def complete(self) -> bool:
        """Whether every place did what it allows."""
        return not any(isinstance(outcome, Failed) for outcome in self.outcomes)


def withdraw(tools: ReleaseTools, settings: ReleaseSettings, wanted: str, reason: str) -> tuple[Withdrawal, ...]:
    """Withdraw `name@version`, or a version where one tag stands for everything. Repeating is a no-op.

    What shares a tag is withdrawn together.

    The note that it is withdrawn comes first, so that no release at the same time points at it again. Raises
    `InputError` for what was never released.
    """
    with alone(tools):
        prepare(tools, settings)
        released = find_released(tools, settings, wanted)
        return tuple(Withdrawal(each, tuple(_withdraw(tools, each, reason))) for each in released)


def find_released(tools: ReleaseTools, settings: ReleaseSettings, wanted: str) -> tuple[Component, ...]:
    """The components at the version that `wanted` names; `InputError` when no tag says that it was released."""
    _, components = read_components(tools.workspace, settings)
    name, _, version = wanted.rpartition("@")
    named = [each for each in components if name in {each.name, each.package}] if name else list(components)
    if len({each.tag for each in named}) != 1:
        names = ", ".join(sorted(each.name for each in components))
        raise InputError(
            f"which component is {wanted!r}?",
            expected=f"name@version with one of: {names}",
            found="no component that it names" if not named else f"{len(named)} that it may mean",
            next_step="name the component: switchover release --withdraw name@version",
        )
    version = version.removeprefix("v")
    tag = write_next_tag(named[0], version)
    if not tools.history.has_tag(tag):
        raise InputError(
            f"{wanted} cannot be withdrawn",
            expected="a version that was released",
            found=f"no tag {tag}",
            next_step="look at what there is: git tag --list",
        )
    return tuple(replace(each, version=version, tag=tag) for each in components if each.tag == named[0].tag)


def _withdraw(tools: ReleaseTools, component: Component, reason: str) -> list[Outcome]:
    fresh = tools.history.withdraw(component.tag, reason)
    noted = f"withdrawn/{component.tag}"
    outcomes: list[Outcome] = [Done("note", noted) if fresh else Skipped("note", "already there")]
    if tools.remote:
        outcomes.append(tools.remote.push_tag(noted))
    destination = tools.destination_of(component)
    if destination is None:
        outcomes.append(Skipped("point", "there are no moving tags here"))
    else:
        outcomes += _point_back(tools, destination, component)
        outcomes.append(_attempt("warn", lambda: destination.withdraw(component, reason)))
    outcomes.append(_attempt("page", lambda: _mark_page(tools, component, reason)))
    return outcomes


def _point_back(tools: ReleaseTools, destination: Destination, component: Component) -> list[Outcome]:
    versions = destination.list_versions(component)
    withdrawn = find_withdrawn(component, versions, tools.history.read_withdrawn())
    wanted = choose_pointers(component.kind, component.version, versions, withdrawn)
    present = destination.read_pointers(component)
    moves = plan_moves(component.kind, component.version, wanted, present, withdrawn)
    outcomes: list[Outcome] = []
    if present.get(LATEST) in withdrawn and LATEST not in {move.pointer for move in moves}:
        outcomes.append(Skipped("point", f"{LATEST} stays: npm has no package without one, and no version is left"))
    if moves and not destination.moves_pointers:
        told = ", ".join(f"{move.pointer} → {move.version or 'nothing'}" for move in moves)
        return [*outcomes, Skipped("point", f"without a token tags cannot be moved; left to a person: {told}")]
    for move in moves:

        def act(pointer: str = move.pointer, version: str = move.version) -> Outcome:
            destination.move_pointer(component, pointer, version)
            return Done("point", f"{pointer} → {version or 'nothing'}")

        outcomes.append(_attempt("point", act))
    return outcomes or [Skipped("point", "no moving tag is on it")]


def _mark_page(tools: ReleaseTools, component: Component, reason: str) -> Outcome:
    found = tools.forge.find_release(component.tag) if tools.forge else None
    if tools.forge is None or found is None:
        return Skipped("page", "there is none")
    tools.forge.mark_withdrawn(found, f"**Withdrawn:** {reason}")
    return Done("page", found.url)


def _attempt(stage: str, effect: Callable[[], Outcome]) -> Outcome:
    """What a place does not allow must not keep the others from being asked."""
    try:
        return effect()
    except SwitchoverError as error:
        return Failed(stage, f"{error.problem.failed}: {error.problem.found}")
