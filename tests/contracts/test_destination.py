"""What every `Destination` promises."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from switchover.decide.components import Component, ComponentKind
from switchover.decide.outcome import Done, Skipped
from switchover.errors import InputError, MissingProgramError, TargetError
from switchover.operations.shared_places import Destination, Published
from tests.fakes_release import InMemoryDestination
from tests.image_layouts import ImageCase
from tests.npm_fixtures import npm_case
from tests.real_parts.crane_registry import crane_program, crane_registry
from tests.real_parts.docker_registry import docker_registry
from tests.real_parts.verdaccio import Verdaccio


class DestinationCase(Protocol):
    """One component that nobody else uses, and the place it goes to."""

    def open(self) -> Destination:
        """The destination, as a new process would open it."""

    def component(self, version: str) -> Component:
        """The component at that version."""

    def archive(self, component: Component, content: str) -> Path:
        """An archive of the component: other bytes for other content, and the same for the same."""


@dataclass(frozen=True, slots=True)
class MemoryCase:
    folder: Path
    destination: InMemoryDestination = field(default_factory=InMemoryDestination)

    def open(self) -> Destination:
        return self.destination

    def component(self, version: str) -> Component:
        return Component("ui", "@acme/ui", version, ComponentKind.NPM, "packages/ui", f"ui@{version}")

    def archive(self, component: Component, content: str) -> Path:
        file = self.folder / f"{component.version}-{content}.tgz"
        file.write_text(content, encoding="utf-8")
        return file


@pytest.fixture
def memory_case(tmp_path: Path) -> DestinationCase:
    return MemoryCase(tmp_path)


@pytest.fixture
def verdaccio_case(verdaccio: Verdaccio, tmp_path: Path) -> DestinationCase:
    return npm_case(verdaccio, tmp_path)


@pytest.fixture(scope="module")
def debians_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def cranes_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        crane_program()
    except MissingProgramError as error:
        pytest.skip(str(error))
    with crane_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def image_case(debians_registry: str, tmp_path: Path) -> DestinationCase:
    return ImageCase(debians_registry, tmp_path, removes_tags=False)


@pytest.fixture
def crane_case(cranes_registry: str, tmp_path: Path) -> DestinationCase:
    return ImageCase(cranes_registry, tmp_path, removes_tags=True)


@pytest.fixture(
    params=["memory_case", "verdaccio_case", "image_case", "crane_case"],
    ids=["in memory", "npm", "images", "images at crane"],
)
def case(request: pytest.FixtureRequest) -> DestinationCase:
    case: DestinationCase = request.getfixturevalue(request.param)
    return case


def publish(case: DestinationCase, version: str, content: str = "one") -> Published:
    component = case.component(version)
    return case.open().publish(component, case.archive(component, content))


def test_of_a_component_that_was_never_published_nothing_is_there(case: DestinationCase) -> None:
    component = case.component("1.0.0")
    assert case.open().find(component) is None
    assert case.open().list_versions(component) == ()
    assert case.open().read_pointers(component) == {}


def test_what_is_published_is_found_as_it_was_identified_before(case: DestinationCase) -> None:
    component = case.component("1.0.0")
    archive = case.archive(component, "one")
    expected = case.open().identify(component, archive)
    assert case.open().publish(component, archive) == expected
    assert case.open().find(component) == expected
    assert case.open().list_versions(component) == ("1.0.0",)
    assert case.open().find(case.component("1.0.1")) is None


def test_publishing_the_same_bytes_again_changes_nothing(case: DestinationCase) -> None:
    first = publish(case, "1.0.0")
    assert publish(case, "1.0.0") == first
    assert case.open().list_versions(case.component("1.0.0")) == ("1.0.0",)


def test_other_bytes_of_a_published_version_are_refused_with_both_digests(case: DestinationCase) -> None:
    first = publish(case, "1.0.0")
    component = case.component("1.0.0")
    other = case.open().identify(component, case.archive(component, "two"))
    with pytest.raises(InputError) as refused:
        publish(case, "1.0.0", "two")
    assert refused.value.problem.expected == first.digest
    assert refused.value.problem.found == other.digest
    assert case.open().find(component) == first


def test_bytes_that_were_only_staged_have_no_version_and_can_be_published(case: DestinationCase) -> None:
    component = case.component("1.0.0")
    archive = case.archive(component, "one")
    first = case.open().stage(component, archive)
    assert isinstance(first, Done | Skipped)
    again = case.open().stage(component, archive)
    assert isinstance(again, Skipped) or again == first
    assert case.open().find(component) is None
    assert case.open().list_versions(component) == ()
    assert case.open().publish(component, archive) == case.open().find(component)


def test_all_versions_are_listed(case: DestinationCase) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
        publish(case, version)
    assert set(case.open().list_versions(case.component("9.9.9"))) == {"1.0.0", "1.1.0", "2.0.0-rc.1"}


def test_a_moving_tag_stands_for_the_version_that_it_was_moved_to(case: DestinationCase) -> None:
    publish(case, "1.0.0")
    publish(case, "1.1.0")
    component = case.component("1.1.0")
    for version in ("1.0.0", "1.1.0", "1.1.0", "1.0.0"):
        case.open().move_pointer(component, "stable", version)
        assert case.open().read_pointers(component)["stable"] == version


def test_a_moving_tag_goes_away_and_going_again_is_no_matter(case: DestinationCase) -> None:
    publish(case, "1.0.0")
    component = case.component("1.0.0")
    case.open().move_pointer(component, "stable", "1.0.0")
    if isinstance(case, ImageCase) and not case.removes_tags:
        with pytest.raises(TargetError, match="does not remove the tag stable"):
            case.open().move_pointer(component, "stable", "")
        assert case.open().read_pointers(component)["stable"] == "1.0.0"
        return
    for _ in range(2):
        case.open().move_pointer(component, "stable", "")
        assert "stable" not in case.open().read_pointers(component)
    assert case.open().find(component) is not None


def test_a_backport_leaves_the_moving_tags_where_they_are(case: DestinationCase) -> None:
    publish(case, "1.0.0")
    publish(case, "2.0.0")
    component = case.component("2.0.0")
    case.open().move_pointer(component, "latest", "2.0.0")
    case.open().move_pointer(component, "stable", "1.0.0")
    publish(case, "1.0.1")
    pointers = case.open().read_pointers(component)
    assert (pointers["latest"], pointers["stable"]) == ("2.0.0", "1.0.0")


def test_no_moving_tag_stands_for_a_version_that_is_not_there(case: DestinationCase) -> None:
    publish(case, "1.0.0")
    component = case.component("1.0.0")
    case.open().move_pointer(component, "latest", "1.0.0")
    for pointer in ("latest", "stable"):
        with pytest.raises(InputError, match=r"9\.9\.9"):
            case.open().move_pointer(component, pointer, "9.9.9")
    pointers = case.open().read_pointers(component)
    assert pointers["latest"] == "1.0.0"
    assert "stable" not in pointers


def test_a_withdrawn_version_stays_what_it_was(case: DestinationCase) -> None:
    first = publish(case, "1.0.0")
    component = case.component("1.0.0")
    outcome = case.open().withdraw(component, "It loses carts.")
    assert isinstance(outcome, Done | Skipped)
    assert case.open().withdraw(component, "It loses carts.") == outcome
    assert case.open().find(component) == first


def test_what_is_not_there_is_not_withdrawn(case: DestinationCase) -> None:
    publish(case, "1.0.0")
    assert isinstance(case.open().withdraw(case.component("1.0.1"), "It loses carts."), Skipped)


def test_two_that_publish_the_same_bytes_at_once_both_succeed(case: DestinationCase) -> None:
    component = case.component("1.0.0")
    archive = case.archive(component, "one")

    def publish_in_the_end(_: int) -> Published:
        # Debian's registry may answer 500 to who reads a manifest while another writes it: to be repeated.
        for _attempt in range(4):
            with suppress(TargetError):
                return case.open().publish(component, archive)
        return case.open().publish(component, archive)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(publish_in_the_end, range(2)))
    assert answers == [case.open().find(component)] * 2
