"""Waits until the pods of a colour that was scaled to 0 have ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from switchover.adapters.kube_api import KubeApi
from switchover.adapters.kube_kinds import ENDPOINT_SLICE, POD, KubeObject, name_of
from switchover.adapters.kube_pod_status import is_ended
from switchover.adapters.kube_restarts import seconds_of
from switchover.decide.colour_names import ANNOTATION_DRAIN_SECONDS, colour_labels, colour_name
from switchover.decide.kube_values import mapping_at, mappings_at
from switchover.errors import TargetError
from switchover.model import Colour
from switchover.ports import Clock

LABEL_OF_SLICE = "kubernetes.io/service-name"
_DEFAULT_GRACE_SECONDS = 30
_SLACK_SECONDS = 15.0
_POLL_SECONDS = 0.2
_SHOWN_PODS = 5
_log = logging.getLogger(__name__)


def await_end(api: KubeApi, clock: Clock, service: str, colour: Colour, deployment: KubeObject) -> None:
    """Return when no pod of the colour runs any more. `deployment` is as it was before it was scaled to 0.

    The pods of a lost node stay in the API server for ever, with nobody to say that they have ended: one that should
    have ended a while ago, and to which its Service does not lead any more, counts as ended, with a warning in the log.
    Raises `TargetError` when others are still there long after the time that the manifest gives them.
    """
    within = _seconds_to_end(deployment) + 2 * _SLACK_SECONDS
    deadline = clock.now() + within
    while True:
        left = [pod for pod in api.list(POD, colour_labels(service, colour)) if not is_ended(pod)]
        lost = _find_lost(api, colour_name(service, colour), left, clock.now())
        if len(lost) == len(left):
            for pod in lost:
                node = mapping_at(pod, "spec").get("nodeName") or "unknown"
                _log.warning("pod %s does not end; it counts as stopped: its node %s may be lost", name_of(pod), node)
            return
        if clock.now() >= deadline:
            raise TargetError(
                f"{colour} of {service} did not stop",
                expected=f"no pod of it after {within:g} s",
                found=", ".join(map(name_of, left[:_SHOWN_PODS])),
                next_step="look at their nodes (`kubectl get pods -o wide`), then repeat",
            )
        clock.sleep(_POLL_SECONDS)


def _find_lost(api: KubeApi, service: str, pods: Sequence[KubeObject], now: float) -> list[KubeObject]:
    overdue = [pod for pod in pods if _is_overdue(pod, now)]
    if not overdue:
        return []
    serving = {
        mapping_at(endpoint, "targetRef").get("name")
        for each in api.list(ENDPOINT_SLICE, {LABEL_OF_SLICE: service})
        for endpoint in mappings_at(each, "endpoints")
        if _is_serving(mapping_at(endpoint, "conditions"))
    }
    return [pod for pod in overdue if name_of(pod) not in serving]


def _is_overdue(pod: KubeObject, now: float) -> bool:
    """Its deletion's time is when its grace is over, not when it was asked for."""
    ends = pod["metadata"].get("deletionTimestamp")
    return bool(ends) and now >= seconds_of(ends) + _SLACK_SECONDS


def _is_serving(conditions: KubeObject) -> bool:
    """A pod that ends is never `ready`; `serving` says whether it still answers. Not said is yes."""
    serving = conditions.get("serving")
    return (conditions.get("ready") if serving is None else serving) is not False


def _seconds_to_end(deployment: KubeObject) -> float:
    pods = mapping_at(deployment, "spec", "template", "spec")
    grace = pods.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_SECONDS)
    drain = str(mapping_at(deployment, "metadata", "annotations").get(ANNOTATION_DRAIN_SECONDS, ""))
    return float(grace) + (float(drain) if drain.replace(".", "", 1).isdecimal() else 0.0)
