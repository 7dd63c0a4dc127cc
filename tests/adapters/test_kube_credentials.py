from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from switchover.adapters.kube_credentials import (
    Credentials,
    credentials_from_document,
    credentials_from_environment,
    credentials_from_file,
)
from switchover.errors import InputError


def a_kubeconfig(**users: Mapping[str, Any]) -> dict[str, Any]:
    """One context per user, named like them; the first one is current."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(users)),
        "clusters": [{"name": "c", "cluster": {"server": "https://cluster.example.org:6443"}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": name}} for name in users],
        "users": [{"name": name, "user": dict(user)} for name, user in users.items()],
    }


def write(folder: Path, content: object) -> str:
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def token_of(credentials: Credentials) -> str:
    return str(credentials().api_key["BearerToken"])


def test_the_current_context_counts_unless_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, a_kubeconfig(a={"token": "t-a"}, b={"token": "t-b"}))
    assert token_of(credentials_from_file(path)) == "Bearer t-a"
    assert token_of(credentials_from_file(path, "b")) == "Bearer t-b"
    assert credentials_from_file(path)().host == "https://cluster.example.org:6443"


def test_they_are_read_each_time(tmp_path: Path) -> None:
    credentials = credentials_from_file(write(tmp_path, a_kubeconfig(a={"token": "old"})))
    assert token_of(credentials) == "Bearer old"
    write(tmp_path, a_kubeconfig(a={"token": "new"}))
    assert token_of(credentials) == "Bearer new"


def test_a_document_is_read_like_a_file() -> None:
    document = a_kubeconfig(a={"token": "t-a"}, b={"token": "t-b"})
    assert token_of(credentials_from_document(document, "b")) == "Bearer t-b"


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, a_kubeconfig(a={"token": "t-a"}))
    in_a_pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert token_of(credentials_from_environment({"KUBECONFIG": path, **in_a_pod})) == "Bearer t-a"


def test_a_program_of_the_kubeconfig_is_asked(tmp_path: Path) -> None:
    answer = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"made"}}'
    program = tmp_path / "login"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}}
    assert token_of(credentials_from_file(write(tmp_path, a_kubeconfig(a=user)))) == "Bearer made"


def test_they_can_be_read_where_a_loop_is_running(tmp_path: Path) -> None:
    credentials = credentials_from_file(write(tmp_path, a_kubeconfig(a={"token": "t-a"})))

    async def read() -> str:
        return token_of(credentials)

    assert asyncio.run(read()) == "Bearer t-a"


@pytest.mark.parametrize(
    "content",
    ["", "{", [1], {"kind": "Config"}, a_kubeconfig(a={"token": "s3cret"}) | {"current-context": "gone"}],
    ids=["empty", "no YAML", "a list", "nothing in it", "no such context"],
)
def test_a_file_that_is_none_is_refused_without_a_secret(tmp_path: Path, content: object) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    with pytest.raises(InputError, match="kubectl config view") as raised:
        credentials_from_file(str(path))()
    assert "s3cret" not in str(raised.value)


def test_a_missing_file_and_a_missing_context_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        credentials_from_file(str(tmp_path / "nothing"))()
    with pytest.raises(InputError, match="moon"):
        credentials_from_file(write(tmp_path, a_kubeconfig(a={"token": "t"})), "moon")()


def test_a_pod_without_a_service_account_is_named() -> None:
    in_a_pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(InputError, match="service account"):
        credentials_from_environment(in_a_pod)()
