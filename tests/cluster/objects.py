"""Kubernetes objects put into the test cluster and awaited there, by plain requests to its API server."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from switchover.errors import TargetError

FIELD_MANAGER = "switchover-test-cluster"
_LOOK_EVERY = 0.1

Object = dict[str, Any]


class Objects:
    """The API server of a kubeconfig with a client certificate in it, as its only user sees it."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._client = httpx.Client(
            base_url=cluster["server"], verify=_context(cluster, user), timeout=30, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def read(self, path: str) -> Object | None:
        """The object at this path of the API; None when there is none."""
        response = self._client.get(path)
        return None if response.status_code == httpx.codes.NOT_FOUND else _object(response)

    def apply(self, path: str, wanted: Mapping[str, Any]) -> Object:
        """Make the object at this path be as wanted, by server-side apply."""
        return _object(
            self._client.patch(
                path,
                content=json.dumps(wanted),
                params={"fieldManager": FIELD_MANAGER, "force": "true"},
                headers={"Content-Type": "application/apply-patch+yaml"},
            )
        )

    def await_state(self, path: str, reached: Callable[[Object], bool], *, within: float) -> Object:
        """The object at this path once it is as asked. Raises `TargetError` with its status when that is late."""
        until = time.monotonic() + within
        while True:
            found = self.read(path)
            if found is not None and reached(found):
                return found
            if time.monotonic() > until:
                raise TargetError(
                    f"{path} is not as it has to be",
                    expected=f"it to become so within {within:.0f} s",
                    found=json.dumps(found.get("status")) if found else "no such object",
                    next_step="read the logs of the cluster's parts",
                )
            time.sleep(_LOOK_EVERY)


def condition(kind: str) -> Callable[[Object], bool]:
    """Whether the status has this condition as true, said about the object as it is now."""

    def holds(found: Object) -> bool:
        generation = found["metadata"].get("generation", 0)
        return any(
            one["type"] == kind and one["status"] == "True" and one.get("observedGeneration", generation) == generation
            for one in found.get("status", {}).get("conditions", ())
        )

    return holds


def _object(response: httpx.Response) -> Object:
    if response.is_error:
        raise TargetError(
            f"{response.request.method} {response.request.url.path} failed",
            expected="the API server to accept it",
            found=f"{response.status_code}: {response.text[-2000:]}",
            next_step="correct the object",
        )
    found: Object = response.json()
    return found


def _context(cluster: Mapping[str, str], user: Mapping[str, str]) -> ssl.SSLContext:
    decoded = {name: base64.b64decode(value) for name, value in {**cluster, **user}.items() if name.endswith("-data")}
    context = ssl.create_default_context(cadata=decoded["certificate-authority-data"].decode())
    # The ssl module reads a client's key from a file only.
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(decoded["client-certificate-data"] + decoded["client-key-data"])
        pair.flush()
        context.load_cert_chain(pair.name)
    return context
