"""Whether a release ended as one that nothing happened to."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.release.world import World


def require_same(world: World, wanted: dict[str, Any], **changed: Any) -> None:
    """Fail unless everything is as after a release that nothing happened to; `changed` says what is different."""
    found = world.state()
    for name, value in (wanted | changed).items():
        assert found[name] == value, name
    assert found.keys() == wanted.keys()
    assert not world.complaints()


def require_published_once(world: World) -> None:
    """Fail when a version was sent to npm twice, or a page was made twice."""
    writes = world.writes()
    assert sum(each.lower() == "put /@acme%2fmoney" for each in writes["npm"]) == 1
    pages = [each for each in writes["api"] if each.endswith("/releases")]
    assert len(pages) == len(world.hosted.releases)
