"""The cluster of an environment: Prefect Kubernetes' block `Kubernetes Credentials`, where an operator has saved one.

Its cluster configuration is a kubeconfig with the context to use; without a block, or with one that holds no cluster
configuration, what switchover.toml and the process's own surroundings say counts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prefect_kubernetes.credentials import KubernetesCredentials

from blocks.server_call import single_try
from switchover.adapters.kube_credentials import credentials_from_document

SILENCE_SECONDS = 30.0

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration

    from switchover.adapters.kube_credentials import Credentials


def open_cluster_access(name: str, otherwise: Credentials) -> Credentials:
    """The credentials of the cluster that the block `name` describes, read anew at each call.

    A block whose operator has renewed it is therefore found while a deployment runs. A server that does not answer
    must not keep a rollback from its cluster: it is left alone for `SILENCE_SECONDS` then, and what the block said
    before counts, or, where it never said anything, what is known `otherwise`.
    """
    known: list[KubernetesCredentials] = []
    silent_until = 0.0

    def read() -> Configuration:
        nonlocal silent_until
        if time.monotonic() >= silent_until:
            try:
                known[:] = [_load(name)]
            except ValueError:
                known.clear()  # the server's word: there is no such block
            except Exception:  # noqa: BLE001 whatever the server does, there is what we know
                silent_until = time.monotonic() + SILENCE_SECONDS
        cluster = known[0].cluster_config if known else None
        if cluster is None:
            return otherwise()
        return credentials_from_document(cluster.config, cluster.context_name)()

    return read


def _load(name: str) -> KubernetesCredentials:
    with single_try():
        block = KubernetesCredentials.load(name)
    if not isinstance(block, KubernetesCredentials):
        msg = "the block is read in synchronous code only"
        raise TypeError(msg)
    return block
