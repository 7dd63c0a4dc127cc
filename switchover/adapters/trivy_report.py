"""Trivy's JSON: cleared of everything that could quote a secret or changes by itself, and read into findings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from switchover.decide.scan_policy import SEVERITIES, FindingKind, ScanFinding

Json = dict[str, Any]

_NEVER = "0001-01-01T00:00:00Z"
"""What Trivy itself writes for a time that nobody knows."""
_PATHS = frozenset({"Target", "FilePath", "PkgPath", "Filename"})


def clear_report(report: Json, subject: Path, name: str) -> Json:
    """The report about `subject`, which is called `name` in it, the same for the same findings.

    Lines of the scanned files go, those with a secret masked by Trivy too: beside it could be one that Trivy does not
    know. So do the variables and the steps of an image, which may hold the arguments of its build.
    """
    metadata = dict(report.get("Metadata") or {})
    image = metadata.get("ImageConfig") or {}
    metadata["ImageConfig"] = {key: image[key] for key in ("architecture", "os", "variant", "rootfs") if key in image}
    metadata["ImageConfig"] |= {"created": _NEVER, "config": {}}
    results = [_clear_result(result, str(subject), name) for result in report.get("Results") or []]
    return {**report, "CreatedAt": _NEVER, "ArtifactName": name, "Metadata": metadata, "Results": results}


def take_out(report: Json, folder: str) -> Json:
    """The report about files that lie in `folder`, with their paths as seen from there."""
    return {**report, "Results": _take_out(report["Results"], f"{folder}/")}


def read_platform(report: Json) -> str:
    """`linux/arm64`: the platform of the image that the report is about; empty for files."""
    image = (report.get("Metadata") or {}).get("ImageConfig") or {}
    return "/".join(str(image[key]) for key in ("os", "architecture", "variant") if image.get(key))


def read_findings(report: Json) -> Iterator[ScanFinding]:
    """Every finding of the report. Raises `ValueError`, `TypeError` or `KeyError` for one that makes no sense."""
    platform = read_platform(report)
    for result in report.get("Results") or []:
        place = str(result["Target"])
        for flaw in result.get("Vulnerabilities") or []:
            yield ScanFinding(
                id=str(flaw["VulnerabilityID"]),
                severity=_severity(flaw),
                kind=FindingKind.VULNERABILITY,
                place=str(flaw.get("PkgPath") or place),
                title=str(flaw.get("Title") or ""),
                package=str(flaw["PkgName"]),
                installed_version=str(flaw.get("InstalledVersion") or ""),
                fixed_version=str(flaw.get("FixedVersion") or ""),
                platform=platform,
            )
        for secret in result.get("Secrets") or []:
            yield ScanFinding(
                id=str(secret["RuleID"]),
                severity=_severity(secret),
                kind=FindingKind.SECRET,
                place=f"{place.lstrip('/')}:{secret.get('StartLine')}",
                title=str(secret.get("Title") or ""),
                platform=platform,
            )
        for flaw in result.get("Misconfigurations") or []:
            names = [str(flaw[key]) for key in ("AVDID", "ID") if flaw.get(key)]
            yield ScanFinding(
                id=names[0],
                severity=_severity(flaw),
                kind=FindingKind.MISCONFIGURATION,
                place=place.lstrip("/"),
                title=str(flaw.get("Title") or ""),
                platform=platform,
                aliases=tuple(names[1:]),
            )


def merge_reports(reports: list[Json]) -> Json:
    """One report of all platforms, in the shape that Trivy's own have: each result names its platform."""
    if len(reports) == 1:
        return reports[0]
    results = [
        {**result, "Target": f"{result['Target']} [{read_platform(report)}]"}
        for report in reports
        for result in report["Results"]
    ]
    return {**reports[0], "Results": results}


def _severity(entry: Json) -> str:
    severity = str(entry["Severity"]).lower()
    if severity not in SEVERITIES:
        msg = f"unknown severity {entry['Severity']!r}"
        raise ValueError(msg)
    return severity


def _clear_result(result: Json, subject: str, name: str) -> Json:
    cleared = {**result, "Target": str(result["Target"]).replace(subject, name)}
    for kind in ("Packages", "Vulnerabilities", "Secrets", "Misconfigurations"):
        if result.get(kind):
            cleared[kind] = [_clear_entry(entry) for entry in result[kind]]
    return cleared


def _take_out(value: Any, start: str) -> Any:
    if isinstance(value, list):
        return [_take_out(each, start) for each in value]
    if isinstance(value, dict):
        return {
            key: each.removeprefix(start) if key in _PATHS and isinstance(each, str) else _take_out(each, start)
            for key, each in value.items()
        }
    return value


def _clear_entry(entry: Json) -> Json:
    cleared = {key: value for key, value in entry.items() if key != "Code"}
    if "Match" in entry:
        cleared["Match"] = "(not shown)"
    if "CauseMetadata" in entry:
        cleared["CauseMetadata"] = {key: value for key, value in entry["CauseMetadata"].items() if key != "Code"}
    if isinstance(entry.get("Layer"), dict):
        cleared["Layer"] = {key: value for key, value in entry["Layer"].items() if key != "CreatedBy"}
    return cleared
