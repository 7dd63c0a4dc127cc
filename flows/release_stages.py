"""The stages through which components of a release go, side by side where nothing stands against it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from prefect import unmapped

from switchover.adapters.release_tools import ReleaseScope
from switchover.decide.outcome import Outcome
from switchover.operations.pending import Pending
from switchover.operations.progress import Progress, group_by_rank, require_passed
from switchover.operations.release_page import group_by_tag
from tasks.build import build_component, test_commits
from tasks.publish import make_page, move_pointers, publish_component, tag_component
from tasks.scan import scan_commits, scan_component, show_commits, show_findings
from tasks.side_by_side import gather
from tasks.sign import sign_component
from tasks.version_check import share_versions


def bring_out(
    scope: ReleaseScope, pending: tuple[Pending, ...], work: Path
) -> tuple[Outcome | None, Outcome | None, tuple[Progress, ...]]:
    """Test, scan the sources, build, scan, sign, publish, tag, make the pages, move the tags that move.

    Nothing where nothing waits.
    """
    if not pending:
        return None, None, ()
    tested = test_commits(scope, pending)
    sources = scan_commits(scope, pending, work)
    built = gather(build_component.map(unmapped(scope), pending, unmapped(tested), unmapped(work)))
    scanned = gather(scan_component.map(unmapped(scope), built, unmapped(work)))
    passed = require_passed(scanned, "scan")
    share_versions(scope, pending)
    show_commits(scope, pending, work)
    shown = gather(show_findings.map(unmapped(scope), passed))
    signed = gather(sign_component.map(unmapped(scope), shown))

    published: list[Progress] = []
    for group in group_by_rank(require_passed(signed, "sign")):
        published += gather(publish_component.map(unmapped(scope), group))

    tagged = [tag_component(scope, each) for each in published]
    paged = gather(make_page.map(unmapped(scope), group_by_tag(tagged), unmapped(work)))
    pointed = gather(move_pointers.map(unmapped(scope), list(chain.from_iterable(paged))))
    return tested, sources, tuple(pointed)
