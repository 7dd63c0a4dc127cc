from __future__ import annotations

import pytest

from switchover.decide.bumps import Bump
from switchover.decide.changesets import parse_changeset
from switchover.errors import InputError


def test_a_changeset_keeps_the_order_of_its_packages_and_its_summary() -> None:
    parsed = parse_changeset("a", "---\n\"@acme/ui\": minor\n'core': none\n---\n\nOne.\n\nTwo.\n", file="f")
    assert parsed.releases == (("@acme/ui", Bump.MINOR), ("core", Bump.NONE))
    assert parsed.summary == "One.\n\nTwo."


@pytest.mark.parametrize("text", ["---\n---\n\nNothing.", "---\r\n---\r\n\r\nNothing.\r\n", "---\n\n---\nNothing."])
def test_an_empty_changeset_is_legal(text: str) -> None:
    assert parse_changeset("a", text, file="f").releases == ()
    assert parse_changeset("a", text, file="f").summary == "Nothing."


BROKEN = {
    "no header at all": ("f.md:1", "no header at all"),
    "": ("f.md:1", "nothing"),
    "---\na: minor\nb: huge\n---\nx": ("f.md:3", "'huge'"),
    "---\na: minor\na: patch\n---\nx": ("f.md:3", "'a' twice"),
    "---\n- a\n---\nx": ("f.md:2", "'- a'"),
    "---\na: minor\nb: [\n---\nx": ("f.md:", "but found"),
    "---\na: [minor]\n---\nx": ("f.md:2", "something nested"),
}


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_changeset_is_refused_with_file_and_line(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_changeset("f", text, file="f.md")
    place, found = BROKEN[text]
    assert refused.value.problem.failed.startswith(place)
    assert found in refused.value.problem.found
