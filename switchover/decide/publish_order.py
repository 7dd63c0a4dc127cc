"""In which order packages are published: nobody is published before what he depends on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

from switchover.decide.components import Component
from switchover.decide.packages import Package, Section


def plan_order(packages: Iterable[Package], components: Iterable[Component]) -> tuple[tuple[Component, ...], ...]:
    """The components in groups: each group needs only earlier ones. Packages in a cycle go together, at the end."""
    by_package: dict[str, list[Component]] = {}
    for component in components:
        by_package.setdefault(component.package, []).append(component)
    needs = {
        package.name: {
            dependency.name
            for dependency in package.dependencies
            if dependency.section is not Section.DEV
            and dependency.name in by_package
            and dependency.name != package.name
        }
        for package in packages
        if package.name in by_package
    }
    sorter = TopologicalSorter(needs)
    groups: list[tuple[Component, ...]] = []
    # It refuses a cycle and still hands out, in order, everything that is in none.
    with suppress(CycleError):
        sorter.prepare()
    done: set[str] = set()
    while ready := sorted(sorter.get_ready()):
        groups.append(tuple(component for name in ready for component in by_package[name]))
        sorter.done(*ready)
        done |= set(ready)
    left = tuple(component for name in sorted(by_package) if name not in done for component in by_package[name])
    return (*groups, left) if left else tuple(groups)
