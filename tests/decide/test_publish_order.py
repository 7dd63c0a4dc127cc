from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchover.decide.components import Component, ComponentKind
from switchover.decide.packages import Dependency, Kind, Package, Section
from switchover.decide.publish_order import plan_order


def package(name: str, *needs: str, section: Section = Section.RUN) -> Package:
    return Package(
        name,
        f"packages/{name}",
        "1.0.0",
        Kind.NPM,
        dependencies=tuple(Dependency(each, "*", section) for each in needs),
    )


def component(name: str) -> Component:
    return Component(name, name, "1.0.0", ComponentKind.NPM, f"packages/{name}", f"{name}@1.0.0")


def order(*packages: Package) -> list[list[str]]:
    groups = plan_order(packages, [component(each.name) for each in packages])
    return [[each.name for each in group] for group in groups]


def test_what_others_need_comes_first() -> None:
    assert order(package("shop", "ui", "core"), package("ui", "core"), package("core")) == [["core"], ["ui"], ["shop"]]


def test_what_is_needed_for_development_only_does_not_matter() -> None:
    assert order(package("a", "b", section=Section.DEV), package("b")) == [["a", "b"]]


def test_what_is_not_released_does_not_matter() -> None:
    groups = plan_order((package("a", "gone"), package("gone")), [component("a")])
    assert [[each.name for each in group] for group in groups] == [["a"]]


def test_packages_in_a_cycle_and_those_that_need_them_come_last_and_all_come() -> None:
    found = order(package("a", "b"), package("b", "a"), package("c"), package("d", "a"), package("e", "e"))
    assert found[0] == ["c", "e"]
    assert sorted(name for group in found for name in group) == ["a", "b", "c", "d", "e"]


@given(st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 9)), max_size=10))
def test_everything_comes_once_and_never_before_what_it_needs(needs: dict[int, set[int]]) -> None:
    acyclic = {at: {other for other in others if other < at} for at, others in needs.items()}
    packages = [package(str(at), *(str(other) for other in others)) for at, others in acyclic.items()]
    groups = order(*packages)
    place = {name: at for at, group in enumerate(groups) for name in group}
    assert sorted(place) == sorted(str(at) for at in needs)
    assert all(
        place[str(other)] < place[str(at)] for at, others in acyclic.items() for other in others if other in needs
    )
