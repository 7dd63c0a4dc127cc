"""A client of an API server for tests: of the emulator always, of a real cluster where there is one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_credentials import credentials_from_file
from switchover.adapters.kube_kinds import NAMESPACE
from tests.kube_emulator import KubeEmulator

CLUSTER_VARIABLE = "SWITCHOVER_TEST_KUBECONFIG"


@contextmanager
def emulated_api() -> Iterator[KubeApi]:
    """A client of an emulator of its own."""
    with KubeEmulator() as emulator:
        api = emulator.api()
        try:
            yield api
        finally:
            api.close()


@contextmanager
def cluster_api() -> Iterator[KubeApi]:
    """A client of the real cluster, in a fresh namespace that is deleted in the end. Skips without a cluster."""
    kubeconfig = os.environ.get(CLUSTER_VARIABLE)
    if not kubeconfig:
        pytest.skip(f"no test on a real cluster: {CLUSTER_VARIABLE} is not set")
    namespace = f"switchover-test-{uuid.uuid4().hex[:8]}"
    api = KubeApi(credentials_from_file(kubeconfig), namespace)
    try:
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield api
        api.delete(NAMESPACE, namespace)
    finally:
        api.close()


@pytest.fixture(params=["emulator", pytest.param("cluster", marks=pytest.mark.cluster)])
def kube_api(request: pytest.FixtureRequest) -> Iterator[KubeApi]:
    """A client in a namespace of its own."""
    with emulated_api() if request.param == "emulator" else cluster_api() as api:
        yield api


@pytest.fixture
def kube_emulator() -> Iterator[KubeEmulator]:
    """A running emulator without controllers."""
    with KubeEmulator() as emulator:
        yield emulator
