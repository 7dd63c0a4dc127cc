from __future__ import annotations

import pytest

from switchover.decide.packages import Dependency, Kind, Package, Section
from switchover.decide.unreadable_ranges import refuse_unreadable_ranges
from switchover.errors import InputError


def packages(text: str, name: str = "core") -> tuple[Package, ...]:
    dependency = Dependency(name, text, Section.RUN)
    return (
        Package("core", "packages/core", "1.0.0", Kind.NPM),
        Package("ui", "packages/ui", "1.0.0", Kind.NPM, dependencies=(dependency,)),
    )


@pytest.mark.parametrize(
    "text",
    [
        "^1.0.0",
        "",
        "*",
        ">=1 <2 || 3.x",
        "latest",
        "next",
        "workspace:*",
        "workspace:^",
        "workspace:~1.2",
        "workspace:packages/core",
        "file:../core",
        "npm:other@^1",
        "acme/core#main",
        "git+ssh://git@forge.example/core.git",
        "catalog:",
    ],
)
def test_ranges_tags_and_what_package_managers_understand_are_readable(text: str) -> None:
    refuse_unreadable_ranges(packages(text))


@pytest.mark.parametrize("text", ["^^1 || nonsense >", "workspace:no", "1.2.3.4", "=> 1"])
def test_another_text_is_refused_with_file_and_name(text: str) -> None:
    with pytest.raises(InputError, match=r"packages/ui/package\.json") as refused:
        refuse_unreadable_ranges(packages(text))
    assert "core in dependencies" in refused.value.problem.expected
    assert refused.value.problem.found == repr(text)


def test_ranges_of_others_are_not_ours_to_judge() -> None:
    refuse_unreadable_ranges(packages("^^1 || nonsense >", name="left-pad"))
