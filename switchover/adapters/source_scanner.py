"""The port `SourceScanner` on the program Trivy: the files of a commit, and nothing that lies beside them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from switchover.adapters.commit_export import export_commit
from switchover.adapters.trivy_documents import write_sarif
from switchover.adapters.trivy_runs import FILES, TrivyRuns, reading_reports, scan_or_fail, write_document
from switchover.config_release import ScanConfig
from switchover.decide.outcome import Done, Failed
from switchover.decide.scan_policy import describe_verdict
from switchover.operations.release_ports import Scanned

STAGE = "scan-sources"
_NAME = "sources"


class TrivySourceScanner:
    """Looks at commits of the checkout in `root`; `program` None: there is no scanner here, which fails the stage."""

    def __init__(
        self,
        program: str | None,
        settings: ScanConfig,
        root: Path,
        *,
        today: Callable[[], date],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._root = root
        self._skip = settings.sources_skip
        self._open: Callable[[], TrivyRuns] = lambda: TrivyRuns.open(program, settings, root, today, environment)

    def scan_commit(self, commit: str, folder: Path) -> Scanned:
        """Judge every file of the commit that is not left out; reports are `sources.trivy.json` and `sources.sarif`.

        The same files give the same bytes of both as long as the same is known about vulnerabilities.
        """
        return scan_or_fail(STAGE, f"commit {commit[:12]}", lambda: self._scan(self._open(), commit, folder))

    def _scan(self, runs: TrivyRuns, commit: str, folder: Path) -> Scanned:
        with tempfile.TemporaryDirectory(prefix="switchover-scan-") as made:
            files = Path(made) / FILES
            files.mkdir()
            export_commit(self._root, commit, (), files)
            with reading_reports():
                report = runs.look_at_files(Path(made), _NAME, self._skip)
                verdict = runs.judge([report])
                sarif = write_sarif([("", runs.convert(report, "sarif"))], _NAME)
        folder.mkdir(parents=True, exist_ok=True)
        written = folder / f"{_NAME}.trivy.json", folder / f"{_NAME}.sarif"
        write_document(written[0], report)
        write_document(written[1], sarif)
        text = describe_verdict(verdict, places=True)
        return Scanned(Done(STAGE, text) if verdict.passes else Failed(STAGE, text), *written)
