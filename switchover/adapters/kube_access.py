"""Asks the API server what we may do. Every account may ask that of itself."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_kinds import SELF_SUBJECT_ACCESS_REVIEW, KubeObject
from switchover.decide.kube_rights import Right

_AT_ONCE = 8


def find_denied(api: KubeApi, rights: Iterable[Right]) -> tuple[Right, ...]:
    """Those that we do not have in the namespace of `api`."""
    asked = tuple(rights)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="access") as pool:
        allowed = pool.map(lambda right: _is_allowed(api, right), asked)
        return tuple(right for right, yes in zip(asked, allowed, strict=True) if not yes)


def _is_allowed(api: KubeApi, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes: KubeObject = {
        "namespace": api.namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "name": right.name,
    }
    review = api.create(
        {
            "apiVersion": SELF_SUBJECT_ACCESS_REVIEW.api_version,
            "kind": SELF_SUBJECT_ACCESS_REVIEW.kind,
            "metadata": {},
            "spec": {"resourceAttributes": {name: value for name, value in attributes.items() if value}},
        }
    )
    return bool(review.get("status", {}).get("allowed"))
