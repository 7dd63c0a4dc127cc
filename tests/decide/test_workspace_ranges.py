from __future__ import annotations

from typing import Any

import pytest

from switchover.decide.workspace_ranges import plan_concrete_ranges
from switchover.errors import InputError

VERSIONS = {"@acme/core": "1.4.2", "icons": "2.0.0-rc.1", "draft": ""}


def concrete(section: str, name: str, text: Any) -> dict[tuple[str, ...], str]:
    return plan_concrete_ranges({section: {name: text}}, VERSIONS, file="packages/ui/package.json")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("@acme/core", "workspace:^", "^1.4.2"),
        ("@acme/core", "workspace:~", "~1.4.2"),
        ("@acme/core", "workspace:*", "1.4.2"),
        ("@acme/core", "workspace:", "1.4.2"),
        ("@acme/core", "workspace:^1.2", "^1.2"),
        ("@acme/core", "workspace:>=1.2 <3", ">=1.2 <3"),
        ("@acme/core", "workspace:../core", "1.4.2"),
        ("icons", "workspace:^", "^2.0.0-rc.1"),
        ("glyphs", "workspace:icons@*", "npm:icons@2.0.0-rc.1"),
        ("base", "workspace:@acme/core@^", "npm:@acme/core@^1.4.2"),
        ("base", "workspace:@acme/core@^1.2", "npm:@acme/core@^1.2"),
    ],
)
@pytest.mark.parametrize("section", ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"])
def test_workspace_ranges_become_what_pnpm_publishes(section: str, name: str, text: str, expected: str) -> None:
    assert concrete(section, name, text) == {(section, name): expected}


@pytest.mark.parametrize("text", ["^1.0.0", "*", "npm:icons@^2", "file:../core", "latest", 7, None])
def test_other_ranges_stay(text: object) -> None:
    assert concrete("dependencies", "@acme/core", text) == {}
    assert plan_concrete_ranges({"dependencies": text}, VERSIONS, file="package.json") == {}


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("nobody", "workspace:^", "no such package"),
        ("x", "workspace:y@*", "no such package"),
        ("draft", "workspace:*", "no version"),
    ],
)
def test_a_package_that_the_workspace_does_not_have_is_refused(name: str, text: str, found: str) -> None:
    with pytest.raises(InputError, match=r"packages/ui/package\.json cannot be packed") as refused:
        concrete("dependencies", name, text)
    assert refused.value.problem.found == found


@pytest.mark.parametrize("text", ["catalog:", "link:../core", "portal:../core", "patch:core@1.0.0#fix.patch"])
def test_what_only_works_at_home_is_refused_where_others_would_install_it(text: str) -> None:
    assert concrete("devDependencies", "@acme/core", text) == {}
    with pytest.raises(InputError, match="others can install"):
        concrete("peerDependencies", "@acme/core", text)
