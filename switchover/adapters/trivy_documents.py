"""What others read of a scan: SARIF for code scanning, CycloneDX for whoever asks what is inside.

Trivy puts random numbers and the time into both. Here they come from the archive, so that the same archive and the
same findings give the same bytes.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/bom")
_VERSIONED = re.compile(r"-\d+\.\d+\.\d+.*")
_ENDING = re.compile(r"(\.image)?\.(tar|tar\.gz|tgz)$")


def write_sarif(documents: list[tuple[str, Json]], name: str) -> Json:
    """One SARIF log with a run for each platform, from `(platform, SARIF of that platform)`.

    Each run has a category of its own that stays the same from version to version, without which the findings of one
    upload would close those of another. Paths are relative, because the folder of the scan is gone.
    """
    component = _VERSIONED.sub("", _ENDING.sub("", name))
    runs = []
    for platform, document in documents:
        for run in document["runs"]:
            kept = {key: value for key, value in run.items() if key != "originalUriBaseIds"}
            category = "/".join(part for part in ("switchover", component, platform.replace("/", "-")) if part)
            runs.append({**kept, "automationDetails": {"id": f"{category}/"}, "results": _without_base(run)})
    return {**documents[0][1], "runs": runs}


def write_sbom(documents: list[tuple[str, Json]], name: str, digest: str, time: int) -> Json:
    """One CycloneDX document about the archive `name` with that sha256, from `(platform, CycloneDX of the platform)`.

    `time` is in seconds of the epoch. It says what is inside, and nothing about today's vulnerabilities.
    """
    renamed = [_rename(document, f"{digest} {platform}") for platform, document in documents]
    first = renamed[0]
    about: Json = first["metadata"]["component"]
    components = [component for document in renamed for component in document.get("components") or []]
    dependencies = [each for document in renamed for each in document.get("dependencies") or []]
    if len(renamed) > 1:
        parts = [document["metadata"]["component"] for document in renamed]
        parts = [{**part, "name": f"{name} {platform}"} for part, (platform, _) in zip(parts, documents, strict=True)]
        about = {"bom-ref": _derive(digest, "all platforms"), "type": about["type"], "name": name}
        components += parts
        dependencies.append({"ref": about["bom-ref"], "dependsOn": [part["bom-ref"] for part in parts]})
    stamp = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept = {key: value for key, value in first.items() if key != "vulnerabilities"}
    return {
        **kept,
        "serialNumber": f"urn:uuid:{_derive(digest, 'document')}",
        "metadata": {**first["metadata"], "timestamp": stamp, "component": about},
        "components": sorted({each["bom-ref"]: each for each in components}.values(), key=_place),
        "dependencies": _merge_dependencies(dependencies),
    }


def _without_base(run: Json) -> list[Json]:
    return [
        {**result, "locations": [_make_relative(location) for location in result.get("locations") or []]}
        for result in run.get("results") or []
    ]


def _make_relative(location: Json) -> Json:
    physical = location["physicalLocation"]
    place = {"uri": physical["artifactLocation"]["uri"].lstrip("/")}
    return {**location, "physicalLocation": {**physical, "artifactLocation": place}}


def _rename(document: Json, seed: str) -> Json:
    """The document with names derived from its content where Trivy took random numbers."""
    names: dict[str, str] = {}
    for component in (document["metadata"]["component"], *(document.get("components") or [])):
        if _is_random(component["bom-ref"]):
            said = " ".join(str(component.get(key, "")) for key in ("type", "group", "name", "version"))
            said += "".join(f" {each['name']}={each['value']}" for each in component.get("properties") or [])
            again = 0
            while (derived := _derive(seed, f"{said} {again}")) in names.values():
                again += 1
            names[component["bom-ref"]] = derived
    return {
        **document,
        "metadata": {**document["metadata"], "component": _with_name(document["metadata"]["component"], names)},
        "components": [_with_name(component, names) for component in document.get("components") or []],
        "dependencies": [
            {
                "ref": names.get(each["ref"], each["ref"]),
                "dependsOn": [names.get(ref, ref) for ref in each.get("dependsOn") or []],
            }
            for each in document.get("dependencies") or []
        ],
    }


def _with_name(component: Json, names: dict[str, str]) -> Json:
    return {**component, "bom-ref": names.get(component["bom-ref"], component["bom-ref"])}


def _place(component: Json) -> tuple[str, str]:
    return (str(component["name"]), str(component["bom-ref"]))


def _merge_dependencies(dependencies: list[Json]) -> list[Json]:
    merged: dict[str, set[str]] = {}
    for each in dependencies:
        merged.setdefault(each["ref"], set()).update(each["dependsOn"])
    return [{"ref": ref, "dependsOn": sorted(merged[ref])} for ref in sorted(merged)]


def _is_random(reference: str) -> bool:
    try:
        return str(uuid.UUID(reference)) == reference
    except ValueError:
        return False


def _derive(seed: str, what: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{seed} {what}"))
