"""Credentials of a registry, from where docker login puts them or from the environment. They enter no message."""

from __future__ import annotations

import base64
import binascii
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchover.errors import InputError, MissingProgramError

HOST = "SWITCHOVER_REGISTRY"
USER = "SWITCHOVER_REGISTRY_USER"
PASSWORD = "SWITCHOVER_REGISTRY_PASSWORD"  # noqa: S105 the variable's name
_HUB_KEYS = ("https://index.docker.io/v1/", "docker.io", "index.docker.io")
_BY_TOKEN = "<token>"  # noqa: S105 what helpers say instead of a user name
_HELPER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RegistryCredentials:
    """User and password, or an identity token to exchange; both empty: nobody in particular."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def find_credentials(registry: str, environ: Mapping[str, str]) -> RegistryCredentials:
    """Who we are to `registry`: `SWITCHOVER_REGISTRY_USER` and `_PASSWORD`, else docker's own configuration.

    The two count for the registry that `SWITCHOVER_REGISTRY` names (host or host:port), for any where it is absent.

    Raises `InputError` for a configuration that cannot be read, `MissingProgramError` for a helper that is not there.
    """
    if environ.get(USER) and environ.get(HOST, registry) == registry:
        return RegistryCredentials(environ[USER], environ.get(PASSWORD, ""))
    folder = environ.get("DOCKER_CONFIG") or str(Path(environ.get("HOME") or "~").expanduser() / ".docker")
    configuration = _read(Path(folder) / "config.json")
    keys = _HUB_KEYS if registry == "docker.io" else (registry, f"https://{registry}")
    helpers = configuration.get("credHelpers") or {}
    for key in keys:
        entry = (configuration.get("auths") or {}).get(key) or {}
        if key in helpers:
            return _ask_helper(str(helpers[key]), key, environ)
        if entry.get("identitytoken"):
            return RegistryCredentials(identity_token=str(entry["identitytoken"]))
        if entry.get("auth"):
            return _decode(str(entry["auth"]), registry)
    store = configuration.get("credsStore")
    return _ask_helper(str(store), keys[0], environ) if store else RegistryCredentials()


def _read(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file} cannot be read",
            expected="docker's configuration, a JSON object",
            found=type(error).__name__,
            next_step="correct it (`docker login` writes it)",
        ) from None
    return value if isinstance(value, dict) else {}


def _decode(auth: str, registry: str) -> RegistryCredentials:
    try:
        user, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise InputError(
            f"the credentials of {registry} in docker's configuration cannot be read",
            expected="`auth` as docker login writes it",
            found="something else",
            next_step=f"run `docker login {registry}` again",
        ) from None
    return RegistryCredentials(user, password)


def _ask_helper(name: str, key: str, environ: Mapping[str, str]) -> RegistryCredentials:
    program = shutil.which(f"docker-credential-{name}", path=environ.get("PATH"))
    if program is None:
        raise MissingProgramError(
            f"docker's configuration asks for the program docker-credential-{name}",
            expected="it on the PATH",
            found="no such program",
            next_step=f"install it, or set {USER} and {PASSWORD}",
        )
    try:
        done = subprocess.run(
            [program, "get"],
            input=key.encode(),
            env=dict(environ),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
        said = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        said = {}
    user, secret = str(said.get("Username", "")), str(said.get("Secret", ""))
    return RegistryCredentials(identity_token=secret) if user == _BY_TOKEN else RegistryCredentials(user, secret)
