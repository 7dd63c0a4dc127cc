"""The files of a commit are judged before anything is built of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from switchover.adapters.release_tools import open_release_tools, read_release_scope
from switchover.decide.outcome import Done, Failed, Outcome, Skipped
from switchover.errors import SwitchoverError
from switchover.operations.release_ports import Scanned
from switchover.operations.release_report import report_to_json
from tests.operations.test_release import World, make_connected


@dataclass
class OneAnswer:
    """A scanner with one answer, which remembers the commits that it was asked about."""

    outcome: Outcome
    commits: list[str] = field(default_factory=list)

    def scan_commit(self, commit: str, folder: Path) -> Scanned:
        self.commits.append(commit)
        folder.mkdir(parents=True)
        sarif = folder / "sources.sarif"
        sarif.write_text("found", encoding="utf-8")
        return Scanned(self.outcome, report=sarif, sarif=sarif)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A checkout with a remote, a forge and an npm registry; three components wait for their release."""
    return make_connected(tmp_path / "connected")


def test_a_commit_is_scanned_once_and_its_findings_are_shown(world: World) -> None:
    scanner = OneAnswer(Done("scan-sources", "no findings"))
    report = world.run(source_scanner=scanner)
    assert scanner.commits == [report.commit]
    assert report.sources == Done("scan-sources", f"{report.commit[:12]}: no findings")
    assert world.forge
    assert (report.commit, "refs/heads/main", b"found") in world.forge.findings
    assert report_to_json("acme", report)["sources"] == str(report.sources)


def test_a_finding_stops_the_release_before_anything_is_built(world: World) -> None:
    before = world.shared.git("rev-parse", "main")
    with pytest.raises(SwitchoverError, match="stops at: scan-sources") as stopped:
        world.run(source_scanner=OneAnswer(Failed("scan-sources", "1 blocks: a key in main.py")))
    assert stopped.value.problem.found == "1 blocks: a key in main.py"
    assert "sources_skip" in stopped.value.problem.next_step
    assert list((world.root / "work").rglob("*.t*gz")) == []
    assert world.shared.git("rev-parse", "main") == before
    assert world.run().changed


def test_nothing_is_scanned_where_nothing_is_to_be_built(world: World) -> None:
    world.run()
    scanner = OneAnswer(Failed("scan-sources", "never asked"))
    assert world.run(source_scanner=scanner).sources == Skipped("scan-sources", "nothing is to be built")
    assert scanner.commits == []


@pytest.mark.parametrize("setting", ["sources = false", "enabled = false"])
def test_it_can_be_turned_off_and_says_so(world: World, setting: str) -> None:
    config = world.repository.root / "switchover.toml"
    default = open_release_tools(read_release_scope(config), {}).source_scanner
    assert default is not None
    text = config.read_text(encoding="utf-8")
    world.repository.commit("chore: configure", {"switchover.toml": f"{text}{setting}\n"})
    world.repository.git("push", "--quiet", "origin", "HEAD")
    chosen = open_release_tools(read_release_scope(config), {}).source_scanner
    assert world.run(source_scanner=chosen).sources == Skipped("scan-sources", "turned off in switchover.toml")
