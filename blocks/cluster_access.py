"""The cluster of an environment: Prefect Kubernetes' block `Kubernetes Credentials`, where an operator has saved one.

Its cluster configuration is a kubeconfig with the context to use; without a block, or with one that holds no cluster
configuration, what switchover.toml and the process's own surroundings say counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect_kubernetes.credentials import KubernetesCredentials

from blocks.server_call import single_try
from switchover.adapters.kube_credentials import credentials_from_document
from switchover.errors import TargetError

SILENCE_SECONDS = 30.0

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration

    from switchover.adapters.kube_credentials import Credentials


@dataclass(frozen=True, slots=True)
class _Word:
    """What the server has said last; `block` None: there is none."""

    block: KubernetesCredentials | None


def open_cluster_access(name: str, otherwise: Credentials, *, explicit: bool) -> Credentials:
    """The credentials of the cluster that the block `name` describes, read anew at each call.

    A block whose operator has renewed it is therefore found while a deployment runs. A server that does not answer
    must not keep a rollback from its cluster: it is left alone for `SILENCE_SECONDS` then, and what it said before
    counts. Where it never said anything, what is known `otherwise` counts if it is `explicit`, because switchover.toml
    names it, or if no server is named; else that may be another cluster, and the callable raises `TargetError`.
    """
    word: _Word | None = None
    silent_until = 0.0

    def read() -> Configuration:
        nonlocal word, silent_until
        if time.monotonic() >= silent_until:
            try:
                word = _ask(name)
            except Exception as error:  # noqa: BLE001 whatever the server does, there may be what we know
                if word is None and not explicit and PREFECT_API_URL.value():
                    raise _unknown(name, error) from None
                silent_until = time.monotonic() + SILENCE_SECONDS
        cluster = word.block.cluster_config if word and word.block else None
        if cluster is None:
            return otherwise()
        return credentials_from_document(cluster.config, cluster.context_name)()

    return read


def _ask(name: str) -> _Word:
    try:
        return _Word(_load(name))
    except ValueError as error:
        # Prefect's word for a block that is not there, and Pydantic's for one that cannot be used.
        if isinstance(error.__cause__, ObjectNotFound):
            return _Word(None)
        raise


def _load(name: str) -> KubernetesCredentials:
    with single_try():
        block = KubernetesCredentials.load(name)
    if not isinstance(block, KubernetesCredentials):
        msg = "the block is read in synchronous code only"
        raise TypeError(msg)
    return block


def _unknown(name: str, error: Exception) -> TargetError:
    return TargetError(
        "it is not known which cluster this is",
        expected=f"an answer from {PREFECT_API_URL.value()} whether there is a block {name}",
        found=type(error).__name__,  # its message may hold what is in the block
        next_step="start the Prefect server, or name `kubeconfig` or `context` of the environment in switchover.toml",
    )
